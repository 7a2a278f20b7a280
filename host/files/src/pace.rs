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

/// Whether whoever sends a file is quick enough to keep its place among those who may. Time is an argument.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    spent: Duration,
    bytes: usize,
}

impl Patience {
    /// How long may be waited for [`Self::LEAST`] bytes.
    pub const WINDOW: Duration = Duration::from_secs(60);
    /// Bytes that are to come within [`Self::WINDOW`], but for a file's last ones.
    pub const LEAST: usize = 64 * 1024;

    /// How long may be waited for the next bytes.
    #[must_use]
    pub fn left(&self) -> Duration {
        Self::WINDOW.saturating_sub(self.spent)
    }

    /// Bytes came that were waited for so long. False when the sender is too slow.
    #[must_use]
    pub fn came(&mut self, waited: Duration, bytes: usize) -> bool {
        self.spent += waited;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= Self::LEAST {
            *self = Self::default();
        }
        self.spent < Self::WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_a_byte_now_and_then_loses_its_place() {
        let (second, mut slow) = (Duration::from_secs(1), Patience::default());
        assert_eq!(slow.left(), Patience::WINDOW);
        for n in 1..60 {
            assert!(slow.came(second, 1), "after {n} s");
        }
        assert_eq!(slow.left(), second);
        assert!(!slow.came(second, 1));
        let mut steady = Patience::default();
        for _ in 0..600 {
            assert!(steady.came(second, 2 * Patience::LEAST / 60));
        }
    }

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
