//! Spacing the packets of large frames: a key frame that leaves at once is more than a slow path's queue holds. Times are in
//! nanoseconds.

/// Bytes that leave at once, whatever the rate; most frames are smaller.
const BURST: u64 = 16 * 1024;
/// Longest wait of one frame, in all.
const MOST_NS: u64 = 400_000_000;

/// What may leave when: a bucket that fills at the rate of the path.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Bytes that left beyond what the rate has carried since.
    level: u64,
    at_ns: u64,
    /// How long the packets of this frame waited.
    waited_ns: u64,
}

impl Pace {
    /// A frame begins.
    pub(crate) fn begin(&mut self) {
        self.waited_ns = 0;
    }

    /// A packet is to leave; answers how long it has to wait. `rate` is in bit/s, `None` where nothing is known of the path.
    pub(crate) fn wait(&mut self, size: u64, rate: Option<f64>, now_ns: u64) -> u64 {
        let Some(rate) = rate.filter(|rate| *rate > 0.0) else {
            self.level = 0;
            return 0;
        };
        let carried = now_ns.saturating_sub(self.at_ns) as f64 * rate / 8e9;
        self.at_ns = now_ns;
        self.level = self.level.saturating_sub(carried as u64);
        let beyond = (self.level + size).saturating_sub(BURST);
        let wait = ((beyond as f64 * 8e9 / rate) as u64).min(MOST_NS - self.waited_ns);
        // What does not fit into the time of this frame is not made up for by the next.
        self.level = (self.level + size).min(BURST + (wait as f64 * rate / 8e9) as u64);
        self.waited_ns += wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a frame takes to leave, if each packet waits as it is told.
    fn duration_ms(bytes: u64, rate: Option<f64>) -> u64 {
        let (mut pace, mut now) = (Pace::default(), 1_000_000_000_u64);
        let begin = now;
        for _ in 0..bytes / 1200 {
            now += pace.wait(1200, rate, now);
        }
        (now - begin) / 1_000_000
    }

    #[test]
    fn a_small_frame_leaves_at_once_and_a_large_one_at_the_rate() {
        assert_eq!(duration_ms(12_000, Some(2e6)), 0);
        assert_eq!(duration_ms(150_000, None), 0);
        let large = duration_ms(116_000, Some(8e6));
        assert!((95..=105).contains(&large), "{large}");
    }

    #[test]
    fn what_is_too_large_for_the_path_holds_nothing_up_for_seconds() {
        let endless = duration_ms(300_000, Some(3e5));
        assert!((390..=400).contains(&endless), "{endless}");
        let (mut pace, now) = (Pace::default(), 1_000_000_000);
        for frame in 0..10 {
            pace.begin();
            let waited: u64 = (0..250).map(|_| pace.wait(1200, Some(3e5), now)).sum();
            assert!(waited <= MOST_NS, "{frame}: {waited}");
        }
        pace.begin();
        assert!(pace.wait(1200, Some(3e5), now + 500_000_000) <= 40_000_000, "a small frame follows soon");
    }
}
