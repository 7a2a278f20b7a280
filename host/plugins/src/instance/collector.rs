//! Sinks that a plugin fills within one call: capabilities, outputs, texts.
//!
//! The plugin is given a number as context, which means something only on the calling thread during the call; an
//! `emit` from elsewhere or later finds nothing and is reported.

use core::ffi::c_void;
use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::services::PluginAccount;

static NEXT: AtomicUsize = AtomicUsize::new(1);

struct Open {
    number: usize,
    account: Arc<PluginAccount>,
    /// Things collected so far, a `Vec<T>`.
    things: Box<dyn Any>,
    limit: usize,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// Runs `call` with a sink context and answers what was collected beside its answer. Things over `limit` are dropped.
pub(super) fn collect<T: 'static, R>(
    account: &Arc<PluginAccount>,
    limit: usize,
    call: impl FnOnce(*mut c_void) -> R,
) -> (R, Vec<T>) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let things: Box<dyn Any> = Box::new(Vec::<T>::new());
    OPEN.with_borrow_mut(|open| open.push(Open { number, account: Arc::clone(account), things, limit }));
    let answer = call(std::ptr::without_provenance_mut(number));
    let things = OPEN.with_borrow_mut(|open| {
        let index = open.iter().rposition(|entry| entry.number == number)?;
        open.swap_remove(index).things.downcast::<Vec<T>>().ok()
    });
    (answer, things.map_or_else(Vec::new, |things| *things))
}

/// Adds one thing, which `read` makes or refuses with a reason.
pub(super) fn deliver<T: 'static>(
    ctx: *mut c_void,
    function: &'static str,
    read: impl FnOnce() -> Result<T, String>,
) {
    let known = OPEN.try_with(|open| {
        let mut open = open.borrow_mut();
        let Some(entry) = open.iter_mut().find(|entry| entry.number == ctx.addr()) else { return false };
        let Some(things) = entry.things.downcast_mut::<Vec<T>>() else { return false };
        if things.len() >= entry.limit {
            entry.account.misbehaving(function, format_args!("more than {} entries", entry.limit));
            return true;
        }
        match read() {
            Ok(thing) => things.push(thing),
            Err(reason) => entry.account.misbehaving(function, reason),
        }
        true
    });
    if known != Ok(true) {
        tracing::error!(
            target: "selkies::plugin",
            function,
            "plugin misbehaving: a plugin used a sink after its call or from another thread"
        );
    }
}
