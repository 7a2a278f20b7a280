//! Captures: frames in the host's buffers and in the plugin's own memory, damage, sizes, wakers.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use instance_fakes::{create, destroy, fake, note, notes};
use selkies_plugin_abi::{self as abi, Frame, Instance, Rect, Status};
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, CaptureSignal, Damage, FaultClass, FaultOrigin, HostServices, Origin,
    Plugin, RunningCapture, SharedBuffer, Tables,
};

const PLUGIN: &str = "test.capture";
const AREA: Rect = Rect { x: 0, y: 0, width: 40, height: 30 };

static TABLE: abi::CaptureV1 = abi::CaptureV1 {
    struct_size: size_of::<abi::CaptureV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    info: Some(info),
    start: Some(start),
    wait: Some(wait),
    wake: Some(wake),
    grab: Some(grab),
    done_with: Some(done_with),
    stop: Some(stop),
};

/// What `start` was given; one per test thread.
#[derive(Clone, Copy)]
struct Started {
    buffers: [*mut u8; 2],
    stride: u32,
}

thread_local! {
    static STARTED: std::cell::Cell<Started> =
        const { std::cell::Cell::new(Started { buffers: [std::ptr::null_mut(); 2], stride: 0 }) };
}

/// Memory of the fakes that do not use the host's buffers.
static OWN: [u8; 40 * 30 * 4] = [9; 40 * 30 * 4];
/// Set by `wake`.
static WOKEN: AtomicBool = AtomicBool::new(false);
static WAKES: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn info(instance: *mut Instance, out: *mut abi::CaptureInfo) -> Status {
    // SAFETY: an instance of this fake, and a place of the host.
    unsafe {
        let act = fake(instance).act.as_str();
        let own = act.starts_with("own");
        *out = abi::CaptureInfo {
            struct_size: if act == "info-size" { 8 } else { size_of::<abi::CaptureInfo>() as u32 },
            flags: abi::CAPTURE_DAMAGE | if own { 0 } else { abi::CAPTURE_HOST_BUFFERS },
            width: if act == "info-empty" { 0 } else { 40 },
            height: if act == "info-huge" { 16385 } else { 30 },
            fourcc: abi::FOURCC_XRGB8888,
            stride_align: if act == "info-align" { 48 } else { 64 },
            reserved: [0; 4],
        };
    }
    0
}

unsafe extern "C" fn start(instance: *mut Instance, params: *const abi::CaptureParams) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe {
        let params = &*params;
        if fake(instance).act == "start-fails" {
            return abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO);
        }
        let mut started = Started { buffers: [std::ptr::null_mut(); 2], stride: 0 };
        for index in 0..params.buffer_count as usize {
            let buffer = *params.buffers.add(index);
            assert_eq!((buffer.memory, buffer.ptr as usize % 4096), (abi::MEMORY_MEMFD, 0));
            (started.buffers[index], started.stride) = (buffer.ptr, buffer.stride);
        }
        STARTED.set(started);
    }
    0
}

