//! Content at rest where an encoder keeps a bit rate and refines nothing by itself: what was sent in motion had the bits of
//! one frame, and is coded again until that changes nothing any more.

use std::time::Duration;

/// How long content must rest.
const REST: Duration = Duration::from_millis(250);
/// Time between two pictures at least: more often, who watches over a slow path or with a slow page would miss most of them.
const APART: Duration = Duration::from_millis(33);
/// Bytes that pictures of one content may take together, per block of 16 by 16 pixels: as many as it has before it is coded.
const MOST: u64 = 384;
/// So many pictures in a row with next to nothing in them say that it is as good as it gets. One says nothing: after motion
/// that left no bits, encoders leave everything as it is for some pictures, however coarse that is.
const CALM: u32 = 12;

/// What a picture may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Blocks of 16 by 16 pixels.
    pub(crate) blocks: u64,
    /// The bit rate.
    pub(crate) kbps: u32,
    /// The frame rate's time between two pictures.
    pub(crate) period: Duration,
}

impl Allowance {
    /// Whether so many bytes are next to nothing. Where the rate is low, little is all that there may be.
    fn is_little(&self, bytes: u64) -> bool {
        let bits = (f64::from(self.kbps) * 1000.0 * self.period.as_secs_f64()) as u64;
        bytes * 8 <= self.blocks.min(bits / 4)
    }
}

/// What is left to be done for the content at rest.
#[derive(Debug, Default)]
pub(crate) struct Polish {
    left: u64,
    calm: u32,
}

impl Polish {
    /// Something changed in a picture of so many blocks; answers after how long that is coded again.
    pub(crate) fn begin(&mut self, blocks: u64) -> Duration {
        (self.left, self.calm) = (blocks * MOST, 0);
        REST
    }

    /// It was coded again in so many bytes; answers after how long it is once more, if it is.
    pub(crate) fn next(&mut self, bytes: u64, allowance: &Allowance) -> Option<Duration> {
        self.left = self.left.saturating_sub(bytes);
        self.calm = if allowance.is_little(bytes) { self.calm + 1 } else { 0 };
        (self.calm < CALM && self.left > 0).then_some(allowance.period.max(APART))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(kbps: u32) -> Allowance {
        Allowance { blocks: 3600, kbps, period: Duration::from_millis(16) }
    }

    #[test]
    fn content_is_coded_until_nothing_is_left_to_do_or_it_took_enough() {
        let (mut polish, allowed) = (Polish::default(), allowance(8000));
        assert_eq!(polish.next(5000, &allowed), None, "nothing was begun");
        assert_eq!(polish.begin(3600), REST);
        // Pictures that wait for bits are no end.
        for bytes in [[16_000; 3], [40; 3], [12_000; 3], [40; 3]].into_iter().flatten() {
            assert_eq!(polish.next(bytes, &allowed), Some(APART));
        }
        let times = (0..1000).take_while(|_| polish.next(450, &allowed).is_some()).count();
        assert_eq!(times, 8, "three were before");
        polish.begin(3600);
        let times = (0..1000).take_while(|_| polish.next(16_000, &allowed).is_some()).count();
        assert_eq!(times, 3600 * 384 / 16_000);
    }

    #[test]
    fn little_is_much_where_the_rate_is_low() {
        let (mut polish, allowed) = (Polish::default(), allowance(150));
        polish.begin(3600);
        assert!((0..1000).all(|_| polish.next(290, &allowed) == Some(APART)));
        let times = (0..1000).take_while(|_| polish.next(40, &allowed).is_some()).count();
        assert_eq!(times, 11);
    }

    #[test]
    fn a_low_frame_rate_is_kept() {
        let mut polish = Polish::default();
        polish.begin(3600);
        let allowed = Allowance { period: Duration::from_millis(200), ..allowance(8000) };
        assert_eq!(polish.next(16_000, &allowed), Some(allowed.period));
    }
}
