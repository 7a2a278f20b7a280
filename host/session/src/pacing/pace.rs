//! What a page says that its decoder keeps up with.

use std::time::{Duration, Instant};

/// A page's word holds for this long: should it only have counted what it was sent, the rate is not held down by it.
const HOLDS: Duration = Duration::from_secs(5);
/// Frames come a little faster than that, so that a decoder that became faster shows it.
const SHARE: f64 = 0.9;
/// Slowest and fastest rates that a page may name, frames per second.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=1000.0;

/// Least time between two batches, as the page says, and until when that holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    spacing: Duration,
    until: Instant,
}

impl Pace {
    /// The page's decoder keeps up with so many frames per second; 0, or no number, for any.
    pub(super) fn of(now: Instant, fps: f64) -> Option<Self> {
        let spacing =
            || Duration::from_secs(1).div_f64(fps.clamp(*RATES.start(), *RATES.end())).mul_f64(SHARE);
        (fps.is_finite() && fps > 0.0).then(|| Self { spacing: spacing(), until: now + HOLDS })
    }

    /// From when on a batch may go after the one at `last`.
    pub(super) fn opens(&self, now: Instant, last: Instant) -> Instant {
        if now < self.until { now.max((last + self.spacing).min(self.until)) } else { now }
    }
}
