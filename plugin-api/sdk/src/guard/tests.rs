//! The guards and the instance box by themselves. No foreign code runs here, so that miri can run it all
//! (scripts/miri.sh): the host below is Rust behind the C ABI.

use std::{
    ffi::c_void,
    panic::panic_any,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use super::*;
use crate::slot::Slot;

/// A host that keeps what is said by `fail`.
#[derive(Default)]
struct Recorder {
    said: Mutex<Vec<(abi::Status, String)>>,
}

static LOG: abi::LogV1 = abi::LogV1 {
    struct_size: size32::<abi::LogV1>(),
    reserved: 0,
    max_level: Some(max_level),
    log: Some(log),
    fail: Some(fail),
};

unsafe extern "C" fn query(_: *mut c_void, id: abi::Str) -> *const c_void {
    // SAFETY: the SDK hands texts over.
    match unsafe { text(id) } {
        Ok(abi::ids::HOST_LOG_V1) => std::ptr::from_ref(&LOG).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn max_level(_: *mut c_void) -> u32 {
    abi::LEVEL_TRACE
}

unsafe extern "C" fn log(_: *mut c_void, _: u32, _: abi::Str, _: abi::Str, _: abi::Str) {}

unsafe extern "C" fn fail(ctx: *mut c_void, status: abi::Status, why: abi::Str) {
    // SAFETY: the context is the recorder of `raw_host`, and the text is the SDK's.
    let (recorder, why) = unsafe { (&*ctx.cast::<Recorder>(), text(why)) };
    recorder.said.lock().expect("a list").push((status, why.expect("UTF-8").to_owned()));
}

impl Recorder {
    fn raw_host(&self) -> abi::Host {
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        abi::Host { struct_size: size32::<abi::Host>(), reserved: 0, ctx, query: Some(query) }
    }

    fn said(&self) -> Vec<(abi::Status, String)> {
        std::mem::take(&mut *self.said.lock().expect("a list"))
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's own drop");
    }
}

#[test]
fn panics_and_failures_become_statuses_with_a_text() {
    let recorder = Recorder::default();
    let raw = recorder.raw_host();
    // SAFETY: it lives until the end of the test.
    let host = unsafe { Host::from_raw(&raw const raw) };
    assert!(host.is_some());
    assert_eq!(guarded(host, || Ok(abi::NOTHING)), abi::NOTHING);
    assert_eq!(guarded(host, || Err(Error::device_lost("gone"))), abi::failure(abi::CLASS_DEVICE_LOST, 0));
    assert_eq!(guarded(host, || panic!("at {}", 7)), PANICKED);
    assert_eq!(guarded(host, || panic_any(Bomb)), PANICKED, "and its payload is left alone");
    assert_eq!(guarded(None, || panic!("nobody hears it")), PANICKED);
    let said: Vec<String> = recorder.said().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["gone", "panic: at 7", "panic: panic without a text"]);
    assert_eq!(quietly(host, || 5), Some(5));
    assert_eq!(quietly(host, || -> u32 { panic!("quiet") }), None);
    assert_eq!(recorder.said(), [(PANICKED, "panic: quiet".to_owned())]);
}

#[test]
fn what_the_host_passes_is_checked_before_it_is_read() {
    let word = 7_u64;
    let dangling = std::ptr::without_provenance::<u8>(8);
    // SAFETY: each call gets memory that lives as long as the call, or something that must be refused unread.
    unsafe {
        assert_eq!(bytes(abi::Bytes { ptr: dangling, len: 0 }).map(<[u8]>::len), Ok(0));
        assert!(bytes(abi::Bytes { ptr: std::ptr::null(), len: 1 }).is_err());
        assert!(bytes(abi::Bytes { ptr: dangling, len: usize::MAX }).is_err());
        assert_eq!(text(abi::Str::new("wörds")), Ok("wörds"));
        assert!(text(abi::Str { ptr: [0xff_u8].as_ptr(), len: 1 }).is_err());
        assert_eq!(array(&raw const word, 1, 1, "words"), Ok(&[7][..]));
        assert!(array(&raw const word, 2, 1, "words").is_err(), "over the limit");
        assert!(array(std::ptr::null::<u64>(), 1, 1, "words").is_err());
        assert!(array((&raw const word).wrapping_byte_add(1), 1, 1, "words").is_err());
        assert!(sized(std::ptr::null::<abi::FrameDone>(), "done").is_err());
        let mut done: abi::FrameDone = std::mem::zeroed();
        assert!(sized(&raw const done, "done").is_err(), "too small");
        done.struct_size = size32::<abi::FrameDone>() + 8;
        assert_eq!(sized(&raw const done, "done").map(|done| done.frame_id), Ok(0), "larger is newer");
        assert!(pointer((&raw const word).wrapping_byte_add(1), "word").is_err());
        let mut out = 1_u32;
        assert_eq!(Answer::new(&raw mut out).map(|answer| answer.give(9)), Ok(abi::OK));
        assert_eq!(out, 9);
        assert!(Answer::new(std::ptr::null_mut::<u32>()).is_err());
    }
}

/// Counts its drops, and may panic in one.
struct Thing {
    calls: u32,
    panics: bool,
}

static DROPS: AtomicU32 = AtomicU32::new(0);

impl Drop for Thing {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "in drop");
    }
}

