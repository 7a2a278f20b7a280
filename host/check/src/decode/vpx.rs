//! VP8 (RFC 6386) and VP9 of profile 0 (VP9 Bitstream & Decoding Process Specification 0.6) by libvpx.

use std::{
    ffi::{CStr, c_char, c_void},
    ptr::NonNull,
};

use super::{
    Decoded,
    colour::{BT601, BT709, BT2020, Colour, Planes},
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Vp8,
    Vp9,
}

/// As in vpx.c.
#[repr(C)]
struct RawPicture {
    samples: [*const u8; 3],
    strides: [usize; 3],
    width: u32,
    height: u32,
    /// `vpx_color_space_t` of vpx_image.h, whose numbers are VP9's own (section 7.2.2); 0 for VP8.
    colours: u32,
    full_range: u32,
}

// SAFETY: the functions of vpx.c, with its declarations.
unsafe extern "C" {
    fn selkies_vpx_begin(vp9: bool) -> *mut c_void;
    fn selkies_vpx_end(decoder: *mut c_void);
    fn selkies_vpx_decode(
        decoder: *mut c_void,
        bytes: *const u8,
        len: u32,
        picture: *mut RawPicture,
    ) -> *const c_char;
}

/// A stream from a keyframe on.
pub(super) struct Stream {
    decoder: NonNull<c_void>,
    format: Format,
}

/// Looks at how a frame begins.
pub(super) fn form(format: Format, bytes: &[u8], key: bool) -> Result<(), String> {
    match format {
        Format::Vp8 => vp8_form(bytes, key),
        Format::Vp9 => vp9_form(bytes, key),
    }
}

/// The frame tag and the start code (RFC 6386, 9.1).
fn vp8_form(bytes: &[u8], key: bool) -> Result<(), String> {
    match bytes {
        [tag, _, _, 0x9d, 0x01, 0x2a, _, _, _, _, ..] if tag & 1 == 0 => Ok(()),
        [tag, ..] if tag & 1 == 0 => Err("a keyframe without its start code".into()),
        _ if key => Err("PACKET_KEY on what is no keyframe".into()),
        _ => Ok(()),
    }
}

/// The uncompressed header up to the sync code (section 6.2).
fn vp9_form(bytes: &[u8], key: bool) -> Result<(), String> {
    let Some(&first) = bytes.first().filter(|first| **first >> 6 == 0b10) else {
        return Err("does not begin with VP9's frame marker".into());
    };
    // Profile 3 has one more bit before these two.
    let flags = if profile(first) == 3 { first << 1 } else { first };
    let shows_existing = flags & 0b1000 != 0;
    let is_key = !shows_existing && flags & 0b100 == 0;
    match is_key {
        // What comes before the sync code fills one byte, or with profile 3 nine bits.
        true if profile(first) < 3 && bytes.get(1..4) != Some(&[0x49, 0x83, 0x42]) => {
            Err("a keyframe without its sync code".into())
        }
        false if key => Err("PACKET_KEY on what is no keyframe".into()),
        _ => Ok(()),
    }
}

/// VP9's profile, of the first byte of a frame.
fn profile(first: u8) -> u8 {
    (first >> 5 & 1) | (first >> 4 & 1) << 1
}

impl Stream {
    /// A decoder that has seen nothing, for the stream that begins with this keyframe, or why there is none.
    pub(super) fn begin(format: Format, keyframe: &[u8]) -> Result<Self, String> {
        let vp9 = format == Format::Vp9;
        match keyframe.first().map(|&first| profile(first)) {
            Some(profile @ 1..) if vp9 => {
                return Err(format!("vp9 of profile {profile}: no decoder in this build"));
            }
            _ => {}
        }
        // SAFETY: the argument is a number.
        let decoder = unsafe { selkies_vpx_begin(vp9) };
        let name = if vp9 { "vp9" } else { "vp8" };
        let decoder = NonNull::new(decoder).ok_or_else(|| format!("{name}: the decoder does not start"))?;
        Ok(Self { decoder, format })
    }

    /// Decodes the next frame.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
        let len = u32::try_from(bytes.len()).map_err(|_| "it has more than 4 GiB")?;
        let mut raw = RawPicture {
            samples: [std::ptr::null(); 3],
            strides: [0; 3],
            width: 0,
            height: 0,
            colours: 0,
            full_range: 0,
        };
        // SAFETY: the decoder lives; the bytes live for the call; the picture is ours.
        let wrong = unsafe { selkies_vpx_decode(self.decoder.as_ptr(), bytes.as_ptr(), len, &raw mut raw) };
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
        let colour = match self.format {
            // The bit for the colour space has one meaning, and encoders that write BT.709 set it as well.
            Format::Vp8 => Colour::unsaid(),
            Format::Vp9 => colour(&raw),
        };
        Ok(Decoded::Pictures(planes.pictures(&colour)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made by `begin`; the last use.
        unsafe { selkies_vpx_end(self.decoder.as_ptr()) }
    }
}

/// What VP9 says of its colours (section 7.2.2).
fn colour(raw: &RawPicture) -> Colour {
    let matrices = match raw.colours {
        1 | 3 => vec![BT601],
        2 => vec![BT709],
        5 => vec![BT2020],
        _ => Colour::unsaid().matrices,
    };
    Colour { matrices, full_range: raw.full_range != 0 }
}
