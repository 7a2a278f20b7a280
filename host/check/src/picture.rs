//! Pictures to encode, and their memory in each format.

use selkies_plugin_abi as abi;

use crate::{
    fence::{Backing, Fenced},
    random::Random,
    rules::encoder::{ENC_026, ENC_027},
};

/// Packed pixels: B, G, R, unused.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// One plane of a picture in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaneLayout {
    pub(crate) offset: usize,
    pub(crate) stride: usize,
    pub(crate) len: usize,
}

/// A picture in memory that a plugin may read.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) memory: Fenced,
    pub(crate) planes: Vec<PlaneLayout>,
}

/// `true` for formats that this kit can make.
pub(crate) fn can_make(fourcc: u32) -> bool {
    layout(fourcc, 16, 16, 1).is_some()
}

impl Picture {
    /// Soft colours, with grey detail like text in the middle third.
    pub(crate) fn new(width: u32, height: u32, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let tint = random.next().to_le_bytes();
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
        for y in 0..height {
            for x in 0..width {
                let ramp = |value: u32, edge: u32| u8::try_from(value * 160 / edge.max(1)).unwrap_or(160);
                let (across, down) = (ramp(x, width), ramp(y, height));
                let text = y * 3 / height.max(1) == 1 && (x / 3 + y / 5) % 4 == 0;
                let dark = if text { 40 } else { 0 };
                let shade = |value: u8, tint: u8| (value / 2 + tint % 96 + 32).saturating_sub(dark);
                pixels.extend([
                    shade(across, tint[0]),
                    shade(down, tint[1]),
                    shade(across / 2 + down / 2, tint[2]),
                    255,
                ]);
            }
        }
        Self { width, height, pixels }
    }

