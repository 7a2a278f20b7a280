//! What a pacer knows of its client, for metrics.

use std::time::Duration;

/// A pacer's state for metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacerStats {
    /// Batches sent and not acknowledged.
    pub in_flight: usize,
    /// Most batches allowed in flight now.
    pub window: usize,
    /// Bytes not yet taken by the socket.
    pub queued_bytes: usize,
    /// Least time from sending to drawing, network and decoder, in the last minute.
    pub floor: Duration,
    /// The same of the newest acknowledged frame.
    pub last_delay: Duration,
    /// Time between frames the client draws, when it is known.
    pub draw_interval: Option<Duration>,
    /// Round trip to the client without its own work, when marks were answered.
    pub path: Option<Duration>,
    /// What the client's page needs for a batch, when it is known.
    pub batch_time: Option<Duration>,
    /// Most rows in a batch, where they are bounded.
    pub rows: Option<u32>,
    /// Whether the client has ever acknowledged a frame itself.
    pub acknowledges: bool,
    /// Frames are out and nothing came back for four seconds.
    pub stalled: bool,
}
