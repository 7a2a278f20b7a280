//! The host as a plugin's instance sees it.

use crate::abi;

/// A handle to the host. Cheap to copy between threads; valid until the instance that got it was destroyed, which is
/// why the wrappers hand it out by value only to values they own.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    raw: *const abi::Host,
}

// SAFETY: every function of the host's tables may be called from any thread.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// Takes the host that a `create` or `probe` was given; `None` when it is not one.
    ///
    /// # Safety
    /// `raw` is NULL or points to a [`abi::Host`] that lives until the instance is destroyed.
    pub(crate) unsafe fn from_raw(raw: *const abi::Host) -> Option<Self> {
        if !raw.is_aligned() {
            return None;
        }
        // SAFETY: aligned; the caller vouches for the pointer; NULL was excluded by as_ref.
        let host = unsafe { raw.as_ref() }?;
        (host.struct_size as usize >= size_of::<abi::Host>() && host.query.is_some()).then_some(Self { raw })
    }

    pub(crate) fn ctx(&self) -> *mut core::ffi::c_void {
        // SAFETY: `from_raw` checked the pointer and its owner keeps it alive.
        unsafe { (*self.raw).ctx }
    }

    /// One of the host's tables; `None` when the host has none or a shorter one.
    pub(crate) fn table<T>(&self, id: &str) -> Option<&'static T> {
        // SAFETY: as in `ctx`.
        let query = unsafe { (*self.raw).query }?;
        // SAFETY: `query` may be called from any thread; tables live as long as the process, and the id names the type.
        let table = unsafe { query(self.ctx(), abi::Str::new(id)) };
        if table.is_null() || !table.cast::<T>().is_aligned() {
            return None;
        }
        // SAFETY: not NULL; every table begins with its size.
        let size = unsafe { table.cast::<u32>().read() };
        // SAFETY: large enough, and it lives as long as the process.
        (size as usize >= size_of::<T>()).then(|| unsafe { &*table.cast::<T>() })
    }

    /// `CLOCK_MONOTONIC` in nanoseconds, the clock of every timestamp.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.table::<abi::ClockV1>(abi::ids::HOST_CLOCK_V1)
            .and_then(|clock| clock.now_ns)
            // SAFETY: the function belongs to this context.
            .map_or(0, |now| unsafe { now(self.ctx()) })
    }

    /// Adds to a counter; names match `[a-z][a-z0-9_]{0,63}`.
    pub fn count(&self, name: &str, value: u64) {
        if let Some(add) = self.metrics().and_then(|metrics| metrics.counter_add) {
            // SAFETY: the function belongs to this context and borrows the name for the call.
            unsafe { add(self.ctx(), abi::Str::new(name), value) }
        }
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, value: f64) {
        if let Some(set) = self.metrics().and_then(|metrics| metrics.gauge_set) {
            // SAFETY: as in `count`.
            unsafe { set(self.ctx(), abi::Str::new(name), value) }
        }
    }

    /// Adds one observation to a histogram, in seconds for durations. An encoder that converts colours in a step of its own
    /// observes `convert_seconds` once per frame, before the frame is done: the host shows that as a stage.
    pub fn observe(&self, name: &str, value: f64) {
        if let Some(observe) = self.metrics().and_then(|metrics| metrics.observe) {
            // SAFETY: as in `count`.
            unsafe { observe(self.ctx(), abi::Str::new(name), value) }
        }
    }

    fn metrics(&self) -> Option<&'static abi::MetricsV1> {
        self.table(abi::ids::HOST_METRICS_V1)
    }

    /// Logs one line past `tracing`, for what the wrappers themselves have to say.
    pub(crate) fn log(&self, level: u32, message: &str) {
        if let Some(log) = self.table::<abi::LogV1>(abi::ids::HOST_LOG_V1).and_then(|table| table.log) {
            // SAFETY: the function belongs to this context and borrows the texts for the call.
            unsafe { log(self.ctx(), level, abi::Str::new("sdk"), abi::Str::new(message), abi::Str::EMPTY) }
        }
    }

    /// Tells the host why the function running on this thread is about to fail.
    pub(crate) fn fail(&self, status: abi::Status, text: &str) {
        if let Some(fail) = self.table::<abi::LogV1>(abi::ids::HOST_LOG_V1).and_then(|table| table.fail) {
            // SAFETY: as in `log`.
            unsafe { fail(self.ctx(), status, abi::Str::new(text)) }
        }
    }
}
