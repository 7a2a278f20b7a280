//! VP8 by libvpx (RFC 6386).

use std::{
    ffi::{CStr, c_char, c_void},
    ptr::NonNull,
};

use super::{
    Decoded,
    colour::{Colour, Planes},
};

/// As in vp8.c.
#[repr(C)]
struct RawPicture {
    samples: [*const u8; 3],
    strides: [usize; 3],
    width: u32,
    height: u32,
}

// SAFETY: the functions of vp8.c, with its declarations.
unsafe extern "C" {
    fn selkies_vp8_begin() -> *mut c_void;
    fn selkies_vp8_end(decoder: *mut c_void);
    fn selkies_vp8_decode(
        decoder: *mut c_void,
        bytes: *const u8,
        len: u32,
        picture: *mut RawPicture,
    ) -> *const c_char;
}

/// A stream from a keyframe on.
pub(super) struct Stream(NonNull<c_void>);

/// Looks at the frame tag and the start code (RFC 6386, 9.1).
pub(super) fn form(bytes: &[u8], key: bool) -> Result<(), String> {
    match bytes {
        [tag, _, _, 0x9d, 0x01, 0x2a, _, _, _, _, ..] if tag & 1 == 0 => Ok(()),
        [tag, ..] if tag & 1 == 0 => Err("a keyframe without its start code".into()),
        _ if key => Err("PACKET_KEY on what is no keyframe".into()),
        _ => Ok(()),
    }
}

impl Stream {
    /// A decoder that has seen nothing.
    pub(super) fn begin() -> Result<Self, String> {
        // SAFETY: no arguments.
        let decoder = unsafe { selkies_vp8_begin() };
        NonNull::new(decoder).map(Self).ok_or_else(|| "vp8: the decoder does not start".into())
    }

    /// Decodes the next frame.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
        let len = u32::try_from(bytes.len()).map_err(|_| "it has more than 4 GiB")?;
        let mut raw = RawPicture { samples: [std::ptr::null(); 3], strides: [0; 3], width: 0, height: 0 };
        // SAFETY: the decoder lives; the bytes live for the call; the picture is ours.
        let wrong = unsafe { selkies_vp8_decode(self.0.as_ptr(), bytes.as_ptr(), len, &raw mut raw) };
        if !wrong.is_null() {
            // SAFETY: a static text.
            return Err(unsafe { CStr::from_ptr(wrong) }.to_string_lossy().into_owned());
        }
        let (width, height) = (raw.width as usize, raw.height as usize);
        let rows = [height, height.div_ceil(2), height.div_ceil(2)];
        let columns = [width, width.div_ceil(2), width.div_ceil(2)];
        let samples = std::array::from_fn(|plane| {
            let len = raw.strides[plane] * rows[plane].saturating_sub(1) + columns[plane];
            // SAFETY: a plane of that many rows; the last one is readable up to its last column.
            unsafe { std::slice::from_raw_parts(raw.samples[plane], len) }
        });
        let planes = Planes { width, height, samples, strides: raw.strides };
        // The bit for the colour space has one meaning, and encoders that write BT.709 set it as well.
        Ok(Decoded::Pictures(planes.pictures(&Colour::unsaid())))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made by `begin`; the last use.
        unsafe { selkies_vp8_end(self.0.as_ptr()) }
    }
}
