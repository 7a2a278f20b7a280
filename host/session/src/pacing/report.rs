//! What a transport tells of a client's path that controls congestion itself.

use std::time::{Duration, Instant};

/// More than this in the transport's queue is a picture that grows old: it is to drain first …
const FULL: Duration = Duration::from_millis(100);
/// … or the next report is to come, for so long at most.
const FULL_HOLDS: Duration = Duration::from_millis(200);
/// A frame that has not arrived after this, or after so many times the path's own delay, tells that nothing does.
const SILENCE: (Duration, u32) = (Duration::from_millis(600), 3);
/// A report that is no older than this is the transport's present word; those that have nothing new come every 300 ms.
const FRESH: Duration = Duration::from_millis(700);
/// The capacity that is assumed until there is an estimate, kbit/s.
const UNKNOWN_KBPS: u32 = 4000;

/// A report of a transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathReport {
    /// Newest frame that arrived whole.
    pub arrived: Option<u16>,
    /// Bytes that wait in the transport.
    pub queued_bytes: usize,
    /// What the path takes, kbit/s.
    pub estimate_kbps: Option<u32>,
}

/// The newest report.
#[derive(Debug, Clone, Default)]
pub(super) struct Reported {
    queued_bytes: usize,
    estimate_kbps: Option<u32>,
    at: Option<Instant>,
}

impl Reported {
    /// Frames that may be on the way: two seconds at 120 a second, since a path may be long and its reports rare.
    pub(super) const MAX_IN_FLIGHT: usize = 240;

    pub(super) fn take(&mut self, now: Instant, report: PathReport) {
        self.queued_bytes = report.queued_bytes;
        self.estimate_kbps = report.estimate_kbps.or(self.estimate_kbps);
        self.at = Some(now);
    }

    pub(super) fn estimate(&self) -> Option<u32> {
        self.estimate_kbps
    }

    /// Whether the transport has spoken lately: then what does not arrive is a matter of the path, not of a client that is gone.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now.saturating_duration_since(at) <= FRESH)
    }

    /// From when on a path counts as silent on which this batch was sent and nothing arrived since.
    pub(super) fn silent_from(oldest: Instant, floor: Duration) -> Instant {
        oldest + SILENCE.0.max(floor * SILENCE.1)
    }

    /// How long what waits in the transport takes to be sent.
    pub(super) fn queue(&self) -> Duration {
        let bits = self.queued_bytes.saturating_mul(8) as u64;
        let per_ms = u64::from(self.estimate_kbps.unwrap_or(UNKNOWN_KBPS).max(1));
        Duration::from_millis(bits / per_ms)
    }

    /// From when on another frame may go; `None` when only what arrives can help. `floor` is the path's least delay.
    pub(super) fn chance(
        &self,
        now: Instant,
        oldest: Instant,
        in_flight: usize,
        floor: Duration,
    ) -> Option<Instant> {
        if in_flight >= Self::MAX_IN_FLIGHT || now >= Self::silent_from(oldest, floor) {
            return None;
        }
        let full = self.at.filter(|_| self.queue() > FULL).map(|at| at + FULL_HOLDS);
        Some(full.map_or(now, |until| now.max(until)))
    }
}