unsafe extern "C" fn wait(instance: *mut Instance, timeout_ns: u64, out: *mut abi::CaptureEvent) -> Status {
    // SAFETY: an instance of this fake, and a place of the host.
    unsafe {
        match fake(instance).act.as_str() {
            "resize" => ((*out).kind, (*out).width, (*out).height) = (abi::CAPTURE_EVENT_RESIZED, 80, 60),
            "resize-zero" => (*out).kind = abi::CAPTURE_EVENT_RESIZED,
            "strange-event" => (*out).kind = 9,
            "sleep" => {
                assert_eq!(timeout_ns, u64::MAX);
                while !WOKEN.swap(false, Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                return abi::NOTHING;
            }
            _ if timeout_ns == 0 => return abi::NOTHING,
            _ => (*out).kind = abi::CAPTURE_EVENT_DAMAGE,
        }
    }
    0
}

unsafe extern "C" fn wake(_: *mut Instance) {
    WAKES.fetch_add(1, Ordering::SeqCst);
    WOKEN.store(true, Ordering::SeqCst);
}

unsafe extern "C" fn grab(
    instance: *mut Instance,
    buffer: u32,
    refresh: *const Rect,
    refresh_count: u32,
    out: *mut Frame,
) -> Status {
    static ONE: [Rect; 2] =
        [Rect { x: 1, y: 2, width: 3, height: 4 }, Rect { x: 0, y: 0, width: 0, height: 0 }];
    static OUTSIDE: [Rect; 1] = [Rect { x: 39, y: 0, width: 2, height: 1 }];
    static OVERFLOW: [Rect; 1] = [Rect { x: u32::MAX, y: 0, width: 2, height: 1 }];
    static MANY: [Rect; 65] = [Rect { x: 0, y: 0, width: 1, height: 1 }; 65];
    // SAFETY: an instance of this fake, pointers of the host.
    unsafe {
        let act = fake(instance).act.as_str();
        let started = STARTED.get();
        let out = &mut *out;
        note(format!(
            "grab {buffer} {:?}",
            std::slice::from_raw_parts(refresh, refresh_count as usize).len()
        ));
        (out.width, out.height, out.fourcc, out.plane_count) = (40, 30, abi::FOURCC_XRGB8888, 1);
        let plane = &mut out.planes[0];
        if act.starts_with("own") {
            out.memory = if act == "own-dmabuf" { abi::MEMORY_DMABUF } else { abi::MEMORY_CPU };
            (plane.ptr, plane.len, plane.stride) = (OWN.as_ptr(), OWN.len() as u64, 160);
        } else {
            out.memory = abi::MEMORY_MEMFD;
            (plane.len, plane.stride) = (u64::from(started.stride) * 30, started.stride);
            started.buffers[buffer as usize].write_bytes(buffer as u8 + 1, plane.len as usize);
        }
        let damage: &'static [Rect] = match act {
            "outside" => &OUTSIDE,
            "overflow" => &OVERFLOW,
            "many" => &MANY,
            "unchanged" => &[],
            _ => &ONE,
        };
        (out.damage, out.damage_count) = (damage.as_ptr(), damage.len() as u32);
        match act {
            "null-damage" => out.damage = std::ptr::null(),
            "wrong-size" => out.width = 41,
            "wrong-format" => out.fourcc = abi::FOURCC_NV12,
            "wrong-struct" => out.struct_size = 4,
            "short-stride" => plane.stride = 159,
            "short-plane" => plane.len = 100,
            "behind-buffer" => plane.offset = 1 << 20,
            "offset-overflow" => plane.offset = u64::MAX,
            "planes" => out.plane_count = 5,
            "own-null" => plane.ptr = std::ptr::null(),
            "future" => out.timestamp_ns = u64::MAX,
            _ => out.timestamp_ns = 77,
        }
    }
    0
}

unsafe extern "C" fn done_with(_: *mut Instance, frame: *const Frame) {
    // SAFETY: a frame that the host gives back.
    note(format!("done_with {}", unsafe { (*frame).planes[0].ptr == OWN.as_ptr() }));
}

unsafe extern "C" fn stop(instance: *mut Instance) -> Status {
    // SAFETY: an instance of this fake.
    if unsafe { fake(instance) }.act == "stop-fails" {
        abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO)
    } else {
        0
    }
}

fn open(services: &HostServices, act: &str) -> CaptureInstance {
    notes();
    let plugin = Plugin::linked(PLUGIN, Tables::default().with(&TABLE));
    CaptureInstance::create(&Origin { services, plugin: &plugin, config_json: act }).unwrap()
}

fn run(services: &HostServices, act: &str) -> RunningCapture {
    let buffers = if act.starts_with("own") { 0 } else { 2 };
    let buffers =
        (0..buffers).map(|_| SharedBuffer::new(40, 30, abi::FOURCC_XRGB8888, 64).unwrap()).collect();
    open(services, act).start(CaptureRequest { area: AREA, output: String::new(), buffers }).unwrap()
}

