//! What the test host writes down.

use crate::{ClientState, PacketInfo, abi};

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// One of `LEVEL_*`.
    pub level: u32,
    /// Where it came from; a Rust module.
    pub target: String,
    /// What it says.
    pub message: String,
    /// Its fields, an object; `Null` without any.
    pub fields: serde_json::Value,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub status: abi::Status,
    /// The text that was given to [`abi::LogV1::fail`] for it; empty when there was none.
    pub text: String,
}

impl Failure {
    /// One of `CLASS_*`.
    #[must_use]
    pub fn class(&self) -> i32 {
        abi::class_of(self.status)
    }

    /// One of `DETAIL_*`.
    #[must_use]
    pub fn detail(&self) -> i32 {
        abi::detail_of(self.status)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "class {} detail {}: {}", self.class(), self.detail(), self.text)
    }
}

impl std::error::Error for Failure {}

/// A packet and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedPacket {
    /// What it is.
    pub info: PacketInfo,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// A frame that an encoder is finished with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneReport {
    /// The frame.
    pub frame_id: u64,
    /// How it went.
    pub outcome: Result<(), Failure>,
    /// When the encoder wants it again, nanoseconds.
    pub refine_at_ns: Option<u64>,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// Added to a counter.
    Counter(String, u64),
    /// A gauge's new value.
    Gauge(String, f64),
    /// An observation of a histogram.
    Observation(String, f64),
}

/// What a transport told the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// A text of the session's protocol from a client: client, channel, text.
    Text(u64, u32, String),
    /// Bytes of the session's protocol from a client: client, channel, bytes.
    Binary(u64, u32, Vec<u8>),
    /// A message for connections that the host owns.
    Emit {
        /// To whom.
        clients: Vec<u64>,
        /// UTF-8 text, not bytes.
        text: bool,
        /// The transport's header.
        header: Vec<u8>,
        /// What follows it.
        payload: Vec<u8>,
    },
    /// A signaling message to a client.
    Signal(u64, String),
    /// What was learned about a path.
    Feedback {
        /// Whose path.
        client: u64,
        /// Round trip, microseconds.
        rtt_us: u64,
        /// Loss, parts per million.
        loss_ppm: u32,
        /// Capacity, kbit/s.
        estimate_kbps: u32,
        /// The newest frame that arrived, and the stream it belongs to.
        arrived: (u32, u64),
    },
    /// A client needs a keyframe of a stream.
    KeyframeRequest(u64, u32),
    /// What signaling came to: client, stream, codec.
    Codec(u64, u32, u32),
    /// A client's state and the reason.
    State(u64, ClientState, String),
}
