//! Requests for a picture that does not move. Times are in nanoseconds.
//!
//! Chromium misses frames where none are made: it asks 3 s after the last, and again 3 s after the answer, as long as there is
//! one. But it may also be right, so that the first request is granted, and the next ones less and less often.

/// The pause after a request that was granted: the first, and the longest.
const PAUSE_NS: (u64, u64) = (3_000_000_000, 60_000_000_000);

/// What was granted at rest, of one stream.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    granted_ns: Option<u64>,
    pause_ns: u64,
}

impl Rest {
    /// The client asks for a key frame while nothing moves, and it seems to have all. True when it gets one.
    pub(crate) fn ask(&mut self, now_ns: u64) -> bool {
        let since = self.granted_ns.map(|granted| now_ns.saturating_sub(granted));
        if since.is_some_and(|since| since < self.pause_ns) {
            return false;
        }
        // Long after, it is another picture.
        let goes_on = since.is_some_and(|since| since < 2 * self.pause_ns);
        self.pause_ns = if goes_on { (2 * self.pause_ns).min(PAUSE_NS.1) } else { PAUSE_NS.0 };
        self.granted_ns = Some(now_ns);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When requests are granted, of one every so many milliseconds.
    fn granted(every_ms: u64, until_s: u64) -> Vec<u64> {
        let mut rest = Rest::default();
        (0..until_s * 1000 / every_ms).map(|i| i * every_ms).filter(|ms| rest.ask(ms * 1_000_000)).collect()
    }

    #[test]
    fn the_first_is_granted_and_then_fewer_and_fewer() {
        assert_eq!(granted(1000, 240), [0, 3000, 9000, 21_000, 45_000, 93_000, 153_000, 213_000]);
        assert_eq!(granted(1, 4), [0, 3000]);
    }

    #[test]
    fn who_asks_seldom_is_granted_all() {
        assert_eq!(granted(10_000, 40).len(), 4);
        let mut rest = Rest::default();
        assert!(rest.ask(0) && rest.ask(3_100_000_000) && !rest.ask(6_200_000_000));
    }
}
