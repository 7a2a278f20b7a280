//! What one client's page needs for a batch: when it becomes free, and how much it can take at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delay::DelayFloor;

/// From this time per batch on, a page's clock bounds what is under way …
const BOUNDED: Duration = Duration::from_millis(20);
/// … and from this on it alone paces the page. A faster page may always have a batch waiting behind the one it works on.
const SLOW: Duration = Duration::from_millis(35);
/// What a batch may spend in the page, waiting and being drawn: 100 ms less grabbing, encoding and jitter.
const STAY: Duration = Duration::from_millis(64);
/// Longest that a batch should wait in a slow page.
const AHEAD: Duration = Duration::from_millis(14);
/// Batches that take longer than this are cut …
const TOO_LONG: Duration = Duration::from_millis(66);
/// … to what takes about this long.
const TURN: Duration = Duration::from_millis(52);
/// A cut batch that takes longer makes the next ones smaller.
const LONG_TURN: Duration = Duration::from_millis(62);
/// A batch of more rows than usual is expected to take longer, by up to this factor.
const MOST_MORE: f64 = 2.0;
/// A cut batch is at least this share of the largest: a page whose time does not depend on the batch's size must not
/// end with one stripe at a time.
const LEAST_SHARE: u32 = 12;
/// Least time that an acknowledgement may be overdue before nothing more is sent behind its batch.
const PATIENCE: Duration = Duration::from_millis(15);
/// Path measurements of which the least counts; at [`MARK_INTERVAL`], two seconds.
const PATH_SAMPLES: usize = 8;
/// As many tell how loaded the path is now.
const LOAD_SAMPLES: usize = 3;
/// Time between two measurements of the path.
const MARK_INTERVAL: Duration = Duration::from_millis(250);
/// A mark without an answer is given up after this.
const MARK_LOST: Duration = Duration::from_secs(2);

/// A batch under way, as far as the page is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) at: Instant,
    pub(super) rows: u32,
}

/// From when until when the next batch may go to the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) opens: Instant,
    pub(super) closes: Instant,
}

/// The clock of a page, learned from acknowledgements (sent to drawn) and from marks (sent to arrived): the difference
/// is the page's own time. All instants of the page are shifted by the way back, so that they compare with ours.
#[derive(Debug, Clone, Default)]
pub(super) struct PageClock {
    path: VecDeque<Duration>,
    /// The least in the last minute.
    path_floor: DelayFloor,
    mark: Option<(u16, Instant, bool)>,
    /// Moving average of the time per batch.
    cost: Option<Duration>,
    /// The same of their rows.
    rows: u32,
    drawn: Option<Instant>,
    /// How late the page says what it drew: its timer, for stock pages. Falls slowly.
    late: Duration,
    /// Batches in a row that took too long.
    long: u32,
    limit: Option<u32>,
    largest: u32,
    encode: Duration,
}

impl PageClock {
    /// Whether the batch just sent should carry a mark.
    pub(super) fn wants_mark(&mut self, now: Instant, frame_id: u16) -> bool {
        let due = self.mark.is_none_or(|(_, at, answered)| {
            now.saturating_duration_since(at) >= if answered { MARK_INTERVAL } else { MARK_LOST }
        });
        if due {
            self.mark = Some((frame_id, now, false));
        }
        due
    }

    /// A mark came back.
    pub(super) fn marked(&mut self, now: Instant, frame_id: u16) {
        let Some((id, at, answered @ false)) = &mut self.mark else { return };
        if *id == frame_id {
            *answered = true;
            let delay = now.saturating_duration_since(*at);
            self.path_floor.sample(now, delay);
            self.path.push_back(delay);
            if self.path.len() > PATH_SAMPLES {
                self.path.pop_front();
            }
        }
    }

    /// How long a frame takes from its grab to its packets.
    pub(super) fn encodes_in(&mut self, time: Duration) {
        self.encode = time;
    }

    /// Forgets what was under way.
    pub(super) fn reset(&mut self) {
        self.drawn = None;
        self.mark = None;
        self.largest = 0;
    }

    /// The round trip without the page's own time.
    pub(super) fn path(&self) -> Option<Duration> {
        self.path.iter().min().copied()
    }

    /// How much longer than that the newest measurement took: a queue on the way.
    pub(super) fn path_queue(&self) -> Option<Duration> {
        Some(self.path.back()?.saturating_sub(self.path()?))
    }

