//! libx264 behind a safe interface: planes in, one access unit out.
#![allow(unsafe_code)] // libx264 is a C library.

use std::{
    ffi::CString,
    ptr::{self, NonNull},
};

use thiserror::Error;

use crate::{
    ffi,
    memory::{self, Memory},
    numbers::Numbers,
    planes::{self, Planes},
    settings::{Rate, Settings},
};

/// What libx264 refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CoderError {
    /// No encoder for these settings.
    #[error(
        "x264-open: libx264 (build {build}) makes no encoder for {width}x{height}; try another size, preset or chroma"
    )]
    Open {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// `X264_BUILD`.
        build: i32,
    },
    /// The new rate, or another search for motion, is not taken.
    #[error("x264-rate: libx264 does not take other settings while it runs; make a new encoder")]
    Rate,
    /// A picture failed.
    #[error("x264-encode: libx264 failed to encode a picture ({0}); make a new encoder")]
    Encode(i32),
    /// The stream is not as it is known.
    #[error(
        "x264-numbers: libx264 (build {0}) numbers its pictures in another way than is known; use another build"
    )]
    Numbers(i32),
    /// The planes are of another size.
    #[error("x264-planes: planes of {found:?} for an encoder of {wanted:?}; configure it first")]
    Planes {
        /// Width and height of the planes.
        found: (u32, u32),
        /// Width and height of the encoder.
        wanted: (u32, u32),
    },
}

/// Motion of so many pixels is found by the nearby search, from one macroblock to the next.
const NEAR: u32 = 16;
/// Least and most of the wide search. It finds what moved about twice as far; each macroblock that came from nowhere pays
/// for all of it.
const WIDE: (u32, u32) = (32, 128);

/// An access unit in libx264's memory.
#[derive(Debug)]
pub(crate) struct Unit<'a> {
    /// Annex B.
    pub(crate) bytes: &'a [u8],
    /// An IDR picture with its parameter sets.
    pub(crate) key: bool,
    /// The frame that it is predicted from, where that is not the one before.
    pub(crate) reference: Option<u64>,
}

/// One H.264 stream.
#[derive(Debug)]
pub(crate) struct Coder {
    raw: NonNull<ffi::Coder>,
    settings: Settings,
    rate: Rate,
    memory: Memory,
    numbers: Numbers,
    /// The last unit.
    unit: Vec<u8>,
    /// How far motion is looked for in scrolled content, in pixels, 0 for nearby; none for other content.
    search: Option<u32>,
}

// SAFETY: libx264 binds an encoder to no thread; it must only not be used by two at once, which `&mut` sees to.
unsafe impl Send for Coder {}

impl Coder {
    /// A stream of `height` rows of the picture that `settings` describe, in `threads` slices.
    pub(crate) fn new(
        settings: &Settings,
        rate: Rate,
        height: u32,
        threads: u32,
    ) -> Result<Self, CoderError> {
        let (width, height) = planes::coded_size(settings.width, height, settings.full_chroma);
        let settings = Settings { width, height, threads, ..settings.clone() };
        let refused = CoderError::Open { width, height, build: build() };
        let preset = CString::new(settings.preset.name()).map_err(|_| refused)?;
        let raw = raw(&settings, rate, &preset);
        // SAFETY: the settings and the text in them live for the call.
        let raw = NonNull::new(unsafe { ffi::selkies_x264_open(&raw const raw) }).ok_or(refused)?;
        let memory = Memory::new(memory_of(&settings));
        Ok(Self { raw, settings, rate, memory, numbers: Numbers::default(), unit: Vec::new(), search: None })
    }

    /// The frame rate that libx264 counts with, numerator and denominator: it takes no other while it runs.
    pub(crate) fn fps(&self) -> (u32, u32) {
        self.settings.fps
    }

    /// Whether pictures were coded after the frame `known`.
    pub(crate) fn is_past(&self, known: u64) -> bool {
        self.memory.newest().is_some_and(|newest| newest > known)
    }

    /// Changes the bit rate from the next picture on; a quality comes with each picture.
    pub(crate) fn set_rate(&mut self, rate: Rate) -> Result<(), CoderError> {
        if rate == self.rate || matches!(rate, Rate::Quality { .. }) {
            return Ok(());
        }
        let settings = raw(&self.settings, rate, c"");
        // SAFETY: the encoder lives; the settings live for the call, which does not look at the preset.
        if unsafe { ffi::selkies_x264_rate(self.raw.as_ptr(), &raw const settings) } < 0 {
            return Err(CoderError::Rate);
        }
        self.rate = rate;
        Ok(())
    }

