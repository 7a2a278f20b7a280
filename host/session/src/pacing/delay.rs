//! The delay floor of one client: what a frame takes when nothing is queued before it.

use std::time::{Duration, Instant};

/// Length of one bucket; the floor is the least of the present and the previous one.
const BUCKET: Duration = Duration::from_secs(30);

/// Least delay seen in the last 30 to 60 seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct DelayFloor {
    bucket: Option<(Instant, Duration)>,
    previous: Option<Duration>,
}

impl DelayFloor {
    /// Takes a sample. True when it opened a new bucket, that is when the caller should let the pipe run empty once,
    /// so that a standing queue of its own making is not taken for the path.
    pub(super) fn sample(&mut self, now: Instant, delay: Duration) -> bool {
        match &mut self.bucket {
            Some((start, least)) if now.saturating_duration_since(*start) < BUCKET => {
                *least = delay.min(*least);
                false
            }
            bucket => {
                let first = bucket.is_none();
                self.previous = bucket.map(|(_, least)| least);
                *bucket = Some((now, delay));
                !first
            }
        }
    }

    /// The floor; zero before the first sample.
    pub(super) fn get(&self) -> Duration {
        let present = self.bucket.map(|(_, least)| least);
        match (present, self.previous) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => Duration::ZERO,
        }
    }
}
