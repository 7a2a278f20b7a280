//! The end of a movement. A client sees that packets are missing by those that follow; behind the last frame of a movement
//! nothing follows, so that its loss would leave an old picture for as long as nothing moves. Times are in nanoseconds.

/// How long a report may take beyond the round trip.
const PATIENCE_NS: u64 = 300_000_000;
/// Requests for one picture at rest; each waits twice as long as the one before.
const MOST: u32 = 6;

/// What was asked for the newest frame of one stream.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    asked: u32,
    asked_ns: u64,
}

impl Tail {
    /// `left_ns` is when the newest frame left, of which something did not arrive; `None` when all of it did. True when
    /// a key frame is to be asked for.
    pub(crate) fn look(&mut self, left_ns: Option<u64>, rtt_ns: u64, now_ns: u64) -> bool {
        let Some(left_ns) = left_ns else {
            self.asked = 0;
            return false;
        };
        let patience = (PATIENCE_NS + 2 * rtt_ns) << self.asked;
        let is_due = self.asked < MOST && now_ns.saturating_sub(left_ns.max(self.asked_ns)) > patience;
        if is_due {
            self.asked += 1;
            self.asked_ns = now_ns;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// When a key frame is asked for, if the frame left at 0 and so did every answer to a request.
    fn asked(arrives: bool) -> Vec<u64> {
        let (mut tail, mut left, mut asked) = (Tail::default(), 0, Vec::new());
        for now in (0..60_000).step_by(100) {
            let is_there = arrives && !asked.is_empty();
            if tail.look((!is_there).then_some(left), 20 * MS, now * MS) {
                asked.push(now);
                left = now * MS;
            }
        }
        asked
    }

    #[test]
    fn what_is_lost_at_the_end_is_asked_for_until_it_is_there_but_not_for_ever() {
        assert_eq!(asked(true), [400]);
        let asked = asked(false);
        assert_eq!(asked.len(), 6, "{asked:?}");
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 400), "{asked:?}");
    }

    #[test]
    fn while_frames_follow_nothing_is_asked_for() {
        let mut tail = Tail::default();
        assert!(!(0..100).any(|frame| tail.look(Some(frame * 50 * MS), 20 * MS, frame * 50 * MS + 40 * MS)));
    }
}