    /// How much longer than at best in the last minute batches are on the way now.
    pub(super) fn path_load(&self) -> Option<Duration> {
        let now = self.path.iter().rev().take(LOAD_SAMPLES).min()?;
        Some(now.saturating_sub(self.path_floor.get()))
    }

    /// What the page needs for a batch, when that makes it a slow one.
    pub(super) fn slow(&self) -> Option<Duration> {
        self.cost.filter(|&cost| cost >= SLOW && !self.path.is_empty())
    }

    /// The same, fast or slow.
    pub(super) fn cost(&self) -> Option<Duration> {
        self.cost
    }

    /// Most rows in the next batch; `None` without a bound.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// A batch of so many rows is sent.
    pub(super) fn sends(&mut self, rows: u32) {
        self.largest = self.largest.max(rows);
    }

    /// `frames` batches were drawn at `drawn`, of which `first` was sent first and `last` last; the page said so `late`.
    pub(super) fn drew(&mut self, first: Load, last: Load, frames: u32, drawn: Instant, late: Duration) {
        self.late = late.max(self.late * 7 / 8);
        let Some(path) = self.path() else { return };
        let began = self.drawn.map_or(first.at + path, |free| free.max(first.at + path));
        self.drawn = Some(drawn);
        let took = drawn.saturating_duration_since(began) / frames.max(1);
        self.cost = Some(self.cost.map_or(took, |cost| (cost * 3 + took) / 4));
        self.rows = if self.rows == 0 { last.rows } else { (self.rows * 3 + last.rows) / 4 };
        if frames == 1 {
            self.bound(last.rows, took);
        }
    }

    /// Adapts the size of the next batches to what this one took.
    fn bound(&mut self, rows: u32, took: Duration) {
        self.long = if took > TOO_LONG { self.long + 1 } else { 0 };
        let share = TURN.as_secs_f64() / took.as_secs_f64().max(0.001);
        let fitting = (f64::from(rows) * share) as u32;
        let least = (self.largest / LEAST_SHARE).max(1);
        // One alone may be an accident of the page.
        if self.long >= 2 {
            self.limit = Some(fitting.max(least));
            self.cost = Some(TURN);
            self.rows = fitting.max(least);
            self.long = 0;
            return;
        }
        // Batches far below the bound tell nothing about it.
        let Some(limit) = self.limit.filter(|limit| rows >= limit / 4 * 3) else { return };
        self.limit = match took {
            // The whole picture would do, or nearly.
            _ if u64::from(fitting) * 6 / 5 >= u64::from(self.largest) => None,
            _ if took < TURN * 3 / 4 => {
                Some(limit + fitting.saturating_sub(limit).min(limit * 2).div_ceil(4))
            }
            // A stripe more may cost a round of the page's decoders: rarely tried.
            _ if took < TURN => Some(limit + fitting.saturating_sub(limit).div_ceil(32)),
            _ if took > LONG_TURN => Some((limit - limit.saturating_sub(fitting).div_ceil(4)).max(least)),
            _ => Some(limit),
        };
    }

    /// When the page, with these batches under way (oldest first), may get one more; `None` for a fast one.
    pub(super) fn gate(&self, mut under_way: impl Iterator<Item = Load>) -> Option<Gate> {
        let (cost, path) = (self.cost.filter(|&cost| cost >= BOUNDED)?, self.path()?);
        let after = |free: Option<Instant>, load: Load| {
            let more = f64::from(load.rows) / f64::from(self.rows.max(1));
            let arrives = load.at + path;
            free.map_or(arrives, |free| free.max(arrives)) + cost.mul_f64(more.clamp(1.0, MOST_MORE))
        };
        let first = after(self.drawn, under_way.next()?);
        let last = under_way.fold(first, |free, load| after(Some(free), load));
        // One that arrives that long before the page is free still stays no longer than it may.
        let ahead = STAY.saturating_sub(cost).min(most_ahead(cost)) + self.encode + path;
        let closes = first + PATIENCE.max(cost / 4) + self.late;
        Some(Gate { opens: last.checked_sub(ahead).unwrap_or(last), closes })
    }
}

/// How long before a page is free its next batch may arrive: a slow page only needs what covers the jitter.
fn most_ahead(cost: Duration) -> Duration {
    if cost < SLOW { STAY } else { AHEAD }
}
