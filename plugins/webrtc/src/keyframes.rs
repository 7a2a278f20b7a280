//! Key frames that a client asks for, coalesced: each costs everybody who watches.

use std::time::{Duration, Instant};

/// Least time between two requests that the host hears of.
const APART: Duration = Duration::from_millis(200);

/// When the host was last asked, for one stream of one client. The caller holds the clock.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    last: Option<Instant>,
    /// The client asked.
    waiting: bool,
    /// A frame was left out that later ones build on.
    owed: bool,
}

impl Coalescer {
    /// A client asks; true when the host is to be asked now.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        self.waiting = true;
        self.due(now)
    }

    /// A frame was not sent, and the client cannot do without it.
    pub(crate) fn owe(&mut self) {
        self.owed = true;
    }

    /// A frame went out that the client can decode, so that it can decode those that follow.
    pub(crate) fn goes_on(&mut self) {
        self.owed = false;
    }

    /// Whether a request that had to wait is due.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let free = self.last.is_none_or(|last| now.saturating_duration_since(last) >= APART);
        let due = (self.waiting || self.owed) && free;
        if due {
            self.last = Some(now);
            self.waiting = false;
        }
        due
    }

    /// A key frame went out: whoever waited has it.
    pub(crate) fn served(&mut self) {
        (self.waiting, self.owed) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_five_a_second() {
        let (mut coalescer, begin) = (Coalescer::default(), Instant::now());
        let asked = (0..10_000_u64).filter(|i| coalescer.ask(begin + Duration::from_micros(i * 100))).count();
        assert_eq!(asked, 5);
    }

    #[test]
    fn a_request_that_came_too_early_is_made_later_unless_a_key_frame_came() {
        let (mut coalescer, begin) = (Coalescer::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        assert!(coalescer.ask(at(0)));
        assert!(!coalescer.ask(at(50)));
        assert!(!coalescer.due(at(150)) && coalescer.due(at(250)) && !coalescer.due(at(900)));
        assert!(coalescer.ask(at(1000)) && !coalescer.ask(at(1050)));
        coalescer.served();
        assert!(!coalescer.due(at(1300)));
    }

    #[test]
    fn a_frame_that_was_left_out_is_asked_for_until_the_picture_goes_on() {
        let (mut coalescer, begin) = (Coalescer::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        assert!(!coalescer.due(at(0)));
        coalescer.owe();
        assert!(coalescer.due(at(10)) && !coalescer.due(at(100)) && coalescer.due(at(300)));
        coalescer.goes_on();
        assert!(!coalescer.due(at(900)));
        // What the client asks for itself is not served by that.
        assert!(coalescer.ask(at(1000)) && !coalescer.ask(at(1100)));
        coalescer.goes_on();
        assert!(coalescer.due(at(1300)));
    }
}
