//! From luma and colour differences back to B, G, R.

use selkies_plugin_abi as abi;

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

/// An area of a picture in which two by two pixels share their colour and each keeps its luma: the best that 4:2:0 can carry.
pub(crate) fn shared(picture: &Picture, area: abi::Rect) -> Picture {
    let [red_weight, blue_weight] = [BT709.red, BT709.blue];
    let green_weight = 1.0 - red_weight - blue_weight;
    let (width, height) = (area.width as usize, area.height as usize);
    let mut pixels = vec![255; width * height * 4];
    for top in (0..area.height).step_by(2) {
        let rows = [top, (top + 1).min(area.height - 1)];
        let rows = rows.map(|row| picture.row(area.x, area.y + row, area.width));
        for left in (0..width).step_by(2) {
            let columns = [left, (left + 1).min(width - 1)];
            let block = rows.map(|row| {
                columns.map(|column| {
                    let [b, g, r] = [0, 1, 2]
                        .map(|channel| f32::from(row.get(column * 4 + channel).copied().unwrap_or(0)));
                    (blue_weight * b + green_weight * g + red_weight * r, b, r)
                })
            });
            let mean = |of: fn(&(f32, f32, f32)) -> f32| block.iter().flatten().map(of).sum::<f32>() / 4.0;
            let (blue, red) = (mean(|(luma, b, _)| b - luma), mean(|(luma, _, r)| r - luma));
            let green = -(blue_weight * blue + red_weight * red) / green_weight;
            for (row, lumas) in block.iter().enumerate().take(height - top as usize) {
                for (column, (luma, ..)) in lumas.iter().enumerate().take(width - left) {
                    let at = ((top as usize + row) * width + left + column) * 4;
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
                    let colours =
                        [blue, green, red].map(|shift| (luma + shift + 0.5).clamp(0.0, 255.0) as u8);
                    pixels[at..at + 3].copy_from_slice(&colours);
                }
            }
        }
    }
    Picture { width: area.width, height: area.height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_share_a_colour_and_keep_their_luma() {
        let all = abi::Rect { x: 0, y: 0, width: 5, height: 3 };
        let mut picture = Picture::new(5, 3, 1);
        picture.paint(all, [90, 90, 90]);
        assert_eq!(shared(&picture, all).pixels, picture.pixels);
        // One blue column of each pair lends half of its colour to the other.
        for x in [0, 2, 4] {
            picture.paint(abi::Rect { x, width: 1, ..all }, [190, 90, 90]);
        }
        let found = shared(&picture, all);
        let pixels: Vec<&[u8]> = found.pixels.chunks_exact(4).take(5).collect();
        assert_eq!(pixels[4], [190, 90, 90, 255]);
        assert!(pixels[0][0].abs_diff(143) <= 1 && pixels[1][0].abs_diff(136) <= 1, "{pixels:?}");
    }

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
