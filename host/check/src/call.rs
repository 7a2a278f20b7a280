//! What the plugin is doing now, so that a crash or a hang can be named.

use std::{
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
    time::Duration,
};

use selkies_plugin_abi as abi;

use crate::{
    host::Context,
    journal,
    rule::Rule,
    rules::lifecycle::{LIF_003, LIF_004, LIF_005, LIF_006, LIF_021},
};

/// A function of a plugin's table.
#[derive(Debug)]
pub(crate) struct Site {
    /// Its name.
    pub(crate) name: &'static str,
    /// The rule about its return.
    pub(crate) rule: &'static Rule,
    /// How long it may take, milliseconds.
    pub(crate) limit_ms: u64,
}

/// A `[control]` function.
pub(crate) const fn control(name: &'static str) -> Site {
    Site { name, rule: &LIF_003, limit_ms: 10_000 }
}

/// A `[control]` function that opens devices.
pub(crate) const fn opening(name: &'static str) -> Site {
    Site { name, rule: &LIF_003, limit_ms: 20_000 }
}

/// A `[media]` or `[any]` function.
pub(crate) const fn media(name: &'static str) -> Site {
    Site { name, rule: &LIF_004, limit_ms: 5_000 }
}

static CURRENT: AtomicPtr<Site> = AtomicPtr::new(std::ptr::null_mut());
static STARTED_NS: AtomicU64 = AtomicU64::new(0);
/// How much longer than its limit the call may take, for waits with a timeout.
static EXTRA_MS: AtomicU64 = AtomicU64::new(0);

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    selkies_plugin_host::now_ns()
}

/// The name of the function that runs now; safe in a signal handler.
pub(crate) fn current_name() -> &'static str {
    let site = CURRENT.load(Ordering::Relaxed);
    // SAFETY: only static sites are stored.
    unsafe { site.as_ref() }.map_or("", |site| site.name)
}

/// The function that runs now and should have returned.
pub(crate) fn overdue() -> Option<(&'static Site, u64)> {
    // SAFETY: only static sites are stored.
    let site = unsafe { CURRENT.load(Ordering::Acquire).as_ref() }?;
    let limit = site.limit_ms + EXTRA_MS.load(Ordering::Relaxed);
    let elapsed = now_ns().saturating_sub(STARTED_NS.load(Ordering::Relaxed)) / 1_000_000;
    (elapsed > limit).then_some((site, limit))
}

/// Runs `call`, a function of the plugin, under the watch of the watchdog. Not for several threads at once.
pub(crate) fn watched<T>(site: &'static Site, extra: Duration, call: impl FnOnce() -> T) -> T {
    EXTRA_MS.store(u64::try_from(extra.as_millis()).unwrap_or(0), Ordering::Relaxed);
    STARTED_NS.store(now_ns(), Ordering::Relaxed);
    CURRENT.store(std::ptr::from_ref(site).cast_mut(), Ordering::Release);
    let answer = call();
    CURRENT.store(std::ptr::null_mut(), Ordering::Release);
    answer
}

/// A failure that a plugin answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The function.
    pub(crate) call: &'static str,
    /// The status.
    pub(crate) status: abi::Status,
    /// What it said with `fail`; empty when it said nothing.
    pub(crate) text: String,
    /// A rule was broken, and told of, while it ran; the failure need not be told as well.
    pub(crate) explained: bool,
}

impl Failure {
    pub(crate) fn class(&self) -> i32 {
        abi::class_of(self.status)
    }

    pub(crate) fn detail(&self) -> i32 {
        abi::detail_of(self.status)
    }

    /// Tells that the failure breaks `rule`, unless what led to it was told already.
    pub(crate) fn breaks(&self, rule: &'static Rule, when: &str) {
        if !self.explained {
            journal::fail(rule, format!("{when}: {self}"));
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.text.is_empty() { "no reason given" } else { &self.text };
        write!(f, "{} answered class {} detail {} ({text})", self.call, self.class(), self.detail())
    }
}

/// Calls a `create`, which answers an instance or why there is none; without one the context ends.
pub(crate) fn create(
    site: &'static Site,
    context: &Context,
    create: impl FnOnce(*mut *mut abi::Instance) -> abi::Status,
) -> Result<*mut abi::Instance, Failure> {
    let mut raw = std::ptr::null_mut();
    let made = status(site, context, Duration::ZERO, || create(&raw mut raw)).and_then(|_| {
        let text = "success without an instance".into();
        let nothing = Failure { call: site.name, status: abi::OK, text, explained: false };
        if raw.is_null() { Err(nothing) } else { Ok(raw) }
    });
    if made.is_err() {
        context.end();
    }
    made
}

/// Calls a function that answers a status, and judges the status as such. `Ok(false)` is `NOTHING`.
pub(crate) fn status(
    site: &'static Site,
    context: &Context,
    extra: Duration,
    call: impl FnOnce() -> abi::Status,
) -> Result<bool, Failure> {
    context.forget_reason();
    let before = journal::breaches();
    let status = watched(site, extra, call);
    if status >= 0 {
        return Ok(status != abi::NOTHING);
    }
    let text = context.take_reason(status);
    let name = site.name;
    let class = abi::class_of(status);
    let mut explained = journal::breaches() > before;
    if !(abi::CLASS_RETRY..=abi::CLASS_DEVICE_LOST).contains(&class) {
        journal::fail(&LIF_006, format!("{name} answered {status}, which is class {class}"));
        explained = true;
    } else if abi::detail_of(status) == abi::DETAIL_PANIC {
        let said = text.as_deref().unwrap_or("no reason given");
        journal::fail(&LIF_005, format!("{name} answered detail panic ({said})"));
        explained = true;
    } else if text.is_none() && !explained {
        journal::warn(&LIF_021, format!("{name} answered {status} without a reason"));
    }
    Err(Failure { call: name, status, text: text.unwrap_or_default(), explained })
}
