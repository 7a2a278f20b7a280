//! `nvh264enc`, `nvh265enc` and `nvav1enc`, over NVENC (gst-plugins-bad, `sys/nvcodec`).
//!
//! There are two implementations with names of their own for the same things: `gstnvbaseenc.c`, which is `nvh264enc` in
//! GStreamer 1.22, and `gstnvencoder.cpp`, which is `nvcudah264enc` there and has the old name in newer versions. Both
//! names are listed, and the element takes the one that it has. Bit rates are in kbit/s, buffers in kbit, in both.

use crate::{Property, Quality};

/// Pictures go to the GPU once and are converted there.
pub const CONVERTERS: &[&str] = &["cudaupload", "cudaconvert"];
/// What the encoder then reads without a copy.
pub const MEMORY: &str = "memory:CUDAMemory";

/// No lookahead, no B-frames, no reordering; keyframes only where the host asks for them, or this often.
pub const REALTIME: &[Property] = &[
    Property::new("preset", &["p3", "low-latency-hp"]),
    Property::new("tune", &["ultra-low-latency"]).or("zerolatency"),
    Property::needed("zero-reorder-delay", &["true"]).or("zerolatency"),
    Property::needed("zerolatency", &["true"]).or("zero-reorder-delay"),
    Property::new("b-frames", &["0"]).or("bframes"),
    Property::new("bframes", &["0"]).or("b-frames"),
    Property::new("rc-lookahead", &["0"]).conditional(),
    Property::needed("gop-size", &["{keyframes|-1}"]),
];

/// Constant quantiser of H.264 and H.265.
pub const QUALITY: Quality = Quality {
    best: 1,
    worst: 51,
    properties: &[
        Property::needed("rate-control", &["cqp"]).or("rc-mode"),
        Property::needed("rc-mode", &["constqp"]).or("rate-control"),
        Property::needed("qp-i", &["{quality}"]).or("qp-const"),
        Property::needed("qp-p", &["{quality}"]).or("qp-const"),
        Property::needed("qp-const", &["{quality}"]).or("qp-p"),
    ],
    live: true,
};

/// Constant quantiser of AV1, whose own scale ends at 255.
pub const QUALITY_AV1: Quality = Quality {
    properties: &[
        Property::needed("rate-control", &["cqp"]).or("rc-mode"),
        Property::needed("rc-mode", &["constqp"]).or("rate-control"),
        Property::needed("qp-i", &["{quality_255}"]).or("qp-const"),
        Property::needed("qp-p", &["{quality_255}"]).or("qp-const"),
        Property::needed("qp-const", &["{quality_255}"]).or("qp-p"),
    ],
    ..QUALITY
};

/// A constant bit rate with a short buffer. Highest quantisers are left to NVENC: in some versions of `gstnvencoder.cpp`
/// setting them changes the lowest.
pub const BITRATE: &[Property] = &[
    Property::needed("rate-control", &["cbr"]).or("rc-mode"),
    Property::needed("rc-mode", &["cbr-ld-hq", "cbr"]).or("rate-control"),
    Property::new("vbv-buffer-size", &["{vbv_kbit}"]).conditional(),
    Property::needed("bitrate", &["{kbps}"]),
];
