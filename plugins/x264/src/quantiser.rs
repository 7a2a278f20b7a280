//! Which quantiser a picture of constant quality gets.

/// Bits per macroblock from which content counts as busy: 47 Mbit/s at 1080p60.
const BUSY: f32 = 96.0;
/// How the quantiser grows with the content's complexity, per doubling: what libx264 does at its default `qcomp` of 0.6.
const SLOPE: f32 = 2.4;
/// Coarsest beyond the quality asked for.
const MOST: f32 = 6.0;
/// What moves all over is at least this much coarser: libx264's default does the same to a film.
const MOVING: u32 = 3;
/// Key frames are this much finer: everything after them is predicted from them.
const KEY: u32 = 3;

/// Recent pictures of a stream. Content that changes a lot in every picture is quantised more coarsely, since nobody
/// sees its details and they cost most; no content is finer than the quality asked for, because macroblocks that did not
/// change would be coded again whenever the quantiser falls.
#[derive(Debug, Default)]
pub(crate) struct Quantiser {
    /// Bits that a macroblock would have taken at the quality asked for, of the newest pictures, each half as heavy as
    /// the next.
    complexity: f32,
}

impl Quantiser {
    /// The quantiser of the next picture of quality `crf`, 1 to 51. `moving`: everything has been moving for a while.
    pub(crate) fn next(&self, crf: u32, key: bool, moving: bool) -> u32 {
        let coarser = (SLOPE * (self.complexity / BUSY).max(1.0).log2()).min(MOST).round() as u32;
        let coarser = coarser.max(if moving { MOVING } else { 0 });
        (crf + coarser).saturating_sub(if key { KEY } else { 0 }).clamp(1, 51)
    }

    /// Notes a picture of `blocks` macroblocks that is no key frame.
    pub(crate) fn note(&mut self, bytes: usize, blocks: u32, crf: u32, qp: u32) {
        // Six steps of the quantiser halve the bits, roughly.
        let finer = ((qp as f32 - crf as f32) / 6.0).exp2();
        let bits = bytes as f32 * 8.0 / blocks.max(1) as f32;
        self.complexity = (self.complexity + bits * finer) / 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_busy_content_is_coarser_and_only_while_it_is() {
        let mut quantiser = Quantiser::default();
        assert_eq!(
            (
                quantiser.next(25, false, false),
                quantiser.next(25, true, false),
                quantiser.next(1, true, false)
            ),
            (25, 22, 1)
        );
        for _ in 0..20 {
            quantiser.note(8000 * 10, 8000, 25, quantiser.next(25, false, false));
        }
        assert_eq!(quantiser.next(25, false, false), 25, "80 bits are not busy");
        let mut before = 25;
        for _ in 0..20 {
            // Bits as they fall with the quantiser: 384 at 25.
            let qp = quantiser.next(25, false, false);
            assert!(qp >= before, "it settles without swinging");
            before = qp;
            quantiser.note((8000.0 * 48.0 * ((25.0 - qp as f32) / 6.0).exp2()) as usize, 8000, 25, qp);
        }
        assert_eq!(before, 30);
        assert_eq!((quantiser.next(25, false, true), Quantiser::default().next(25, false, true)), (30, 28));
        quantiser.note(8000 * 10_000, 8000, 25, 25);
        assert_eq!((quantiser.next(25, false, false), quantiser.next(50, false, false)), (31, 51));
        for _ in 0..12 {
            quantiser.note(100, 8000, 25, quantiser.next(25, false, false));
        }
        assert_eq!(quantiser.next(25, false, false), 25);
    }
}
