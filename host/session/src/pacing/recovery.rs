//! When a client that lost packets is worth a frame for its sake, which costs everybody bandwidth.

use std::time::{Duration, Instant};

/// Least time between two key frames, where the lead needs them …
const LEAD_INTERVAL: Duration = Duration::from_millis(250);
/// … and where somebody else does, at first (2.1.0's viewer resume interval).
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// Somebody who needs one again and again gets one in so long.
const LAST_INTERVAL: Duration = Duration::from_secs(16);
/// … and in so long at most where its transport reports: that one sends no faster than the path takes, and what is lost is no
/// sign that the path is too narrow.
const REPORTED_INTERVAL: Duration = Duration::from_secs(2);
/// After so many intervals without needing one, a client counts as a new one.
const FORGIVEN_AFTER: u32 = 4;
/// Least time between two frames that are predicted from an older one for the sake of a client that missed some.
pub(super) const ANCHOR_INTERVAL: Duration = Duration::from_millis(50);

/// What one client cost so far. The interval doubles with each key frame that is made for it. And the key frames made for
/// several such clients are half an interval apart at least, so that nine that cannot follow cost little more than one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    /// The interval at first.
    first: Duration,
    /// And at most.
    longest: Duration,
    interval: Duration,
    last: Option<Instant>,
}

impl Recovery {
    /// For key frames.
    pub(super) fn keyframes() -> Self {
        Self::from(FIRST_INTERVAL)
    }

    /// For frames that are predicted from older ones because the client says that it lost some.
    pub(super) fn anchors() -> Self {
        Self::from(ANCHOR_INTERVAL)
    }

    fn from(first: Duration) -> Self {
        Self { first, longest: LAST_INTERVAL, interval: first, last: None }
    }

    /// The client's transport controls congestion itself.
    pub(super) fn reports(&mut self) {
        self.longest = REPORTED_INTERVAL;
        self.interval = self.interval.min(self.longest);
    }

    /// Whether a frame that is no key frame may be made for it.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now >= last + self.interval_at(now))
    }

    /// From when on a key frame may be made for it; `newest` is when the newest was made.
    pub(super) fn due(&self, now: Instant, newest: Option<Instant>, lead: bool) -> Instant {
        let shared = match lead {
            true => LEAD_INTERVAL,
            false => FIRST_INTERVAL.max(self.interval_at(now) / 2),
        };
        let own = self.last.filter(|_| !lead).map(|last| last + self.interval_at(now));
        newest.map(|at| at + shared).into_iter().chain(own).fold(now, Instant::max)
    }

    /// One is made for it.
    pub(super) fn used(&mut self, now: Instant) {
        let again = self.last.is_some() && self.interval_at(now) == self.interval;
        self.interval = if again { (self.interval * 2).min(self.longest) } else { self.first };
        self.last = Some(now);
    }

    fn interval_at(&self, now: Instant) -> Duration {
        let calm = |last| now.saturating_duration_since(last) >= self.interval * FORGIVEN_AFTER;
        if self.last.is_some_and(calm) { self.first } else { self.interval }
    }
}