#[test]
fn frames_land_in_the_hosts_buffers() {
    let services = HostServices::default();
    let mut capture = run(&services, "good");
    assert_eq!(capture.wait(Some(Duration::from_secs(1))).unwrap(), CaptureSignal::Damage);
    assert_eq!(capture.wait(Some(Duration::ZERO)).unwrap(), CaptureSignal::Nothing);
    let first = capture.grab(0, &[]).unwrap();
    let second = capture.grab(1, &[AREA]).unwrap();
    assert_eq!(first.damage(), &Damage::Rects(vec![Rect { x: 1, y: 2, width: 3, height: 4 }]));
    assert_eq!(
        (first.shape().width, first.shape().memory, first.timestamp_ns()),
        (40, abi::MEMORY_MEMFD, 77)
    );
    assert!(capture.buffers()[0].lend().bytes()[..192 * 30].iter().all(|byte| *byte == 1));
    assert!(capture.buffers()[1].lend().bytes()[..192 * 30].iter().all(|byte| *byte == 2));

    let error = capture.grab(0, &[]).unwrap_err();
    assert_eq!((error.origin, error.class), (FaultOrigin::Caller, FaultClass::Retry));
    assert!(capture.grab(2, &[]).is_err());
    drop(first.clone());
    assert!(capture.buffers()[0].is_lent());
    drop(first);
    capture.grab(0, &[]).unwrap();
    drop(second);
    let capture = capture.stop().unwrap();
    assert_eq!(notes(), ["grab 0 0", "grab 1 1", "grab 0 0"]);
    drop(capture);
    assert_eq!(notes(), ["destroy"]);
    assert_eq!(services.misbehaviours(PLUGIN), 0);
}

#[test]
fn refresh_lists_that_do_not_fit_become_the_whole_frame() {
    let services = HostServices::default();
    let mut capture = run(&services, "good");
    capture.grab(0, &[AREA; 65]).unwrap();
    capture.grab(1, &[Rect { x: 30, y: 0, width: 11, height: 1 }, AREA]).unwrap();
    assert_eq!(notes(), ["grab 0 1", "grab 1 1"]);
}

#[test]
fn wrong_damage_becomes_full_and_is_reported() {
    for act in ["outside", "overflow", "many", "null-damage"] {
        let services = HostServices::default();
        let mut capture = run(&services, act);
        assert_eq!(capture.grab(0, &[]).unwrap().damage(), &Damage::Full, "{act}");
        assert_eq!(services.misbehaviours(PLUGIN), 1, "{act}");
    }
    let services = HostServices::default();
    assert!(run(&services, "unchanged").grab(0, &[]).unwrap().damage().is_empty());
}

#[test]
fn wrong_frames_end_the_instance() {
    let acts = [
        "wrong-size",
        "wrong-format",
        "wrong-struct",
        "short-stride",
        "short-plane",
        "behind-buffer",
        "planes",
    ];
    for act in acts.into_iter().chain(["offset-overflow", "own-null", "own-dmabuf"]) {
        let services = HostServices::default();
        let mut capture = run(&services, act);
        let error = capture.grab(0, &[]).unwrap_err();
        assert_eq!((error.origin, error.class), (FaultOrigin::Contract, FaultClass::FatalInstance), "{act}");
        assert_eq!(services.misbehaviours(PLUGIN), 1, "{act}");
        assert_eq!(capture.wait(None).unwrap_err().origin, FaultOrigin::Poisoned, "{act}");
    }
}

#[test]
fn timestamps_do_not_lie_in_the_future() {
    let services = HostServices::default();
    let frame = run(&services, "future").grab(0, &[]).unwrap();
    assert!(frame.timestamp_ns() <= selkies_plugin_host::now_ns());
}

