//! A stripe of a frame as the codec reads it.

use openh264::formats::YUVSource;
use selkies_plugin_sdk::{Error, FrameRef, Result, abi};

/// Luma and two colour differences of half the size, in BT.709 and limited range; edges are even.
pub(crate) struct Source {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

impl Source {
    /// Reads rows of a frame of packed B, G, R or of three planes. The last column and row are repeated where the size is odd.
    pub(crate) fn read(frame: FrameRef<'_>, top: u32, rows: u32) -> Result<Self> {
        let whole = frame.width() as usize;
        let (top, rows) = (top as usize, rows as usize);
        let (width, height) = (whole.next_multiple_of(2), rows.next_multiple_of(2));
        let planar = frame.fourcc() == abi::FOURCC_YUV420;
        let mut planes = [Vec::new(), Vec::new(), Vec::new()];
        for (index, plane) in planes.iter_mut().enumerate() {
            let (bytes, stride) = frame.plane(if planar { index } else { 0 })?;
            let step = if index == 0 { 1 } else { 2 };
            for y in 0..height / step {
                let y = top / step + y.min(rows.div_ceil(step) - 1);
                for x in 0..width / step {
                    let x = x.min(whole.div_ceil(step) - 1);
                    let sample = if planar {
                        bytes.get(y * stride + x).copied()
                    } else {
                        let at = y * step * stride + x * step * 4;
                        bytes.get(at..at + 3).map(|pixel| weigh(pixel, index))
                    };
                    plane.push(sample.ok_or_else(|| Error::invalid("a plane smaller than the frame"))?);
                }
            }
        }
        Ok(Self { width, height, planes })
    }

    pub(crate) fn blacken(&mut self) {
        self.planes[0].fill(16);
        self.planes[1].fill(128);
        self.planes[2].fill(128);
    }

    /// Leaves out columns on the right.
    pub(crate) fn narrow(&mut self, columns: usize) {
        for (plane, step) in self.planes.iter_mut().zip([1, 2, 2]) {
            let keep = (self.width - columns) / step;
            *plane = plane.chunks(self.width / step).flat_map(|row| &row[..keep]).copied().collect();
        }
        self.width -= columns;
    }
}

/// Luma, or one of the colour differences, of B, G, R (BT.709, limited range).
fn weigh(pixel: &[u8], plane: usize) -> u8 {
    const WEIGHTS: [[f32; 4]; 3] = [
        [0.0620, 0.6142, 0.1826, 16.0],
        [0.4392, -0.3386, -0.1006, 128.0],
        [-0.0403, -0.3989, 0.4392, 128.0],
    ];
    let [blue, green, red, offset] = WEIGHTS[plane];
    let sum = blue * f32::from(pixel[0]) + green * f32::from(pixel[1]) + red * f32::from(pixel[2]) + offset;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    let sample = sum.round().clamp(0.0, 255.0) as u8;
    sample
}

impl YUVSource for Source {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.planes[0]
    }

    fn u(&self) -> &[u8] {
        &self.planes[1]
    }

    fn v(&self) -> &[u8] {
        &self.planes[2]
    }
}
