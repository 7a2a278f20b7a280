//! Coalesces the owner's key frame requests: a key frame costs everybody bandwidth, so a flood of requests must not.

use std::time::{Duration, Instant};

/// Least time between two key frames that the owner asks for.
const INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct KeyframeGate {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl KeyframeGate {
    /// The owner asks. True when the encoder is to be asked now; otherwise it becomes due at a tick, for a request
    /// is put off, never lost.
    pub(super) fn request(&mut self, now: Instant) -> bool {
        let at = self.last.map_or(now, |last| now.max(last + INTERVAL));
        self.due.get_or_insert(at);
        self.tick(now)
    }

    /// True when a put-off request is due.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let due = self.due.take_if(|due| *due <= now).is_some();
        if due {
            self.last = Some(now);
        }
        due
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
