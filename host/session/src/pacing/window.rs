//! How many batches may be in flight to one client.

use std::time::{Duration, Instant};

/// Window before anything is known: one frame under way, one being drawn.
const FIRST_WINDOW: usize = 2;
/// The same where frames build on each other, and one left out may cost a key frame: 60 fps at 400 ms.
const FIRST_CHAINED_WINDOW: usize = 24;
/// Upper bound of a window and of memory per client; 60 fps at a round trip of one second.
pub(super) const MAX_WINDOW: usize = 64;
/// A queue this long, all round, shrinks the window: three quarters of the client's own drawing interval, within these …
const QUEUE_TOO_LONG: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(30)..=Duration::from_millis(40);
/// … and one shorter than this lets it grow, when it was what held frames back.
pub(super) const QUEUE_SHORT: Duration = Duration::from_millis(15);
/// A size that queued is not tried again for this long.
const CEILING_HOLDS: Duration = Duration::from_secs(10);
/// Shortest round: two ticks of the stock page's 50 ms acknowledgement timer.
const ROUND: Duration = Duration::from_millis(100);
/// Without a queue, frames are spaced by this share of the client's own drawing interval, so that a burst never waits
/// in its decoder and a client that became faster is still found out; behind a long queue by its inverse.
const SPACING: f64 = 0.85;

#[derive(Debug, Clone, Copy)]
struct Round {
    start: Instant,
    least_queue: Duration,
    samples: u32,
    limited: bool,
}

/// The window: grows while it holds frames back and the path shows no queue, shrinks when every frame of a round waited
/// longer than the floor explains.
#[derive(Debug, Clone)]
pub(super) struct Window {
    size: usize,
    starting: bool,
    /// The size below the one that last queued, and until when it is not tried again.
    ceiling: Option<(usize, Instant)>,
    round: Option<Round>,
    /// What every frame of the last round waited.
    standing_queue: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: FIRST_WINDOW,
            starting: true,
            ceiling: None,
            round: None,
            standing_queue: Duration::ZERO,
        }
    }
}

impl Window {
    /// Most batches in flight.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The frames build on each other: as long as nothing is known, more may be under way.
    pub(super) fn chains(&mut self) {
        if self.starting {
            self.size = self.size.max(FIRST_CHAINED_WINDOW);
        }
    }

    /// What every frame of the last round waited.
    pub(super) fn standing_queue(&self) -> Duration {
        self.standing_queue
    }

    /// It is what holds the next frame back.
    pub(super) fn limits(&mut self, now: Instant) {
        self.round_at(now).limited = true;
    }

    /// What was measured in this round is not comparable with what follows.
    pub(super) fn forget_round(&mut self) {
        self.round = None;
    }

    /// A frame was drawn `delay` after it was sent, of which it waited `queue`.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        delay: Duration,
        queue: Duration,
        draw_interval: Option<Duration>,
    ) {
        let round = self.round_at(now);
        round.least_queue = round.least_queue.min(queue);
        round.samples += 1;
        let round = *round;
        if round.samples >= 2 && now.saturating_duration_since(round.start) >= ROUND.max(delay) {
            self.adapt(now, round, draw_interval);
            self.round = None;
        }
    }

    /// The share of the client's own drawing interval by which frames are spaced.
    pub(super) fn spacing(&self) -> f64 {
        match self.standing_queue {
            q if q < QUEUE_SHORT => SPACING,
            q if q < *QUEUE_TOO_LONG.start() => 1.0,
            _ => 1.0 / SPACING,
        }
    }

    fn round_at(&mut self, now: Instant) -> &mut Round {
        self.round.get_or_insert(Round { start: now, least_queue: Duration::MAX, samples: 0, limited: false })
    }

    /// Judges a round that is over.
    fn adapt(&mut self, now: Instant, round: Round, draw_interval: Option<Duration>) {
        if self.ceiling.is_some_and(|(_, until)| now >= until) {
            self.ceiling = None;
        }
        self.standing_queue = round.least_queue;
        let share = draw_interval.unwrap_or_default() * 3 / 4;
        if round.least_queue > share.clamp(*QUEUE_TOO_LONG.start(), *QUEUE_TOO_LONG.end()) {
            self.ceiling = Some(((self.size - 1).max(1), now + CEILING_HOLDS));
            self.size = (self.size - self.size.div_ceil(4)).max(1);
            self.starting = false;
        } else if round.limited && round.least_queue < QUEUE_SHORT {
            let step = if self.starting { self.size.div_ceil(2) } else { 1 };
            self.size = (self.size + step).min(self.ceiling.map_or(MAX_WINDOW, |(most, _)| most));
        }
    }
}