#[test]
fn frames_of_the_plugins_memory_go_back() {
    let services = HostServices::default();
    let mut capture = run(&services, "own");
    let frame = capture.grab(0, &[]).unwrap();
    let second = capture.grab(0, &[]).unwrap();
    drop(frame);
    assert_eq!(notes(), ["grab 0 0", "grab 0 0"]);
    capture.wait(Some(Duration::ZERO)).unwrap();
    assert_eq!(notes(), ["done_with true"]);
    drop(capture);
    assert_eq!(notes().len(), 0, "the instance lives as long as a frame of its memory");
    drop(second);
    assert_eq!(notes(), ["destroy"]);
}

#[test]
fn events_are_checked() {
    let services = HostServices::default();
    let size = CaptureSignal::Resized { width: 80, height: 60 };
    assert_eq!(run(&services, "resize").wait(None).unwrap(), size);
    for act in ["resize-zero", "strange-event"] {
        assert_eq!(run(&services, act).wait(None).unwrap_err().origin, FaultOrigin::Contract, "{act}");
    }
}

#[test]
fn information_is_checked() {
    let services = HostServices::default();
    for act in ["info-size", "info-empty", "info-huge", "info-align"] {
        assert_eq!(open(&services, act).info().unwrap_err().origin, FaultOrigin::Contract, "{act}");
    }
}

#[test]
fn requests_must_fit() {
    let services = HostServices::default();
    let good = || SharedBuffer::new(40, 30, abi::FOURCC_XRGB8888, 64).unwrap();
    let request = |area, buffers| CaptureRequest { area, output: String::new(), buffers };
    let mut capture = open(&services, "good");
    for bad in [
        request(AREA, vec![]),
        request(AREA, vec![SharedBuffer::new(40, 31, abi::FOURCC_XRGB8888, 64).unwrap()]),
        request(AREA, vec![SharedBuffer::new(40, 30, abi::FOURCC_XRGB8888, 4).unwrap()]),
        request(AREA, (0..17).map(|_| good()).collect()),
        request(Rect { x: 1, ..AREA }, vec![good()]),
        request(Rect { width: 0, ..AREA }, vec![good()]),
    ] {
        let failure = capture.start(bad).unwrap_err();
        assert_eq!(failure.error.origin, FaultOrigin::Caller);
        capture = failure.capture;
    }
    capture.start(request(AREA, vec![good()])).unwrap();
}

#[test]
fn failed_starts_and_stops_keep_the_buffers_safe() {
    let services = HostServices::default();
    let buffer = SharedBuffer::new(40, 30, abi::FOURCC_XRGB8888, 64).unwrap();
    let request = CaptureRequest { area: AREA, output: String::new(), buffers: vec![buffer.clone()] };
    let failure = open(&services, "start-fails").start(request.clone()).unwrap_err();
    assert_eq!(failure.error.class, FaultClass::DeviceLost);
    let failure = open(&services, "stop-fails").start(request).unwrap().stop().unwrap_err();
    assert_eq!(std::sync::Arc::strong_count(&buffer), 2, "a capture that did not stop may still write");
    drop(failure);
    assert_eq!(std::sync::Arc::strong_count(&buffer), 1);
}

#[test]
fn a_waker_ends_a_wait_until_the_instance_is_gone() {
    let services = HostServices::default();
    let mut capture = run(&services, "sleep");
    let waker = capture.waker();
    let thread = std::thread::spawn({
        let waker = waker.clone();
        move || {
            std::thread::sleep(Duration::from_millis(20));
            waker.wake();
        }
    });
    let begin = Instant::now();
    assert_eq!(capture.wait(None).unwrap(), CaptureSignal::Nothing);
    assert!(begin.elapsed() >= Duration::from_millis(15));
    thread.join().unwrap();
    drop(capture);
    let before = WAKES.load(Ordering::SeqCst);
    waker.wake();
    assert_eq!(WAKES.load(Ordering::SeqCst), before);
}
