//! How long to wait before the next try.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(30);
/// What held so long did not fail at once.
const HELD: Duration = Duration::from_secs(30);

/// Pauses that double, and begin anew after what held for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { pause: FIRST }
    }

    /// The pause before the next try of what began at `began`, if it did, and has ended now. `chance` from 0 to 255 spreads the
    /// tries of many: a quarter of the pause at most is left out.
    pub(crate) fn next(&mut self, began: Option<Instant>, now: Instant, chance: u8) -> Duration {
        if began.is_some_and(|began| now.saturating_duration_since(began) >= HELD) {
            self.pause = FIRST;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause - pause * u32::from(chance) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_begin_anew() {
        let start = Instant::now();
        let mut backoff = Backoff::new();
        let seconds: Vec<u64> = (0..7).map(|_| backoff.next(None, start, 0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(
            backoff.next(Some(start), start + Duration::from_secs(29), 0).as_secs(),
            30,
            "it failed soon"
        );
        assert_eq!(backoff.next(Some(start), start + Duration::from_secs(31), 0).as_secs(), 1);
        let least = backoff.next(None, start, 255);
        assert!(least >= Duration::from_millis(1500) && least < Duration::from_secs(2), "{least:?}");
    }
}
