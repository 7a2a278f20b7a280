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
    stride: usize,
    width: u32,
    height: u32,
}

impl<'a> Picture<'a> {
    /// Checks that every row of a `width` x `height` picture lies in `bytes`; `stride` is the distance of two rows in
    /// bytes.
    ///
    /// # Errors
    /// [`PictureError`] when a side is 0 or too large, rows overlap, or bytes are missing.
    pub fn new(bytes: &'a [u8], stride: usize, width: u32, height: u32) -> Result<Self, PictureError> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(PictureError::Size { width, height });
        }
        let row = width as usize * PIXEL;
        if stride < row {
            return Err(PictureError::Stride { stride, row });
        }
        let wanted = stride.checked_mul(height as usize - 1).and_then(|rows| rows.checked_add(row));
        match wanted {
            // The codec's interface counts the stride in a C int.
            Some(wanted) if wanted <= bytes.len() && i32::try_from(stride).is_ok() => {
                Ok(Self { bytes, stride, width, height })
            }
            _ => Err(PictureError::Short { found: bytes.len(), wanted: wanted.unwrap_or(usize::MAX) }),
        }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels of one row, without what lies between rows. `y` is below the height.
    pub(crate) fn row(&self, y: u32) -> &'a [u8] {
        let start = y as usize * self.stride;
        &self.bytes[start..start + self.width as usize * PIXEL]
    }

    /// `rows` rows from `top`, which lie in the picture, for the codec.
    pub(crate) fn part(&self, top: u32, rows: u32) -> turbojpeg::Image<&'a [u8]> {
        let start = top as usize * self.stride;
        let len = self.stride * (rows as usize - 1) + self.width as usize * PIXEL;
        turbojpeg::Image {
            pixels: &self.bytes[start..start + len],
            width: self.width as usize,
            pitch: self.stride,
            height: rows as usize,
            format: turbojpeg::PixelFormat::BGRX,
        }
    }
}

/// Pixels that cannot be a picture, or not one for this encoder.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PictureError {
    /// A side is 0 or over the limit.
    #[error("striped-jpeg-size: a picture of {width}x{height}; each side must be 1 to 16384")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Rows overlap.
    #[error(
        "striped-jpeg-stride: rows are {stride} bytes apart and {row} long; give a stride of at least {row}"
    )]
    Stride {
        /// Bytes from row to row.
        stride: usize,
        /// Bytes of a row.
        row: usize,
    },
    /// Bytes are missing.
    #[error("striped-jpeg-short: {found} bytes of pixels where {wanted} are needed; map the whole plane")]
    Short {
        /// Bytes given.
        found: usize,
        /// Bytes needed.
        wanted: usize,
    },
    /// The encoder was made for another size.
    #[error(
        "striped-jpeg-other-size: a picture of {found_width}x{found_height} for an encoder of {width}x{height}; configure it first"
    )]
    OtherSize {
        /// Width of the picture.
        found_width: u32,
        /// Height of the picture.
        found_height: u32,
        /// Width of the encoder.
        width: u32,
        /// Height of the encoder.
        height: u32,
    },
}
