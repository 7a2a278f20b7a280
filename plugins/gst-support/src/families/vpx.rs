//! `vp8enc` and `vp9enc`, over libvpx (gst-plugins-good, `ext/vpx/gstvpxenc.c`). All properties are there since before 1.22.

use crate::{Property, Quality};

/// One frame in, one packet out, at once: realtime, no lag, no alternative references, no dropped frames.
pub const REALTIME: &[Property] = &[
    Property::needed("deadline", &["1"]),
    Property::needed("lag-in-frames", &["0"]),
    Property::new("auto-alt-ref", &["false"]),
    Property::new("dropframe-threshold", &["0"]),
    Property::new("multipass-mode", &["one-pass"]),
    // Keyframes only where the host asks for them, or this often.
    Property::new("keyframe-max-dist", &["{keyframes|2147483647}"]),
    Property::new("threads", &["{threads}"]),
    Property::new("static-threshold", &["100"]),
];

/// One quantiser for all that changes: what the host is told is H.264's scale, from where it means 4, below which these codecs
/// do not decode well, to 63. The widest range is set first, so that the lowest is never above the highest.
pub const QUALITY: Quality = Quality {
    best: 8,
    worst: 51,
    properties: &[
        Property::new("end-usage", &["vbr"]),
        Property::new("target-bitrate", &["1000000000"]),
        Property::needed("max-quantizer", &["63"]),
        Property::needed("min-quantizer", &["{quality_63}"]),
        Property::needed("max-quantizer", &["{quality_63}"]),
    ],
    live: true,
};

/// A constant bit rate, in bit/s, with a short buffer.
pub const BITRATE: &[Property] = &[
    Property::new("end-usage", &["cbr"]),
    Property::new("undershoot", &["95"]),
    Property::new("overshoot", &["15"]),
    Property::new("max-quantizer", &["{max_qp_63|63}"]),
    Property::new("min-quantizer", &["{min_qp_63|4}"]),
    Property::new("buffer-size", &["{vbv_ms}"]),
    Property::new("buffer-initial-size", &["{vbv_ms}"]),
    Property::new("buffer-optimal-size", &["{vbv_ms}"]),
    Property::needed("target-bitrate", &["{bps}"]),
];
