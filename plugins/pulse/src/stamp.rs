//! When samples were captured: a clock that follows what the server says of its delay, which jumps about.

/// Later than expected by more than this: there was a pause.
const TRUSTED_NS: u64 = 50_000_000;
/// The part of a difference that is followed at each measurement.
const SHARE: u64 = 16;

/// The time of the newest sample that was received.
#[derive(Debug)]
pub(crate) struct Stamp {
    rate: u32,
    /// Nanoseconds; `None` before the first measurement.
    end_ns: Option<u64>,
}

impl Stamp {
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate, end_ns: None }
    }

    /// So many samples of a channel came, the newest of which was captured at `measured_ns`. Answers when it was. Time never goes
    /// back, and runs at half its pace at least.
    pub(crate) fn received(&mut self, frames: usize, measured_ns: u64) -> u64 {
        let long = self.nanos(frames);
        let end = match self.end_ns.map(|end| end.saturating_add(long)) {
            None => measured_ns,
            Some(expected) if measured_ns > expected.saturating_add(TRUSTED_NS) => measured_ns,
            Some(expected) if measured_ns > expected => {
                expected.saturating_add((measured_ns - expected) / SHARE)
            }
            Some(expected) => expected - ((expected - measured_ns) / SHARE).min(long / 2),
        };
        self.end_ns = Some(end);
        end
    }

    /// How long so many samples of a channel are, nanoseconds.
    pub(crate) fn nanos(&self, frames: usize) -> u64 {
        frames as u64 * 1_000_000_000 / u64::from(self.rate.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn jitter_is_smoothed_and_drift_followed() {
        let mut stamp = Stamp::new(48_000);
        assert_eq!(stamp.received(480, 1000 * MS), 1000 * MS);
        // Measured 8 ms late: half a millisecond of it counts.
        assert_eq!(stamp.received(480, 1018 * MS), 1010 * MS + MS / 2);
        let mut end = 0;
        for block in 0..1000 {
            // A clock that is a thousandth slow, with 4 ms of jitter.
            let jitter = if block % 2 == 0 { 4 * MS } else { 0 };
            end = stamp.received(480, 1020 * MS + block * 10_010_000 + jitter);
        }
        let truth = 1020 * MS + 999 * 10_010_000 + 2 * MS;
        assert!(end.abs_diff(truth) < 3 * MS, "{end} is not {truth}");
    }

    #[test]
    fn a_pause_is_jumped_over() {
        let mut stamp = Stamp::new(48_000);
        stamp.received(480, 1000 * MS);
        assert_eq!(stamp.received(480, 5000 * MS), 5000 * MS);
        // What was said before was wrong: it is approached, without going back.
        let mut last = 5000 * MS;
        for block in 0..400 {
            let end = stamp.received(480, 4000 * MS + block * 10 * MS);
            assert!(end >= last + 5 * MS);
            last = end;
        }
        assert!(last.abs_diff(7990 * MS) < MS, "{last}");
    }
}
