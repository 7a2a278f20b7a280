//! When frames may be taken: the frame rate. Nothing here reads a clock.

use std::time::{Duration, Instant};

/// By what part turns are closer than the frame rate says. Without that, a source of just this rate, whose clock is never
/// quite the host's, would be shown later and later, up to a whole period, and for ever after it was late once.
const ROOM: u32 = 32;

/// The turns of frames.
#[derive(Debug)]
pub(crate) struct Turns {
    next: Instant,
}

impl Turns {
    /// The first one is at once.
    pub(crate) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// When the next frame may be taken at the earliest.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// A frame is taken at `now`. The rate holds on average; after a pause two frames may follow each other at once. One
    /// ahead of its turn, the answer to input, takes nothing from what follows: it would be late.
    pub(crate) fn take(&mut self, now: Instant, framerate: u32) {
        if now < self.next {
            return;
        }
        let period = Duration::from_secs(1) / framerate.max(1);
        self.next = (self.next + period - period / ROOM).max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How late each picture of a source is taken that changes every `period` for 20 s, at 60 frames a second asked; those that
    /// are replaced before are not.
    fn waits(period: Duration) -> Vec<Duration> {
        let begin = Instant::now();
        let mut turns = Turns::new(begin);
        let mut waits = Vec::new();
        let mut change = begin;
        while change < begin + 20 * SECOND {
            let at = change.max(turns.next());
            // What changes meanwhile is in the same frame.
            while change + period <= at {
                change += period;
            }
            turns.take(at, 60);
            waits.push(at - change);
            change += period;
        }
        waits
    }

    #[test]
    fn a_source_of_the_rate_does_not_wait_whichever_clock_is_faster() {
        for period_us in [16_400, 16_660, 16_667, 16_680, 17_000, 33_000] {
            let waits = waits(Duration::from_micros(period_us));
            assert!(waits.iter().all(|wait| wait.is_zero()), "{period_us} us: {:?}", waits.iter().max());
            assert_eq!(waits.len() as u64, (20_000_000_u64).div_ceil(period_us));
        }
    }

    #[test]
    fn one_that_was_late_is_late_once() {
        let begin = Instant::now();
        let (mut turns, period) = (Turns::new(begin), SECOND / 60);
        for i in 0..600 {
            let change = begin + period * i;
            // The encoder was busy for long, once.
            let free = if i == 100 { change + period * 9 / 10 } else { change };
            let at = free.max(turns.next());
            turns.take(at, 60);
            assert!(i == 100 || at == change, "picture {i} waits for {:?}", at - change);
        }
    }

    #[test]
    fn the_rate_of_a_faster_source_is_kept() {
        for period_us in [8333, 4167, 1000] {
            let frames = waits(Duration::from_micros(period_us)).len();
            assert!((1200..=1245).contains(&frames), "{frames} frames in 20 s from one every {period_us} us");
        }
    }

    #[test]
    fn what_is_taken_ahead_of_its_turn_leaves_the_turns_alone() {
        let begin = Instant::now();
        let mut turns = Turns::new(begin);
        turns.take(begin, 60);
        turns.take(begin, 60);
        let next = turns.next();
        assert!(next > begin + SECOND / 70);
        turns.take(begin + SECOND / 100, 60);
        assert_eq!(turns.next(), next);
    }
}
