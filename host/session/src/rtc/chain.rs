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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn answer(host: &str, lifetime: u64) -> RtcAnswer {
        let text = format!(r#"{{"lifetimeDuration":"{lifetime}s","iceServers":[{{"urls":"stun:{host}"}}]}}"#);
        RtcAnswer::parse(&text, false).expect("an answer")
    }

    fn asked(chain: &mut RtcChain, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| chain.next(now)).collect()
    }

    fn serves(chain: &RtcChain, now: Instant) -> Option<usize> {
        chain.serving(now).map(|(which, _)| which)
    }

    #[test]
    fn the_next_is_asked_only_when_the_one_before_has_nothing() {
        let now = Instant::now();
        let mut chain = RtcChain::new(3, now);
        assert_eq!(asked(&mut chain, now), [0]);
        assert_eq!(chain.publish(now), None);
        chain.failed(0, now);
        assert_eq!(asked(&mut chain, now), [1]);
        chain.answered(1, answer("b", 600), now);
        assert_eq!(asked(&mut chain, now), [] as [usize; 0]);
        assert_eq!(serves(&chain, now), Some(1));
        // The first is asked again after a pause, and takes over.
        assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
        assert_eq!(asked(&mut chain, now + FIRST_PAUSE), [0]);
        chain.answered(0, answer("a", 600), now + FIRST_PAUSE);
        assert_eq!(serves(&chain, now + FIRST_PAUSE), Some(0));
        // It is renewed at half of its life; the one behind it is left alone.
        assert_eq!(chain.wakeup(now + FIRST_PAUSE), Some(now + FIRST_PAUSE + 5 * MINUTE));
        assert_eq!(asked(&mut chain, now + FIRST_PAUSE + 5 * MINUTE), [0]);
    }

    #[test]
    fn the_last_good_answer_is_kept_until_it_is_too_old() {
        let now = Instant::now();
        let mut chain = RtcChain::new(2, now);
        chain.next(now);
        chain.answered(0, answer("a", 100), now);
        let later = now + 50 * SECOND;
        assert_eq!(asked(&mut chain, later), [0]);
        chain.failed(0, later);
        assert_eq!(asked(&mut chain, later), [] as [usize; 0], "the old answer is as good as before");
        assert_eq!(serves(&chain, later), Some(0));
        let expired = now + 100 * SECOND;
        assert_eq!(asked(&mut chain, expired), [0, 1], "it is tried again, and so is the next");
        assert_eq!(serves(&chain, expired), Some(0), "better than nothing");
        chain.answered(1, answer("b", 100), expired);
        assert_eq!(serves(&chain, expired), Some(1));
        chain.answered(0, answer("a", 100), expired + SECOND);
        assert_eq!(serves(&chain, expired + SECOND), Some(0));
    }

    #[test]
    fn a_source_that_does_not_answer_holds_the_others_up_for_a_moment_only() {
        let now = Instant::now();
        let mut chain = RtcChain::new(2, now);
        assert_eq!(asked(&mut chain, now), [0]);
        assert_eq!(chain.wakeup(now), Some(now + ANSWER_LIMIT));
        assert_eq!(asked(&mut chain, now + ANSWER_LIMIT - SECOND), [] as [usize; 0]);
        assert_eq!(asked(&mut chain, now + ANSWER_LIMIT), [1]);
        chain.answered(1, answer("b", 600), now + ANSWER_LIMIT);
        assert_eq!(chain.wakeup(now + ANSWER_LIMIT), Some(now + ANSWER_LIMIT + 300 * SECOND));
        chain.answered(0, answer("a", 600), now + 20 * SECOND);
        assert_eq!(serves(&chain, now + 20 * SECOND), Some(0));
    }

    #[test]
    fn what_a_source_does_for_others_is_not_counted_against_it() {
        let now = Instant::now();
        let mut chain = RtcChain::new(2, now);
        chain.began(0, now);
        assert!(!chain.is_asked(0), "nobody asked");
        assert_eq!(asked(&mut chain, now), [0]);
        assert!(chain.is_asked(0) && !chain.is_asked(1));
        let began = now + 10 * SECOND;
        chain.began(0, began);
        assert_eq!(asked(&mut chain, now + ANSWER_LIMIT), [] as [usize; 0]);
        assert_eq!(asked(&mut chain, began + ANSWER_LIMIT), [1]);
    }

    #[test]
    fn changes_are_followed_but_not_without_end() {
        let now = Instant::now();
        let mut chain = RtcChain::new(1, now);
        chain.next(now);
        chain.changed(0, now);
        chain.answered(0, answer("a", 86_400), now);
        assert_eq!(chain.wakeup(now), Some(now + LEAST_PAUSE), "it changed while it was asked");
        assert_eq!(asked(&mut chain, now + LEAST_PAUSE), [0]);
        chain.answered(0, answer("a", 86_400), now + LEAST_PAUSE);
        chain.changed(0, now + LEAST_PAUSE);
        assert_eq!(asked(&mut chain, now + LEAST_PAUSE), [] as [usize; 0]);
        assert_eq!(asked(&mut chain, now + 2 * LEAST_PAUSE), [0]);
    }

    /// An answer whose credentials end at this time by the wall clock.
    fn ending(at: u64, lifetime: u64) -> RtcAnswer {
        let text = format!(
            r#"{{"lifetimeDuration":"{lifetime}s","iceServers":[{{"urls":"turn:a","username":"{at}:u","credential":"c"}}]}}"#
        );
        RtcAnswer::parse(&text, false).expect("an answer")
    }

    fn wall(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn credentials_end_by_the_wall_clock() {
        const DAY: u64 = 1_800_000_000;
        let now = Instant::now();
        let mut chain = RtcChain::new(2, now);
        assert!(!chain.tell_wall(wall(DAY), now));
        chain.next(now);
        chain.answered(0, ending(DAY + 100, 86_400), now);
        assert_eq!(chain.wakeup(now), Some(now + 50 * SECOND), "the username tells more than the lifetime");
        // What is past its end serves only where nobody has better, and asks for no storm.
        let mut chain = RtcChain::new(2, now);
        chain.tell_wall(wall(DAY), now);
        assert_eq!(asked(&mut chain, now), [0]);
        chain.answered(0, ending(DAY - 1, 86_400), now);
        assert_eq!(serves(&chain, now), Some(0));
        assert_eq!(asked(&mut chain, now), [1]);
        chain.answered(1, answer("b", 600), now);
        assert_eq!(serves(&chain, now), Some(1));
        assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
    }

    #[test]
    fn what_is_kept_grows_older_while_the_machine_sleeps() {
        const DAY: u64 = 1_800_000_000;
        let now = Instant::now();
        let mut chain = RtcChain::new(1, now);
        chain.tell_wall(wall(DAY), now);
        chain.next(now);
        chain.answered(0, answer("a", 600), now);
        assert!(chain.publish(now).is_some());
        // Time that passes for both clocks, and a clock that is set back, are no leap.
        assert!(!chain.tell_wall(wall(DAY + 60), now + MINUTE));
        assert!(!chain.tell_wall(wall(DAY), now + MINUTE));
        assert_eq!(asked(&mut chain, now + MINUTE), [] as [usize; 0]);
        assert_eq!(chain.wakeup(now + MINUTE), Some(now + 5 * MINUTE));
        // Asleep for an hour: all is over at once, and those who are connected get what comes.
        assert!(chain.tell_wall(wall(DAY + 3600), now + MINUTE));
        assert_eq!(asked(&mut chain, now + MINUTE), [0]);
        assert_eq!(serves(&chain, now + MINUTE), Some(0), "better than nothing");
        assert_eq!(chain.publish(now + MINUTE), None);
        chain.answered(0, answer("a", 600), now + MINUTE);
        assert!(chain.publish(now + MINUTE).is_some(), "the same servers, but new credentials");
        // From a clock that was never set to the right one.
        let mut chain = RtcChain::new(1, now);
        chain.tell_wall(wall(60), now);
        chain.next(now);
        chain.answered(0, answer("a", 86_400), now);
        assert!(chain.tell_wall(wall(DAY), now + SECOND));
        assert_eq!(asked(&mut chain, now + SECOND), [0]);
    }

    #[test]
    fn a_source_that_was_lost_is_asked_again_with_pauses() {
        let mut now = Instant::now();
        let mut chain = RtcChain::new(1, now);
        assert_eq!(asked(&mut chain, now), [0]);
        chain.answered(0, answer("a", 86_400), now);
        for pause in [5, 10, 20, 40, 60, 60] {
            chain.lost(0, now);
            assert_eq!(serves(&chain, now), Some(0), "what it said stands");
            assert_eq!(chain.wakeup(now), Some(now + pause * SECOND));
            now += pause * SECOND;
            assert_eq!(asked(&mut chain, now), [0]);
            chain.answered(0, answer("a", 86_400), now);
        }
        // One that lived for a while begins from the first pause.
        now += 3 * LONGEST_PAUSE;
        chain.lost(0, now);
        assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
    }

    #[test]
    fn failures_are_spaced() {
        let mut now = Instant::now();
        let mut chain = RtcChain::new(1, now);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert_eq!(asked(&mut chain, now), [0]);
            chain.failed(0, now);
            assert_eq!(chain.wakeup(now), Some(now + pause * SECOND));
            now += pause * SECOND;
        }
        // A lifetime of next to nothing asks for no storm.
        assert_eq!(asked(&mut chain, now), [0]);
        chain.answered(0, answer("a", 1), now);
        assert_eq!(chain.wakeup(now), Some(now + LEAST_PAUSE));
    }

    #[test]
    fn connected_clients_hear_of_what_matters_to_them() {
        let now = Instant::now();
        let mut chain = RtcChain::new(2, now);
        chain.next(now);
        chain.failed(0, now);
        chain.next(now);
        chain.answered(1, answer("b", 600), now);
        assert!(chain.publish(now).is_some());
        assert_eq!(chain.publish(now), None);
        // Fresh credentials every minute, but told only past half of the life.
        for minute in 1..=4 {
            chain.answered(1, answer("b", 600), now + minute * MINUTE);
            assert_eq!(chain.publish(now + minute * MINUTE), None);
        }
        chain.answered(1, answer("b", 600), now + 5 * MINUTE);
        assert!(chain.publish(now + 5 * MINUTE).is_some());
        // Another server, and another source, at once.
        chain.answered(1, answer("c", 600), now + 6 * MINUTE);
        assert!(chain.publish(now + 6 * MINUTE).is_some());
        chain.answered(0, answer("c", 600), now + 6 * MINUTE);
        assert!(chain.publish(now + 6 * MINUTE).is_some());
    }
}