    /// Paints a rectangle in one colour, cut at the edges.
    pub(crate) fn paint(&mut self, area: abi::Rect, colour: [u8; 3]) {
        for y in area.y..(area.y + area.height).min(self.height) {
            for x in area.x..(area.x + area.width).min(self.width) {
                let at = (y as usize * self.width as usize + x as usize) * 4;
                if let Some(pixel) = self.pixels.get_mut(at..at + 3) {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let (x, y) = (x.min(self.width as usize - 1), y.min(self.height as usize - 1));
        let at = (y * self.width as usize + x) * 4;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// A row of an area.
    pub(crate) fn row(&self, x: u32, y: u32, width: u32) -> &[u8] {
        let at = (y as usize * self.width as usize + x as usize) * 4;
        self.pixels.get(at..at + width as usize * 4).unwrap_or_default()
    }

    /// Where a picture of the same size differs from this one.
    pub(crate) fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let (width, height) = (self.width, self.height);
        (0..height).filter(move |&y| self.row(0, y, width) != other.row(0, y, width)).flat_map(move |y| {
            let pairs = self.row(0, y, width).chunks_exact(4).zip(other.row(0, y, width).chunks_exact(4));
            (0..width).zip(pairs).filter(|(_, (one, other))| one != other).map(move |(x, _)| (x, y))
        })
    }

    /// The picture in memory of this kind; `None` for formats that the kit cannot make, or without memory.
    pub(crate) fn store(&self, fourcc: u32, backing: Backing) -> Option<Stored> {
        // Rows are tight in one kind of memory and padded in the other, so that both are met.
        let align = if backing == Backing::Memfd { 64 } else { 1 };
        let planes = layout(fourcc, self.width as usize, self.height as usize, align)?;
        let total = planes.iter().map(|plane| plane.offset + plane.len).max()?;
        let mut memory = Fenced::new(total, backing, &ENC_026, &ENC_027).ok()?;
        self.fill(fourcc, &planes, memory.bytes_mut());
        Some(Stored { memory, planes })
    }

    fn fill(&self, fourcc: u32, planes: &[PlaneLayout], out: &mut [u8]) {
        let (width, height) = (self.width as usize, self.height as usize);
        match fourcc {
            abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 => {
                for (y, row) in self.pixels.chunks_exact(width * 4).enumerate() {
                    let at = planes[0].offset + y * planes[0].stride;
                    out[at..at + row.len()].copy_from_slice(row);
                }
            }
            abi::FOURCC_XRGB2101010 => {
                for (y, x) in points(width, height) {
                    let [b, g, r] = self.pixel(x, y).map(|value| u32::from(value) << 2);
                    let at = planes[0].offset + y * planes[0].stride + x * 4;
                    out[at..at + 4].copy_from_slice(&(r << 20 | g << 10 | b).to_le_bytes());
                }
            }
            _ => self.fill_yuv(fourcc, planes, out),
        }
    }

    fn fill_yuv(&self, fourcc: u32, planes: &[PlaneLayout], out: &mut [u8]) {
        let (width, height) = (self.width as usize, self.height as usize);
        let deep = fourcc == abi::FOURCC_P010;
        let mut put = |plane: &PlaneLayout, x: usize, y: usize, value: u8| {
            if deep {
                let at = plane.offset + y * plane.stride + x * 2;
                out[at..at + 2].copy_from_slice(&(u16::from(value) << 8).to_le_bytes());
            } else {
                out[plane.offset + y * plane.stride + x] = value;
            }
        };
        for (y, x) in points(width, height) {
            put(&planes[0], x, y, to_yuv(self.pixel(x, y))[0]);
        }
        let (step, interleaved) = match fourcc {
            abi::FOURCC_YUV444 => (1, false),
            abi::FOURCC_YUV420 => (2, false),
            _ => (2, true),
        };
        for (y, x) in points(width.div_ceil(step), height.div_ceil(step)) {
            let [_, cb, cr] = to_yuv(self.pixel(x * step, y * step));
            if interleaved {
                put(&planes[1], 2 * x, y, cb);
                put(&planes[1], 2 * x + 1, y, cr);
            } else {
                put(&planes[1], x, y, cb);
                put(&planes[2], x, y, cr);
            }
        }
    }
}

fn points(width: usize, height: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
}

/// BT.709, limited range, from B, G, R.
fn to_yuv([b, g, r]: [u8; 3]) -> [u8; 3] {
    let [b, g, r] = [b, g, r].map(f32::from);
    let y = 16.0 + 0.1826 * r + 0.6142 * g + 0.0620 * b;
    let cb = 128.0 - 0.1006 * r - 0.3386 * g + 0.4392 * b;
    let cr = 128.0 + 0.4392 * r - 0.3989 * g - 0.0403 * b;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    [y, cb, cr].map(|value| value.round().clamp(0.0, 255.0) as u8)
}

fn layout(fourcc: u32, width: usize, height: usize, align: usize) -> Option<Vec<PlaneLayout>> {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let rows: &[(usize, usize)] = match fourcc {
        abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 | abi::FOURCC_XRGB2101010 => &[(width * 4, height)],
        abi::FOURCC_NV12 => &[(width, height), (half_width * 2, half_height)],
        abi::FOURCC_P010 => &[(width * 2, height), (half_width * 4, half_height)],
        abi::FOURCC_YUV420 => &[(width, height), (half_width, half_height), (half_width, half_height)],
        abi::FOURCC_YUV444 => &[(width, height), (width, height), (width, height)],
        _ => return None,
    };
    let mut offset = 0;
    let planes = rows.iter().map(|&(bytes, rows)| {
        let stride = bytes.next_multiple_of(align);
        let plane = PlaneLayout { offset, stride, len: stride * rows };
        offset += plane.len;
        plane
    });
    Some(planes.collect())
}

/// The colour description of a format, as this kit fills it.
pub(crate) fn color_of(fourcc: u32) -> abi::Color {
    match fourcc {
        abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 | abi::FOURCC_XRGB2101010 => {
            abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 }
        }
        _ => abi::Color { primaries: 1, transfer: 1, matrix: 1, full_range: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_fits_its_memory() {
        let picture = Picture::new(33, 17, 1);
        for fourcc in [
            abi::FOURCC_XRGB8888,
            abi::FOURCC_XRGB2101010,
            abi::FOURCC_NV12,
            abi::FOURCC_P010,
            abi::FOURCC_YUV420,
            abi::FOURCC_YUV444,
        ] {
            for backing in [Backing::Private, Backing::Memfd] {
                let stored = picture.store(fourcc, backing).unwrap();
                let last = stored.planes.last().unwrap();
                assert_eq!(last.offset + last.len, stored.memory.len());
            }
        }
        assert!(!can_make(0x1234));
    }

    #[test]
    fn grey_has_no_colour_difference() {
        assert_eq!(to_yuv([255, 255, 255]), [235, 128, 128]);
        assert_eq!(to_yuv([0, 0, 0]), [16, 128, 128]);
    }
}
