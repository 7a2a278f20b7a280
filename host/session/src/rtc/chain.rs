//! Which source is asked when, and whose answer serves.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::RtcAnswer;
use crate::fallback::BackOff;

/// How long a source may take; afterwards the next one is asked, too.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Longest pause before a source that failed is asked again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Least time between two questions to a source, whatever it says about changes and lifetimes.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// By how much the wall clock must get ahead of the time that passed to count as a leap.
const LEAP: Duration = Duration::from_secs(2);
/// Nothing grows older than this by a leap: no lifetime is longer.
const LONG_AGO: Duration = Duration::from_secs(2 * 366 * 86_400);

/// Sources in order.
///
/// The first with an answer that is not too old serves. Those behind it are not asked. A source that fails keeps its last
/// answer until that is too old; when all are too old, the newest serves still: its STUN servers may be as good as ever.
#[derive(Clone, Debug)]
pub struct RtcChain {
    sources: Vec<Source>,
    published: Option<Published>,
    wall: Option<Wall>,
}

/// What the wall clock said, and when.
#[derive(Clone, Copy, Debug)]
struct Wall {
    since_1970: Duration,
    at: Instant,
}

#[derive(Clone, Debug)]
struct Source {
    good: Option<Good>,
    /// When it is asked next; `None`: when it changes.
    due: Option<Instant>,
    /// Since when it is being asked.
    asked: Option<Instant>,
    /// Its last answer was none, or is overdue.
    failed: bool,
    /// It changed while it was being asked.
    changed: bool,
    last: Option<Instant>,
    pauses: BackOff,
    /// When it was lost last.
    lost: Option<Instant>,
    losses: BackOff,
}

#[derive(Clone, Debug)]
struct Good {
    answer: RtcAnswer,
    at: Instant,
    /// From `at` on; `None`: nobody said.
    lifetime: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Published {
    source: usize,
    good: Good,
}

impl Good {
    fn is_fresh(&self, now: Instant) -> bool {
        self.expires().is_none_or(|expires| now < expires)
    }

    fn expires(&self) -> Option<Instant> {
        self.at.checked_add(self.lifetime?)
    }

    /// When credentials are renewed.
    fn half_life(&self) -> Option<Instant> {
        self.at.checked_add((self.lifetime? / 2).max(LEAST_PAUSE))
    }

    /// It is older than it seemed.
    fn grow_older(&mut self, by: Duration) {
        self.at = self.at.checked_sub(by.min(LONG_AGO)).unwrap_or(self.at);
    }
}

impl Source {
    fn fresh(&self, now: Instant) -> Option<&Good> {
        self.good.as_ref().filter(|good| good.is_fresh(now))
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.asked.is_some_and(|since| now.saturating_duration_since(since) >= ANSWER_LIMIT)
    }

    /// It may answer for the first time in a moment, so that nobody else is asked yet.
    fn is_awaited(&self, now: Instant) -> bool {
        self.asked.is_some() && !self.failed && !self.is_overdue(now)
    }
}

impl RtcChain {
    /// `count` sources that were not asked yet.
    #[must_use]
    pub fn new(count: usize, now: Instant) -> Self {
        let source = Source {
            good: None,
            due: Some(now),
            asked: None,
            failed: false,
            changed: false,
            last: None,
            pauses: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
            lost: None,
            losses: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
        };
        Self { sources: vec![source; count], published: None, wall: None }
    }

    /// Tells what the wall clock says, as often as it may have leapt: credentials end by it, but `now` stands still while the
    /// machine sleeps, and does not see that somebody set the clock. By as much as the wall clock got ahead, everything that is
    /// kept has become older. Answers true when it did.
    pub fn tell_wall(&mut self, wall: SystemTime, now: Instant) -> bool {
        // A clock before 1970 is one that was never set.
        let told = Wall { since_1970: wall.duration_since(UNIX_EPOCH).unwrap_or_default(), at: now };
        let Some(known) = self.wall.replace(told) else { return false };
        let passed = now.saturating_duration_since(known.at);
        let ahead = told.since_1970.saturating_sub(known.since_1970).saturating_sub(passed);
        if ahead < LEAP {
            return false;
        }
        for source in &mut self.sources {
            let Some(good) = &mut source.good else { continue };
            good.grow_older(ahead);
            if let Some(due) = source.due {
                source.due = Some(good.half_life().map_or(due, |half| due.min(half)));
            }
        }
        if let Some(published) = &mut self.published {
            published.good.grow_older(ahead);
        }
        true
    }

    /// The wall clock, if somebody told it.
    fn wall(&self, now: Instant) -> Option<Duration> {
        self.wall.map(|known| known.since_1970 + now.saturating_duration_since(known.at))
    }

    /// A source that is to be asked now; call it until it answers `None`. What it says goes to [`RtcChain::answered`] or
    /// [`RtcChain::failed`].
    pub fn next(&mut self, now: Instant) -> Option<usize> {
        for (which, source) in self.sources.iter_mut().enumerate() {
            if source.asked.is_none() && source.due.is_some_and(|due| due <= now) {
                source.asked = Some(now);
                source.last = Some(now);
                source.due = None;
                return Some(which);
            }
            if source.fresh(now).is_some() || source.is_awaited(now) {
                return None;
            }
        }
        None
    }

