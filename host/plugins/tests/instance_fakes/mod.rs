//! What the fake plugins of these tests share. They speak the bare ABI, as a plugin in C would.
#![allow(dead_code)] // each test file is a crate of its own and uses a part

pub(crate) mod encoder;
#[path = "../support/lines.rs"]
pub(crate) mod lines;
pub(crate) mod transport;

use std::cell::RefCell;
use std::ffi::c_void;

use selkies_plugin_abi::{Host, Instance, Status, Str};

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Lets a fake tell its test, on the same thread, what happened.
pub(crate) fn note(text: impl ToString) {
    NOTES.with_borrow_mut(|notes| notes.push(text.to_string()));
}

/// What fakes told since the last time.
pub(crate) fn notes() -> Vec<String> {
    NOTES.take()
}

/// A fake's view of the host.
#[derive(Clone, Copy)]
pub(crate) struct View(pub(crate) Host);

// SAFETY: host functions may be called from any thread.
unsafe impl Send for View {}

impl View {
    pub(crate) fn ctx(&self) -> *mut c_void {
        self.0.ctx
    }

    /// A table of the host.
    pub(crate) fn table<T>(&self, id: &str) -> Option<&'static T> {
        // SAFETY: the host's tables are static and of the type that belongs to their id.
        unsafe { self.0.query.unwrap()(self.0.ctx, Str::new(id)).cast::<T>().as_ref() }
    }
}

/// An instance of any fake: its host and what its configuration tells it to do.
pub(crate) struct Fake {
    pub(crate) view: View,
    pub(crate) act: String,
    pub(crate) calls: u32,
}

/// `create` of every fake: the configuration is the act, `fail...` fails.
pub(crate) unsafe extern "C" fn create(host: *const Host, config: Str, out: *mut *mut Instance) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe {
        let view = View(*host);
        let act = std::str::from_utf8(std::slice::from_raw_parts(config.ptr, config.len)).unwrap().to_owned();
        if act == "fail-create" {
            return say(&view, selkies_plugin_abi::failure(3, 10), "no such display");
        }
        if act != "null-instance" {
            *out = Box::into_raw(Box::new(Fake { view, act, calls: 0 })).cast();
        }
    }
    0
}

/// `destroy` of every fake.
pub(crate) unsafe extern "C" fn destroy(instance: *mut Instance) {
    note("destroy");
    // SAFETY: made by `create`, destroyed once.
    drop(unsafe { Box::from_raw(instance.cast::<Fake>()) });
}

/// The fake behind an instance.
pub(crate) unsafe fn fake<'a>(instance: *mut Instance) -> &'a mut Fake {
    // SAFETY: made by `create`; calls do not overlap.
    unsafe { &mut *instance.cast::<Fake>() }
}

/// Says why a call fails and answers the status.
pub(crate) fn say(view: &View, status: Status, text: &str) -> Status {
    let log: &selkies_plugin_abi::LogV1 = view.table("selkies.host.log/1").unwrap();
    // SAFETY: the text is valid for the call.
    unsafe { log.fail.unwrap()(view.ctx(), status, Str::new(text)) };
    status
}
