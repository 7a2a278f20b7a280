//! What the video thread counts.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use selkies_session::latency::Stages;

/// Counters of the video thread. Any thread may read them.
#[derive(Debug, Default)]
pub struct Figures {
    frames: AtomicU64,
    keyframes: AtomicU64,
    refinements: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    grab_ns: AtomicU64,
    encode_ns: AtomicU64,
    encoder: Mutex<String>,
    encoders: AtomicU64,
    bitrate_kbps: AtomicU64,
    quality: AtomicU64,
    stages: Arc<Stages>,
}

/// The counters at one moment, totals since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Frames encoded, refinements among them.
    pub frames: u64,
    /// Those with which decoding may start.
    pub keyframes: u64,
    /// Frames encoded again at a higher quality.
    pub refinements: u64,
    /// Packets made.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Nanoseconds in `grab`.
    pub grab_ns: u64,
    /// Nanoseconds from `submit` to the last packet.
    pub encode_ns: u64,
    /// The encoder in use, `PLUGIN/NAME`; empty before the first.
    pub encoder: String,
    /// Encoders taken into use.
    pub encoders: u64,
    /// The constant bit rate in use, kbit/s; 0 where the rate is not constant.
    pub bitrate_kbps: u64,
    /// The constant quality in use, in the encoder's own scale; 0 where the bit rate is constant.
    pub quality: u64,
}

impl Figures {
    /// Nothing counted yet; how long frames take is found in `stages`.
    pub(crate) fn new(stages: Arc<Stages>) -> Self {
        Self { stages, ..Self::default() }
    }

    /// How long frames take from damage to their packets, by stage.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            frames: read(&self.frames),
            keyframes: read(&self.keyframes),
            refinements: read(&self.refinements),
            packets: read(&self.packets),
            bytes: read(&self.bytes),
            grab_ns: read(&self.grab_ns),
            encode_ns: read(&self.encode_ns),
            encoders: read(&self.encoders),
            bitrate_kbps: read(&self.bitrate_kbps),
            quality: read(&self.quality),
            encoder: self.encoder.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(crate) fn grabbed(&self, ns: u64) {
        self.grab_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn encoded(&self, ns: u64, packets: u64, bytes: u64, refine: bool) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.refinements.fetch_add(u64::from(refine), Ordering::Relaxed);
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.encode_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// The last frame was one with which decoding may start.
    pub(crate) fn keyed(&self) {
        self.keyframes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn limits(&self, kbps: Option<u32>) {
        self.bitrate_kbps.store(kbps.unwrap_or_default().into(), Ordering::Relaxed);
    }

    pub(crate) fn looks(&self, quality: Option<u32>) {
        self.quality.store(quality.unwrap_or_default().into(), Ordering::Relaxed);
    }

    pub(crate) fn uses(&self, encoder: String) {
        self.encoders.fetch_add(1, Ordering::Relaxed);
        *self.encoder.lock().unwrap_or_else(PoisonError::into_inner) = encoder;
    }
}
