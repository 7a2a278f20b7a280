//! libjpeg-turbo, writing into given memory.
//!
//! Version 3.1 honours the size of a caller's buffer (`TJPARAM_NOREALLOC` of 2.x did not) and fails when it is full, so
//! a slab may be smaller than the worst case. Its "fast" DCT is not used: beside the AVX2 code of the accurate one it
//! saves nothing (1080p: 3192 to 3165 µs at quality 40, 4480 to 4479 at 90) and costs up to 0.25 dB.

use turbojpeg::{Compressor, Subsamp};

use crate::{picture::Picture, settings::Chroma};

/// The least that a slab is asked for: headers and tables take about 600 bytes.
const LEAST_SLAB: usize = 4096;

/// One codec instance, for one thread at a time.
#[derive(Debug)]
pub(crate) struct Coder {
    compressor: Compressor,
    chroma: Chroma,
    quality: u8,
}

impl Coder {
    pub(crate) fn new() -> Result<Self, turbojpeg::Error> {
        let mut compressor = Compressor::new()?;
        let (chroma, quality) = (Chroma::Half, 50);
        compressor.set_subsamp(subsamp(chroma))?;
        compressor.set_quality(i32::from(quality))?;
        Ok(Self { compressor, chroma, quality })
    }

    /// Encodes `rows` rows from `top` into `out`; answers the file's length. The codec fails when `out` is too small,
    /// which cannot be when it has [`worst_case`] bytes.
    pub(crate) fn encode(
        &mut self,
        picture: &Picture<'_>,
        (top, rows): (u32, u32),
        chroma: Chroma,
        quality: u8,
        out: &mut [u8],
    ) -> Result<usize, turbojpeg::Error> {
        if self.chroma != chroma {
            self.compressor.set_subsamp(subsamp(chroma))?;
            self.chroma = chroma;
        }
        if self.quality != quality {
            self.compressor.set_quality(i32::from(quality))?;
            self.quality = quality;
        }
        self.compressor.compress_to_slice(picture.part(top, rows), out)
    }
}

/// Bytes that hold the JPEG file of any picture of this size.
pub(crate) fn worst_case(width: u32, rows: u32, chroma: Chroma) -> Result<usize, turbojpeg::Error> {
    turbojpeg::compressed_buf_len(width as usize, rows as usize, subsamp(chroma))
}

/// What to ask for, given the bytes that a row took lately (0 when unknown). Too little costs a second encoding, too
/// much only address space, hence the margin.
pub(crate) fn likely_size(bytes_per_row: usize, rows: u32, worst_case: usize) -> usize {
    let likely = match bytes_per_row {
        0 => worst_case / 2,
        known => known * rows as usize * 2 + LEAST_SLAB,
    };
    likely.max(LEAST_SLAB).min(worst_case)
}

fn subsamp(chroma: Chroma) -> Subsamp {
    match chroma {
        Chroma::Half => Subsamp::Sub2x2,
        Chroma::Full => Subsamp::None,
    }
}