    /// Prepares the next picture for content that moved so many rows, or for other content.
    pub(crate) fn set_search(&mut self, distance: Option<u32>) -> Result<(), CoderError> {
        let range = |rows: u32| if rows > NEAR { rows.clamp(WIDE.0, WIDE.1) } else { 0 };
        let search = distance.map(range);
        if search != self.search {
            let (range, letters) = (search.unwrap_or(0).cast_signed(), i32::from(search.is_some()));
            // SAFETY: the encoder lives.
            let status = unsafe { ffi::selkies_x264_search(self.raw.as_ptr(), range, letters) };
            if status < 0 {
                return Err(CoderError::Rate);
            }
            self.search = search;
        }
        Ok(())
    }

    /// Lets the next picture be predicted from the frame `known` or an older one. Answers which, if that is another than the
    /// one before.
    pub(crate) fn rewind(&mut self, known: u64) -> Option<u64> {
        let rewind = self.memory.rewind(known, self.numbers.count())?;
        // SAFETY: the encoder lives.
        let status = unsafe { ffi::selkies_x264_forget(self.raw.as_ptr(), rewind.forget) };
        (status >= 0).then_some(rewind.frame_id)
    }

    /// Encodes a picture of the frame `frame_id`, with the quantiser `qp` where no bit rate decides. `constant` has a byte
    /// per macroblock, row by row: 1 where the picture is as the one before.
    pub(crate) fn encode(
        &mut self,
        planes: &Planes,
        constant: Option<&mut [u8]>,
        qp: Option<u32>,
        key: bool,
        frame_id: u64,
    ) -> Result<Unit<'_>, CoderError> {
        let wanted = (self.settings.width, self.settings.height);
        let blocks = wanted.0.div_ceil(16) as usize * wanted.1.div_ceil(16) as usize;
        if planes.size() != wanted || constant.as_ref().is_some_and(|constant| constant.len() != blocks) {
            return Err(CoderError::Planes { found: planes.size(), wanted });
        }
        let (pointers, strides) = planes.raw();
        let constant = constant.map_or(ptr::null_mut(), <[u8]>::as_mut_ptr);
        let number = self.memory.begin();
        let mut out = ffi::Output { bytes: ptr::null(), len: 0, key: 0 };
        // SAFETY: the planes have the encoder's size and format, and they and `constant`, a byte for each macroblock, live
        // for the call; without lookahead libx264 reads none of them later.
        let status = unsafe {
            ffi::selkies_x264_encode(
                self.raw.as_ptr(),
                pointers.as_ptr(),
                strides.as_ptr(),
                constant,
                qp.and_then(|qp| i32::try_from(qp).ok()).unwrap_or_default(),
                i32::from(key),
                &raw mut out,
            )
        };
        let len = usize::try_from(out.len).unwrap_or_default();
        if status < 0 || out.bytes.is_null() || len == 0 {
            return Err(CoderError::Encode(status));
        }
        // SAFETY: the bytes are libx264's until the next call, for which `&mut self` is needed.
        let bytes = unsafe { std::slice::from_raw_parts(out.bytes, len) };
        let key = out.key != 0;
        let index = self.memory.coded(number, frame_id, key);
        if !self.settings.anchors {
            return Ok(Unit { bytes, key, reference: None });
        }
        self.numbers.rewrite(bytes, index, &mut self.unit).ok_or_else(|| CoderError::Numbers(build()))?;
        Ok(Unit { bytes: &self.unit, key, reference: None })
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        // SAFETY: opened by `new`, closed once.
        unsafe { ffi::selkies_x264_close(self.raw.as_ptr()) }
    }
}

/// `X264_BUILD` of the library.
pub(crate) fn build() -> i32 {
    // SAFETY: it answers a constant.
    unsafe { ffi::selkies_x264_build() }
}

/// Pictures that an encoder for these settings remembers.
fn memory_of(settings: &Settings) -> u32 {
    if !settings.anchors {
        return 1;
    }
    memory::depth(settings.width.div_ceil(16) * settings.height.div_ceil(16))
}

fn raw(settings: &Settings, rate: Rate, preset: &std::ffi::CStr) -> ffi::Settings {
    let int = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let limit = |value: Option<u32>| value.map_or(-1, |value| int(value.min(51)));
    let (kbps, max_kbps, buffer_ms) = match rate {
        Rate::Quality { .. } => (0, 0, 0),
        Rate::Bits { kbps, max_kbps, buffer_ms } => (kbps, max_kbps, buffer_ms),
    };
    ffi::Settings {
        width: int(settings.width),
        height: int(settings.height),
        full_chroma: i32::from(settings.full_chroma),
        threads: int(settings.threads),
        fps_num: int(settings.fps.0),
        fps_den: int(settings.fps.1),
        bitrate_kbps: int(kbps),
        max_bitrate_kbps: int(max_kbps),
        vbv_ms: int(buffer_ms),
        keyframe_interval: int(settings.keyframe_interval),
        // What rests is not to become finer than where a quality is named.
        min_qp: limit(settings.min_qp.or(settings.refine_crf.filter(|_| kbps > 0))),
        max_qp: limit(settings.max_qp),
        memory: int(memory_of(settings)),
        preset: preset.as_ptr(),
    }
}
