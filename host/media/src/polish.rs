//! Content at rest where an encoder keeps a bit rate and refines nothing by itself: what was sent in motion had the bits of
//! one frame, and is coded again until it looks as good as it gets.

use std::time::Duration;

/// How long content must rest.
const REST: Duration = Duration::from_millis(250);
/// Bytes that pictures of one content may take together, per block of 16 by 16 pixels: nearly what a picture without loss
/// takes of text.
const MOST: u64 = 64;

/// What is left to be done for the content at rest.
#[derive(Debug, Default)]
pub(crate) struct Polish {
    left: u64,
}

impl Polish {
    /// Something changed in a picture of so many blocks; answers after how long that is coded again.
    pub(crate) fn begin(&mut self, blocks: u64) -> Duration {
        self.left = blocks * MOST;
        REST
    }

    /// It was coded again in so many bytes; answers after how long it is once more, at a frame every `period`. Next to no bytes
    /// say that it is as good as it gets.
    pub(crate) fn next(&mut self, bytes: u64, blocks: u64, period: Duration) -> Option<Duration> {
        self.left = self.left.saturating_sub(bytes);
        (bytes * 8 > blocks && self.left > 0).then_some(period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(16);

    #[test]
    fn content_is_coded_until_nothing_is_left_to_do_or_it_took_enough() {
        let mut polish = Polish::default();
        assert_eq!(polish.next(5000, 3600, PERIOD), None, "nothing was begun");
        assert_eq!(polish.begin(3600), REST);
        for bytes in [16_000, 12_000, 3000, 500] {
            assert_eq!(polish.next(bytes, 3600, PERIOD), Some(PERIOD));
        }
        assert_eq!(polish.next(450, 3600, PERIOD), None);
        polish.begin(3600);
        let times = (0..1000).take_while(|_| polish.next(16_000, 3600, PERIOD).is_some()).count();
        assert_eq!(times, 3600 * 64 / 16_000);
    }
}
