//! How many messages a socket may send: a bucket that fills with time.

use std::time::{Duration, Instant};

/// Messages at once: a page's candidates come in one burst.
const BURST: u32 = 300;
/// Time in which one more is allowed.
const REFILL: Duration = Duration::from_millis(33);

#[derive(Debug, Clone)]
pub(super) struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one; false when there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.since).as_millis() / REFILL.as_millis();
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(BURST).min(BURST);
            self.left = self.left.saturating_add(gained).min(BURST);
            self.since = if self.left == BURST { now } else { self.since + REFILL * gained };
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert!((0..BURST).all(|_| allowance.take(start)));
        assert!(!allowance.take(start));
        assert!(allowance.take(start + REFILL));
        assert!(!allowance.take(start + REFILL));
        let passed = (0..10_000).filter(|&ms| allowance.take(start + Duration::from_millis(ms))).count();
        assert!((290..=310).contains(&passed), "{passed} of 10000 in ten seconds");
    }
}
