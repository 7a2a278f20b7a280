//! How the planes of a format lie in memory.

use selkies_plugin_abi as abi;

/// One plane: bytes of a row that hold pixels, and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaneShape {
    pub(crate) row_bytes: u64,
    pub(crate) rows: u64,
    /// Divides the buffer's stride to that of this plane.
    pub(crate) stride_divisor: u32,
}

/// The planes of a frame in a format, `None` for a format that this host cannot place in memory.
pub(crate) fn planes(fourcc: u32, width: u32, height: u32) -> Option<Vec<PlaneShape>> {
    let (w, h) = (u64::from(width), u64::from(height));
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let plane = |row_bytes, rows, stride_divisor| PlaneShape { row_bytes, rows, stride_divisor };
    Some(match fourcc {
        abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 | abi::FOURCC_XRGB2101010 => vec![plane(w * 4, h, 1)],
        abi::FOURCC_NV12 => vec![plane(w, h, 1), plane(half_w * 2, half_h, 1)],
        abi::FOURCC_P010 => vec![plane(w * 2, h, 1), plane(half_w * 4, half_h, 1)],
        abi::FOURCC_YUV420 => vec![plane(w, h, 1), plane(half_w, half_h, 2), plane(half_w, half_h, 2)],
        abi::FOURCC_YUV444 => vec![plane(w, h, 1); 3],
        _ => return None,
    })
}

impl PlaneShape {
    /// Bytes from the first to the last pixel at a stride, `None` when a row does not fit the stride.
    pub(crate) fn span(&self, stride: u32) -> Option<u64> {
        if u64::from(stride) < self.row_bytes || self.rows == 0 {
            return None;
        }
        Some((self.rows - 1) * u64::from(stride) + self.row_bytes)
    }
}

/// The smallest stride of a buffer, a multiple of `align`, which is a power of two.
pub(crate) fn stride(fourcc: u32, width: u32, align: u32) -> Option<u32> {
    let widest = planes(fourcc, width, 1)?.iter().map(|p| p.row_bytes * u64::from(p.stride_divisor)).max()?;
    let align = u64::from(align).max(2);
    u32::try_from(widest.checked_add(align - 1)? & !(align - 1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_hold_every_plane() {
        assert_eq!(stride(abi::FOURCC_XRGB8888, 3, 1), Some(12));
        assert_eq!(stride(abi::FOURCC_XRGB8888, 3, 64), Some(64));
        assert_eq!(stride(abi::FOURCC_NV12, 3, 1), Some(4));
        assert_eq!(stride(abi::FOURCC_YUV420, 3, 1), Some(4));
        assert_eq!(stride(abi::FOURCC_P010, 4, 1), Some(8));
        assert_eq!(stride(0, 4, 1), None);
    }

    #[test]
    fn spans_end_with_the_last_pixel() {
        let plane = planes(abi::FOURCC_XRGB8888, 4, 3).unwrap()[0];
        assert_eq!(plane.span(16), Some(48));
        assert_eq!(plane.span(64), Some(144));
        assert_eq!(plane.span(15), None);
    }
}
