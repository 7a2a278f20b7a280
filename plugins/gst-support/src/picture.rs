//! Frames as GStreamer buffers.

use gstreamer as gst;
use gstreamer_video as gst_video;
use selkies_plugin_sdk::{Error, FrameRef, Result};

use crate::{request::Request, tether::Tether};

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Width and height as coded.
pub(crate) fn coded_size(request: &Request, even: bool) -> (u32, u32) {
    let side = |side: u32| if even { side.next_multiple_of(2) } else { side };
    (side(request.width), side(request.height))
}

/// True for a frame of the size and format that were agreed.
pub(crate) fn fits(frame: FrameRef<'_>, request: &Request) -> bool {
    (frame.width(), frame.height(), frame.fourcc()) == (request.width, request.height, request.fourcc)
}

/// The frame as a buffer: its own memory, held by `tether`; or a copy where it lacks the last row or column, or without one.
///
/// # Errors
/// [`Error::reconfigure`] for a frame of another size or format, [`Error::invalid`] for planes that are too short.
pub(crate) fn buffer(
    frame: FrameRef<'_>,
    request: &Request,
    even: bool,
    tether: Option<&Tether>,
) -> Result<gst::Buffer> {
    if !fits(frame, request) {
        return Err(Error::reconfigure("the frame has another size or format than was agreed"));
    }
    let (bytes, stride) = frame.plane(0)?;
    let (width, height) = (request.width as usize, request.height as usize);
    let row = width * PIXEL;
    if stride < row
        || stride
            .checked_mul(height - 1)
            .and_then(|all| all.checked_add(row))
            .is_none_or(|all| bytes.len() < all)
    {
        return Err(Error::invalid("the frame's plane is shorter than its rows"));
    }
    let (coded_width, coded_height) = coded_size(request, even);
    let coded = (coded_width as usize, coded_height as usize);
    let (mut buffer, stride) = match tether {
        Some(tether) if coded == (width, height) => {
            (gst::Buffer::from_slice(tether.hold(frame.retain()?)?), stride)
        }
        _ => (gst::Buffer::from_mut_slice(padded(bytes, stride, (width, height), coded)), coded.0 * PIXEL),
    };
    let stride = i32::try_from(stride).map_err(|_| Error::invalid("the frame's rows are too long"))?;
    let described = buffer.get_mut().map(|buffer| {
        let (flags, format) = (gst_video::VideoFrameFlags::empty(), gst_video::VideoFormat::Bgrx);
        gst_video::VideoMeta::add_full(buffer, flags, format, coded_width, coded_height, &[0], &[stride])
            .is_ok()
    });
    if described == Some(true) {
        Ok(buffer)
    } else {
        Err(Error::fatal("the frame cannot be described to GStreamer"))
    }
}

/// A copy in which the last column and row are repeated.
fn padded(bytes: &[u8], stride: usize, (width, height): (usize, usize), coded: (usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(coded.0 * coded.1 * PIXEL);
    for y in 0..coded.1 {
        let start = y.min(height - 1) * stride;
        let row = &bytes[start..start + width * PIXEL];
        out.extend_from_slice(row);
        for _ in width..coded.0 {
            out.extend_from_slice(&row[row.len() - PIXEL..]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::padded;

    #[test]
    fn odd_sides_repeat_their_last_pixels() {
        // 3x1 pixels in rows of 16 bytes.
        let bytes = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 9, 9, 9, 9];
        let row = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
        assert_eq!(padded(&bytes, 16, (3, 1), (4, 2)), [row, row].concat());
    }
}
