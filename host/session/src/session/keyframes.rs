//! Coalesces key frame requests: a key frame costs everybody bandwidth, so a flood of requests must not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{ClientId, KEYFRAME_INTERVAL};

/// Least time between two requests of one viewer that count (2.1.0's viewer resume interval).
const VIEWER_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct KeyframeGate {
    last: Option<Instant>,
    due: Option<Instant>,
    viewers: BTreeMap<ClientId, Instant>,
}

impl KeyframeGate {
    /// A client asks. True when the encoder is to be asked now; otherwise it may become due at a tick, for a request
    /// is put off, never lost.
    pub(super) fn request(&mut self, now: Instant, client: ClientId, viewer: bool) -> bool {
        // A viewer whose turn is still to come waits for it; asking again moves nothing.
        let own =
            self.viewers.get(&client).map(|&turn| if turn > now { turn } else { turn + VIEWER_INTERVAL });
        let own = own.filter(|_| viewer);
        let at =
            [own, self.last.map(|at| at + KEYFRAME_INTERVAL)].into_iter().flatten().fold(now, Instant::max);
        if viewer {
            self.viewers.insert(client, at);
        }
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
        self.tick(now)
    }

    /// True when a put-off request is due.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = None;
            self.last = Some(now);
        }
        due
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn forget(&mut self, client: ClientId) {
        self.viewers.remove(&client);
    }
}
