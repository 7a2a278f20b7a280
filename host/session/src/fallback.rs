//! Which of several plugins goes on after a fault, and how long to wait before one is started again.
//!
//! Sans-IO: time is an argument. The caller makes instances and reports what they did; [`Fallback`] answers in which
//! order to try them, [`BackOff`] when.

use std::time::{Duration, Instant};

/// How long a fault counts.
pub const FAULT_MEMORY: Duration = Duration::from_secs(600);
/// How long an encoder rests after its first fault; each further fault within [`FAULT_MEMORY`] doubles it.
pub const FIRST_REST: Duration = Duration::from_secs(30);
/// Frames in a row that an encoder may refuse before that counts as a fault.
pub const PASSING_LIMIT: u32 = 3;

/// Faults of one candidate that are remembered; more do not lengthen its rest.
const REMEMBERED: usize = 8;

/// What an encoder's failure means for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// One frame was not encoded, the instance lives.
    Passing,
    /// The instance is of no use any more: a crash, a hang, a broken contract, a fatal class.
    Broken,
}

/// Candidates for one task, in the configured order.
#[derive(Clone, Debug)]
pub struct Fallback {
    records: Vec<Record>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    /// The newest faults, oldest first.
    faults: Vec<Instant>,
    rests_until: Option<Instant>,
    /// Failures in a row without a frame between them.
    passing: u32,
}

impl Fallback {
    /// `count` candidates without a fault.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { records: vec![Record::default(); count] }
    }

    /// Notes a failure of candidate `which`. Answers true when another one should go on; false when the same instance
    /// may be asked again.
    pub fn fault(&mut self, which: usize, severity: Severity, now: Instant) -> bool {
        let Some(record) = self.records.get_mut(which) else { return true };
        match severity {
            Severity::Passing => {
                record.passing += 1;
                if record.passing < PASSING_LIMIT {
                    return false;
                }
            }
            Severity::Broken => {}
        }
        record.passing = 0;
        record.faults.retain(|at| now.saturating_duration_since(*at) < FAULT_MEMORY);
        if record.faults.len() < REMEMBERED {
            record.faults.push(now);
        }
        let doublings = u32::try_from(record.faults.len() - 1).unwrap_or(0);
        record.rests_until = Some(now + FIRST_REST * 2u32.pow(doublings));
        true
    }

    /// Notes that candidate `which` did its work.
    pub fn worked(&mut self, which: usize) {
        if let Some(record) = self.records.get_mut(which) {
            record.passing = 0;
        }
    }

    /// Forgets the faults of candidate `which`: it was replaced, or the operator cleared it.
    pub fn forgive(&mut self, which: usize) {
        if let Some(record) = self.records.get_mut(which) {
            *record = Record::default();
        }
    }

    /// True while candidate `which` rests after a fault.
    #[must_use]
    pub fn rests(&self, which: usize, now: Instant) -> bool {
        self.records.get(which).and_then(|record| record.rests_until).is_some_and(|until| until > now)
    }

    /// The candidates that may be tried, best first: those that are `preferred`, then the configured order; those that
    /// rest after a fault come last, the one that rested longest first among them.
    #[must_use]
    pub fn order(&self, preferred: impl Fn(usize) -> bool, now: Instant) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        order.sort_by_key(|&which| {
            let rests = self.records[which].rests_until.filter(|until| *until > now);
            (rests, !preferred(which), which)
        });
        order
    }
}

/// Pauses between attempts to start something again: each is twice as long as the one before, up to a limit.
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl BackOff {
    /// Pauses from `first` up to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The pause after another failed attempt.
    pub fn failed(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// It works: the next pause is the first again.
    pub fn worked(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn any(_: usize) -> bool {
        false
    }

    #[test]
    fn the_wish_comes_first_then_the_configured_order() {
        let (fallback, now) = (Fallback::new(3), Instant::now());
        assert_eq!(fallback.order(any, now), [0, 1, 2]);
        assert_eq!(fallback.order(|which| which == 2, now), [2, 0, 1]);
    }

    #[test]
    fn the_next_goes_on_and_the_faulty_one_rests() {
        let (mut fallback, now) = (Fallback::new(3), Instant::now());
        assert!(fallback.fault(0, Severity::Broken, now));
        assert_eq!(fallback.order(|which| which == 0, now), [1, 2, 0]);
        assert!(fallback.rests(0, now) && !fallback.rests(1, now) && !fallback.rests(0, now + FIRST_REST));
        assert!(fallback.fault(1, Severity::Broken, now + SECOND));
        // Where all but one rest, the one that rested longest is the better second choice.
        assert_eq!(fallback.order(any, now + SECOND), [2, 0, 1]);
        assert_eq!(fallback.order(any, now + FIRST_REST), [0, 2, 1]);
        assert_eq!(fallback.order(|which| which == 0, now + FIRST_REST + SECOND), [0, 1, 2]);
    }

    #[test]
    fn rests_grow_with_the_faults_of_ten_minutes() {
        let (mut fallback, start) = (Fallback::new(2), Instant::now());
        fallback.fault(0, Severity::Broken, start);
        fallback.fault(0, Severity::Broken, start);
        assert_eq!(fallback.order(any, start + FIRST_REST * 2 - SECOND), [1, 0]);
        assert_eq!(fallback.order(any, start + FIRST_REST * 2), [0, 1]);
        let later = start + FAULT_MEMORY;
        fallback.fault(0, Severity::Broken, later);
        assert_eq!(fallback.order(any, later + FIRST_REST), [0, 1]);
        for _ in 0..1000 {
            fallback.fault(0, Severity::Broken, later);
        }
        assert_eq!(fallback.order(any, later + SECOND), [1, 0]);
    }

    #[test]
    fn a_hiccup_is_forgiven_but_not_on_and_on() {
        let (mut fallback, now) = (Fallback::new(2), Instant::now());
        for _ in 0..3 {
            for _ in 1..PASSING_LIMIT {
                assert!(!fallback.fault(0, Severity::Passing, now));
            }
            fallback.worked(0);
        }
        assert_eq!(fallback.order(any, now), [0, 1]);
        for _ in 1..PASSING_LIMIT {
            assert!(!fallback.fault(0, Severity::Passing, now));
        }
        assert!(fallback.fault(0, Severity::Passing, now));
        assert_eq!(fallback.order(any, now), [1, 0]);
    }

    #[test]
    fn what_was_forgiven_is_as_new() {
        let (mut fallback, now) = (Fallback::new(2), Instant::now());
        fallback.fault(0, Severity::Broken, now);
        assert_eq!(fallback.order(any, now), [1, 0]);
        fallback.forgive(0);
        assert_eq!(fallback.order(any, now), [0, 1]);
        assert!(fallback.fault(7, Severity::Broken, now), "an unknown one is never asked again");
    }

    #[test]
    fn pauses_double_up_to_the_limit() {
        let mut pauses = BackOff::new(SECOND, SECOND * 3);
        assert_eq!([pauses.failed(), pauses.failed(), pauses.failed()], [SECOND, SECOND * 2, SECOND * 3]);
        pauses.worked();
        assert_eq!(pauses.failed(), SECOND);
    }
}