    /// When [`RtcChain::next`] may have something to say without anything else happening.
    #[must_use]
    pub fn wakeup(&self, now: Instant) -> Option<Instant> {
        let mut wakeup: Option<Instant> = None;
        let mut sooner = |at: Option<Instant>| wakeup = wakeup.into_iter().chain(at).min();
        for source in &self.sources {
            match source.asked {
                None => sooner(source.due),
                Some(since) if !source.is_overdue(now) => sooner(since.checked_add(ANSWER_LIMIT)),
                Some(_) => {}
            }
            if let Some(good) = source.fresh(now) {
                sooner(good.expires());
                break;
            }
            if source.is_awaited(now) {
                break;
            }
        }
        wakeup
    }

    /// A source that was told to answer begins with it only now: it was busy, which is not counted against it.
    pub fn began(&mut self, which: usize, now: Instant) {
        if let Some(source) = self.sources.get_mut(which).filter(|source| source.asked.is_some()) {
            source.asked = Some(now);
        }
    }

    /// True while a source is being asked.
    #[must_use]
    pub fn is_asked(&self, which: usize) -> bool {
        self.sources.get(which).is_some_and(|source| source.asked.is_some())
    }

    /// A source answered.
    pub fn answered(&mut self, which: usize, answer: RtcAnswer, now: Instant) {
        let lifetime = self.wall(now).map_or_else(|| answer.lifetime(), |wall| answer.lifetime_at(wall));
        let Some(source) = self.sources.get_mut(which) else { return };
        let good = Good { answer, at: now, lifetime };
        if !good.is_fresh(now) {
            // Better than nothing, as those that became too old here, and asked again as rarely as one that fails.
            if source.fresh(now).is_none() {
                source.good = Some(good);
            }
            return self.failed(which, now);
        }
        source.asked = None;
        source.failed = false;
        source.pauses.worked();
        source.due =
            if std::mem::take(&mut source.changed) { now.checked_add(LEAST_PAUSE) } else { good.half_life() };
        source.good = Some(good);
    }

    /// A source has no answer.
    pub fn failed(&mut self, which: usize, now: Instant) {
        let Some(source) = self.sources.get_mut(which) else { return };
        source.asked = None;
        source.failed = true;
        let pause = source.pauses.failed();
        source.due = now.checked_add(if std::mem::take(&mut source.changed) { LEAST_PAUSE } else { pause });
    }

    /// A source has a new answer, as it says.
    pub fn changed(&mut self, which: usize, now: Instant) {
        let Some(source) = self.sources.get_mut(which) else { return };
        if source.asked.is_some() {
            source.changed = true;
            return;
        }
        let earliest = source.last.and_then(|last| last.checked_add(LEAST_PAUSE)).unwrap_or(now);
        let at = earliest.max(now);
        source.due = Some(source.due.map_or(at, |due| due.min(at)));
    }

    /// A source that had answered was lost, so that nobody hears when it changes: it is asked again, which begins it anew, after
    /// pauses that grow while that goes on.
    pub fn lost(&mut self, which: usize, now: Instant) {
        let Some(source) = self.sources.get_mut(which) else { return };
        let lived = source.lost.map(|before| now.saturating_duration_since(before));
        if lived.is_some_and(|lived| lived >= 2 * LONGEST_PAUSE) {
            source.losses.worked();
        }
        source.lost = Some(now);
        let again = now.checked_add(source.losses.failed());
        // Who is being asked is begun anew by that.
        if source.asked.is_none() {
            source.due = source.due.into_iter().chain(again).min();
        }
    }

    /// The source whose answer serves, and that answer.
    #[must_use]
    pub fn serving(&self, now: Instant) -> Option<(usize, &RtcAnswer)> {
        let (which, good) = self.best(now)?;
        Some((which, &good.answer))
    }

    fn best(&self, now: Instant) -> Option<(usize, &Good)> {
        let fresh = self.sources.iter().enumerate().find_map(|(i, source)| Some((i, source.fresh(now)?)));
        let newest = || {
            let all = self.sources.iter().enumerate().filter_map(|(i, s)| Some((i, s.good.as_ref()?)));
            all.max_by_key(|(_, good)| good.at)
        };
        fresh.or_else(newest)
    }

    /// What clients that are connected should be told now: other servers than before, or new credentials when what they
    /// have is past half of its life.
    pub fn publish(&mut self, now: Instant) -> Option<Arc<str>> {
        let (source, good) = self.best(now)?;
        let is_due = self.published.as_ref().is_none_or(|known| {
            let differs = known.source != source || known.good.answer.servers() != good.answer.servers();
            let is_old = known.good.half_life().is_some_and(|half| half <= now) && good.at > known.good.at;
            differs || is_old
        });
        if !is_due {
            return None;
        }
        let good = good.clone();
        let json = good.answer.json().clone();
        self.published = Some(Published { source, good });
        Some(json)
    }
}
