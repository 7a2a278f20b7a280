//! `csrc/coder.h`.
#![allow(unsafe_code)] // libx264 is a C library.

use std::ffi::{c_char, c_int};

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) full_chroma: i32,
    pub(crate) threads: i32,
    pub(crate) fps_num: i32,
    pub(crate) fps_den: i32,
    pub(crate) bitrate_kbps: i32,
    pub(crate) max_bitrate_kbps: i32,
    pub(crate) vbv_ms: i32,
    pub(crate) keyframe_interval: i32,
    pub(crate) min_qp: i32,
    pub(crate) max_qp: i32,
    pub(crate) memory: i32,
    pub(crate) preset: *const c_char,
}

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) bytes: *const u8,
    pub(crate) len: i32,
    pub(crate) key: i32,
}

/// Opaque.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Coder {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    pub(crate) fn selkies_x264_open(settings: *const Settings) -> *mut Coder;
    pub(crate) fn selkies_x264_rate(coder: *mut Coder, settings: *const Settings) -> c_int;
    pub(crate) fn selkies_x264_search(coder: *mut Coder, range: i32, letters: i32) -> c_int;
    pub(crate) fn selkies_x264_encode(
        coder: *mut Coder,
        planes: *const *const u8,
        strides: *const i32,
        constant: *mut u8,
        qp: i32,
        key: i32,
        out: *mut Output,
    ) -> c_int;
    pub(crate) fn selkies_x264_forget(coder: *mut Coder, picture: i64) -> c_int;
    pub(crate) fn selkies_x264_close(coder: *mut Coder);
    pub(crate) fn selkies_x264_build() -> c_int;
}
