//! From luma and colour differences back to B, G, R.

use crate::picture::Picture;

/// The weights of red and blue in luma (H.273, MatrixCoefficients).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix {
    red: f32,
    blue: f32,
}

/// BT.601, code points 5 and 6.
pub(super) const BT601: Matrix = Matrix { red: 0.299, blue: 0.114 };
/// BT.709, code point 1.
pub(super) const BT709: Matrix = Matrix { red: 0.2126, blue: 0.0722 };
/// BT.2020 with constant weights, code point 9.
pub(super) const BT2020: Matrix = Matrix { red: 0.2627, blue: 0.0593 };

/// What a stream says about its colours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Colour {
    /// Those that the samples may be meant in; several when the stream does not say, as pages then guess as well.
    pub(super) matrices: Vec<Matrix>,
    /// Samples use 0 to 255 and not 16 to 235.
    pub(super) full_range: bool,
}

impl Colour {
    /// Of a stream that says nothing.
    pub(super) fn unsaid() -> Self {
        Self { matrices: vec![BT709, BT601], full_range: false }
    }
}

/// A decoded picture with one sample of colour for two by two of luma.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Luma, then the difference to blue and to red.
    pub(super) samples: [&'a [u8]; 3],
    /// Bytes from one row to the next.
    pub(super) strides: [usize; 3],
}

impl Planes<'_> {
    /// The picture in each of the stream's matrices.
    pub(super) fn pictures(&self, colour: &Colour) -> Vec<Picture> {
        colour.matrices.iter().map(|matrix| self.picture(*matrix, colour.full_range)).collect()
    }

    fn picture(&self, matrix: Matrix, full_range: bool) -> Picture {
        let (offset, luma, chroma) =
            if full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        let green = 1.0 - matrix.red - matrix.blue;
        let (to_red, to_blue) = (2.0 * (1.0 - matrix.red) * chroma, 2.0 * (1.0 - matrix.blue) * chroma);
        let (less_red, less_blue) = (to_red * matrix.red / green, to_blue * matrix.blue / green);
        let mut pixels = Vec::with_capacity(self.width * self.height * 4);
        for row in 0..self.height {
            for column in 0..self.width {
                let y = (self.sample(0, column, row) - offset) * luma;
                let (cb, cr) = (
                    self.sample(1, column / 2, row / 2) - 128.0,
                    self.sample(2, column / 2, row / 2) - 128.0,
                );
                let colours = [y + to_blue * cb, y - less_blue * cb - less_red * cr, y + to_red * cr];
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
                pixels.extend(colours.map(|value| (value + 0.5).clamp(0.0, 255.0) as u8));
                pixels.push(255);
            }
        }
        let edge = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Picture { width: edge(self.width), height: edge(self.height), pixels }
    }

    /// 0 outside of the plane, which a decoder's promise about its memory excludes.
    fn sample(&self, plane: usize, column: usize, row: usize) -> f32 {
        f32::from(self.samples[plane].get(row * self.strides[plane] + column).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_come_back() {
        // BT.709 in limited range: red is 63, 102, 240 and white 235, 128, 128 (BT.709-6, 3.5).
        for (yuv, matrix, full_range, wanted) in [
            ([63, 102, 240], BT709, false, [0, 0, 255]),
            ([235, 128, 128], BT709, false, [255, 255, 255]),
            ([16, 128, 128], BT601, false, [0, 0, 0]),
            ([81, 90, 240], BT601, false, [0, 0, 255]),
            ([76, 85, 255], BT601, true, [0, 0, 255]),
        ] {
            let [y, cb, cr] = yuv.map(|value: u8| vec![value; 4]);
            let planes =
                Planes { width: 2, height: 2, samples: [&y, &cb[..1], &cr[..1]], strides: [2, 1, 1] };
            let picture = planes.picture(matrix, full_range);
            for (found, wanted) in picture.pixels.iter().zip(wanted) {
                assert!(found.abs_diff(wanted) <= 2, "{yuv:?} became {:?}", &picture.pixels[..3]);
            }
        }
    }
}
