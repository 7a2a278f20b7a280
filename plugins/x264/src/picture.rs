//! A frame's pixels.

use thiserror::Error;

use crate::settings::MAX_SIDE;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Borrowed pixels: 4 bytes each, blue, green, red and one that is ignored (`XR24` and `AR24` of `drm_fourcc.h`), top
/// row first.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    bytes: &'a [u8],
    stride: u32,
    width: u32,
    height: u32,
}

/// Pixels that cannot be a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "x264-picture: {width}x{height} pixels with {stride} bytes per row do not fit {len} bytes; give sides of 1 to \
     8192, a stride of at least four times the width, and the whole plane"
)]
pub struct PictureError {
    width: u32,
    height: u32,
    stride: usize,
    len: usize,
}

impl<'a> Picture<'a> {
    /// Checks that every row of a `width` x `height` picture lies in `bytes`; `stride` is the distance of two rows in
    /// bytes.
    ///
    /// # Errors
    /// [`PictureError`] when a side is 0 or too large, rows overlap, or bytes are missing.
    pub fn new(bytes: &'a [u8], stride: usize, width: u32, height: u32) -> Result<Self, PictureError> {
        let error = PictureError { width, height, stride, len: bytes.len() };
        let sides = 1..=MAX_SIDE;
        let row = width as usize * PIXEL;
        let wanted =
            stride.checked_mul(height.saturating_sub(1) as usize).and_then(|rows| rows.checked_add(row));
        let fits = sides.contains(&width)
            && sides.contains(&height)
            && stride >= row
            && wanted.is_some_and(|wanted| wanted <= bytes.len());
        match u32::try_from(stride) {
            Ok(stride) if fits => Ok(Self { bytes, stride, width, height }),
            _ => Err(error),
        }
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Distance of two rows in bytes.
    pub(crate) fn stride(&self) -> u32 {
        self.stride
    }

    /// `count` rows from `first` and the pixel `x`, which lie in the picture, each of [`Picture::stride`] bytes; `None`
    /// where the picture ends before the last one does.
    pub(crate) fn part(&self, first: u32, count: u32, x: u32) -> Option<&'a [u8]> {
        let start = first as usize * self.stride as usize + x as usize * PIXEL;
        self.bytes.get(start..start + self.stride as usize * count as usize)
    }

    /// The pixels of one row. `y` is below the height.
    pub(crate) fn row(&self, y: u32) -> &'a [u8] {
        let start = y as usize * self.stride as usize;
        &self.bytes[start..start + self.width as usize * PIXEL]
    }
}
