//! How fast transfers may be.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes may come early by what the rate has for this time.
const BURST: Duration = Duration::from_millis(100);

/// One allowance for all transfers together. Time is an argument.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: f64,
    /// When all that was taken so far is paid for.
    paid: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of so many megabits per second; 0 for any.
    #[must_use]
    pub fn of_mbps(mbps: u32) -> Self {
        Self { bytes_per_second: f64::from(mbps) * 125_000.0, paid: Mutex::default() }
    }

    /// Takes some bytes from the allowance; answers how long to wait before the next.
    #[must_use]
    pub fn take(&self, now: Instant, bytes: usize) -> Duration {
        if self.bytes_per_second <= 0.0 {
            return Duration::ZERO;
        }
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid.map_or(now, |paid| paid.max(now));
        let until = from + cost;
        *paid = Some(until);
        until.saturating_duration_since(now).saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_keep_the_rate() {
        let pace = Pace::of_mbps(8);
        let start = Instant::now();
        let mut now = start;
        for _ in 0..40 {
            // Two transfers of a tenth of a megabyte each.
            let first = pace.take(now, 100_000);
            let second = pace.take(now, 100_000);
            assert!(second > first);
            now += second;
        }
        // 8 MB at 1 MB/s, but for the burst.
        let took = now.duration_since(start).as_secs_f64();
        assert!((7.8..=8.0).contains(&took), "{took}");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let pace = Pace::of_mbps(0);
        assert_eq!(pace.take(Instant::now(), usize::MAX), Duration::ZERO);
    }
}
