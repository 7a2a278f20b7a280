//! A host in memory, for the tests of plugins.
//!
//! [`TestHost`] offers every table that the real host offers and records what a plugin does with them. The drivers
//! ([`TestCapture`], [`TestEncoder`], [`TestTransport`], [`TestCursor`], [`TestDisplay`], [`TestInput`],
//! [`TestRtcConfig`], [`TestClipboard`], [`TestGamepad`], [`TestAudioCapture`], [`TestAudioEncoder`], [`TestAudioSink`])
//! create an instance and call it through its C table, so that a test sees the panic guards and checks too. They take a
//! table, not a type: one of an SDK plugin (`TestEncoder::of::<MyEncoder>`) or of any library.
//!
//! ```text
//! let host = TestHost::new();
//! let mut encoder = TestEncoder::of::<MyEncoder>(&host, "{}", "mine", &TestEncoder::params(abi::CODEC_JPEG, 64, 64))?;
//! encoder.submit(&TestPicture::bgrx(64, 64))?;
//! assert_eq!(host.packets().len(), 1);
//! assert_eq!(host.misuse(), Vec::<String>::new());
//! ```
//!
//! What a plugin must not do (commit an unknown slab, report a frame twice, retain too many) is collected in
//! [`TestHost::misuse`]; a test ends well with an empty list, [`TestHost::slabs_out`] and [`TestHost::retained`] at 0.

mod audio;
mod capture;
mod clipboard;
mod encoder;
mod frames;
mod gamepad;
mod instance;
mod manifest;
mod record;
mod slabs;
mod small;
mod tables;
mod transport;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

pub use audio::{TestAudioEncoder, TestAudioPacket};
pub use capture::TestCapture;
pub use clipboard::TestClipboard;
pub use encoder::{TestEncoder, TestPicture};
pub use gamepad::TestGamepad;
pub use instance::TestWaker;
pub use manifest::compare_manifest;
pub use record::{CommittedPacket, DoneReport, Failure, LogLine, Metric, TransportEvent};
pub use small::{TestAudioCapture, TestAudioSink, TestCursor, TestDisplay, TestInput, TestRtcConfig};
pub use transport::TestTransport;

use crate::{Host, abi, guard::size32};

/// What a plugin did so far.
#[derive(Debug, Default)]
struct Recorded {
    log: Vec<LogLine>,
    failures: Vec<Failure>,
    packets: Vec<CommittedPacket>,
    done: Vec<DoneReport>,
    metrics: Vec<Metric>,
    transport: Vec<TransportEvent>,
    misuse: Vec<String>,
    slabs: slabs::Slabs,
    frames: frames::Frames,
}

struct Inner {
    raw: abi::Host,
    max_level: std::sync::atomic::AtomicU32,
    recorded: Mutex<Recorded>,
    reported: Condvar,
}

// SAFETY: `raw.ctx` points to this very value and is only read; the rest is behind locks.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// A host in memory. Clones are the same host; drivers keep it alive.
#[derive(Clone)]
pub struct TestHost {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for TestHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestHost").field("recorded", &*self.inner.lock()).finish_non_exhaustive()
    }
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TestHost {
    /// A host that has recorded nothing yet and keeps every log level.
    #[must_use]
    pub fn new() -> Self {
        let inner = Arc::new_cyclic(|inner: &std::sync::Weak<Inner>| Inner {
            raw: abi::Host {
                struct_size: size32::<abi::Host>(),
                reserved: 0,
                ctx: inner.as_ptr().cast_mut().cast(),
                query: Some(tables::query),
            },
            max_level: abi::LEVEL_TRACE.into(),
            recorded: Mutex::default(),
            reported: Condvar::new(),
        });
        Self { inner }
    }

    /// The host of this process, connected with the `tracing` of this crate's copy on the first call.
    ///
    /// A library's `tracing` can be connected once only, so tests that look for its lines share this host.
    #[must_use]
    pub fn process() -> &'static Self {
        static PROCESS: OnceLock<TestHost> = OnceLock::new();
        let host = PROCESS.get_or_init(Self::new);
        if let Some(init) = crate::export::LIFECYCLE.init {
            // SAFETY: the static keeps the host alive for the process.
            unsafe { init(host.raw()) };
        }
        host
    }

    /// What a plugin's `create` gets. Valid as long as a clone of this host lives.
    #[must_use]
    pub fn raw(&self) -> *const abi::Host {
        &raw const self.inner.raw
    }

    /// The SDK's handle, for code that is tested without an instance. Only of a host that lives for ever
    /// ([`TestHost::process`]).
    #[must_use]
    pub fn handle(&'static self) -> Host {
        // SAFETY: `self` is static, so the host outlives every copy of the handle.
        unsafe { Host::from_raw(self.raw()) }.unwrap_or_else(|| unreachable!("a test host is complete"))
    }

    /// Sets the most verbose level that [`abi::LogV1::max_level`] answers, one of `LEVEL_*`.
    pub fn set_max_level(&self, level: u32) {
        self.inner.max_level.store(level, std::sync::atomic::Ordering::Relaxed);
    }

    /// Slabs that may be out at once; more are refused like the real host does. 64 at first.
    pub fn limit_slabs(&self, limit: usize) {
        self.inner.lock().slabs.limit = limit;
    }

    /// Lines that were logged.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        self.inner.lock().log.clone()
    }

    /// What was told to [`abi::LogV1::fail`], oldest first.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.inner.lock().failures.clone()
    }

    /// Packets that were committed, oldest first.
    #[must_use]
    pub fn packets(&self) -> Vec<CommittedPacket> {
        self.inner.lock().packets.clone()
    }

    /// The same, and forgets them.
    #[must_use]
    pub fn take_packets(&self) -> Vec<CommittedPacket> {
        std::mem::take(&mut self.inner.lock().packets)
    }

    /// Frames that were reported as finished.
    #[must_use]
    pub fn done(&self) -> Vec<DoneReport> {
        self.inner.lock().done.clone()
    }

    /// Waits until a frame is reported as finished; `None` when `timeout` passes first.
    #[must_use]
    pub fn wait_done(&self, frame_id: u64, timeout: Duration) -> Option<DoneReport> {
        let until = Instant::now() + timeout;
        let mut recorded = self.inner.lock();
        loop {
            if let Some(done) = recorded.done.iter().find(|done| done.frame_id == frame_id) {
                return Some(done.clone());
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            recorded =
                self.inner.reported.wait_timeout(recorded, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Metrics that were reported.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.inner.lock().metrics.clone()
    }

    /// What a transport told the host, oldest first.
    #[must_use]
    pub fn transport_events(&self) -> Vec<TransportEvent> {
        self.inner.lock().transport.clone()
    }

    /// Slabs that were neither committed nor abandoned.
    #[must_use]
    pub fn slabs_out(&self) -> usize {
        self.inner.lock().slabs.out()
    }

    /// Retains that were not released.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.inner.lock().frames.retained()
    }

    /// Every breach of the contract, in words.
    #[must_use]
    pub fn misuse(&self) -> Vec<String> {
        self.inner.lock().misuse.clone()
    }
}