type Box1 = Slot<Thing, AtomicU32>;

#[test]
fn an_instance_is_made_used_poisoned_and_destroyed_once() {
    let recorder = Recorder::default();
    let raw = recorder.raw_host();
    for panics in [false, true] {
        DROPS.store(0, Ordering::SeqCst);
        let mut instance: *mut abi::Instance = std::ptr::null_mut();
        // SAFETY: what the ABI's `create` is given, kept until `destroy`.
        unsafe {
            let make = |_, _: serde_json::Value| Ok((Thing { calls: 0, panics }, AtomicU32::new(0)));
            let no_out = Box1::create(&raw const raw, abi::Str::EMPTY, std::ptr::null_mut(), make);
            assert_eq!(
                (abi::detail_of(no_out), DROPS.load(Ordering::SeqCst)),
                (abi::DETAIL_INVALID_ARGUMENT, 0)
            );
            let no_host = Box1::create(std::ptr::null(), abi::Str::EMPTY, &raw mut instance, make);
            assert_eq!((abi::detail_of(no_host), instance.is_null()), (abi::DETAIL_INVALID_ARGUMENT, true));
            assert_eq!(Box1::create(&raw const raw, abi::Str::EMPTY, &raw mut instance, make), abi::OK);
        }
        let call = |instance: *mut abi::Instance| {
            // SAFETY: made above, not destroyed yet, and one call at a time.
            unsafe {
                Box1::with(instance, |thing, _| {
                    thing.calls += 1;
                    Ok(thing.calls.cast_signed())
                })
            }
        };
        assert_eq!((call(instance), call(instance)), (1, 2));
        // The shared part is used by other threads, also while the value is.
        let shared = instance.expose_provenance();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(move || {
                    let instance = std::ptr::with_exposed_provenance_mut(shared);
                    let ring = |count: &AtomicU32, _| Ok(count.fetch_add(1, Ordering::SeqCst).cast_signed());
                    // SAFETY: as above; functions of the shared part may run at any time.
                    assert!(unsafe { Box1::with_shared(instance, ring) } >= 0);
                });
            }
            assert_eq!(call(instance), 3);
        });
        // SAFETY: as above; an instance of another table is told apart and left alone.
        unsafe {
            let other = Slot::<u64, ()>::with(instance, |_, _| Ok(abi::OK));
            assert_eq!(abi::detail_of(other), abi::DETAIL_INVALID_ARGUMENT);
            assert_eq!(Box1::with(instance, |_, _| panic!("once")), PANICKED);
            assert_eq!(call(instance), PANICKED, "it is poisoned");
            assert_eq!(Box1::with_shared(instance, |_, _| Ok(abi::OK)), PANICKED);
            Slot::<u64, ()>::destroy(instance);
            Box1::destroy(std::ptr::null_mut());
            assert_eq!(DROPS.load(Ordering::SeqCst), 0);
            Box1::destroy(instance);
        }
        assert_eq!(DROPS.load(Ordering::SeqCst), 1);
        let said = recorder.said();
        assert_eq!(said.last().is_some_and(|(_, text)| text == "panic: in drop"), panics, "{said:?}");
    }
}
