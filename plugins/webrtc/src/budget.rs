//! How much a client may ask for. Both bounds are far above what browsers ask for on a bad path.

/// Bytes of retransmissions beyond as many as the stream has; a large frame of which half was lost fits.
const AHEAD: u64 = 256 * 1024;

/// Retransmissions: in the long run no more than the stream itself, so that a client cannot have this machine send without end.
#[derive(Debug)]
pub(crate) struct Retransmissions {
    left: u64,
}

impl Default for Retransmissions {
    fn default() -> Self {
        Self { left: AHEAD }
    }
}

impl Retransmissions {
    /// So many bytes of the stream left for the first time.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.left = self.left.saturating_add(bytes).min(AHEAD);
    }

    /// A packet is asked for. True when it may be sent again.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let is_there = bytes <= self.left;
        if is_there {
            self.left -= bytes;
        }
        is_there
    }
}

/// Time over which the work of reports is counted, nanoseconds.
const WINDOW_NS: u64 = 100_000_000;
/// Work that is done in that time. Browsers report every 50 ms and ask for what is lost every few: some 50.
const WORK: u32 = 2000;

/// Work that the client's reports make.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    began_ns: u64,
    work: u32,
}

impl Reports {
    /// A datagram of reports comes that makes so much work; true when it is looked at.
    pub(crate) fn take(&mut self, work: u32, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.began_ns) >= WINDOW_NS {
            (self.began_ns, self.work) = (now_ns, 0);
        }
        self.work = self.work.saturating_add(work);
        self.work <= WORK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_sent_again_as_was_sent_at_all() {
        let mut budget = Retransmissions::default();
        let storm =
            |budget: &mut Retransmissions| (0..10_000).filter(|_| budget.take(1200)).count() as u64 * 1200;
        let first = storm(&mut budget);
        assert!((AHEAD - 1200..=AHEAD).contains(&first), "{first}");
        budget.sent(100_000);
        let second = storm(&mut budget);
        assert!((98_000..=102_000).contains(&second), "{second}");
        budget.sent(u64::MAX);
        assert!(storm(&mut budget) <= AHEAD);
    }

    #[test]
    fn a_flood_of_reports_is_looked_at_in_part_and_what_follows_it_again() {
        let mut reports = Reports::default();
        let taken = (0..1_000_000_u64).filter(|i| reports.take(10, i * 1000)).count();
        assert_eq!(taken, 2000, "1 s has 10 windows of 200 such reports");
        assert!(reports.take(10, 2_000_000_000));
    }
}
