//! `vah264enc`, `vah265enc`, `vavp9enc` and `vaav1enc`, over VA-API (gst-plugins-bad, `sys/va/gstva*enc.c`).
//!
//! Most properties exist only where the driver knows what they stand for: which those are is known when the element is made.
//! Bit rates are in kbit/s, buffers in kbit.

use crate::{Property, Quality};

/// Pictures go to the GPU once and are converted there.
pub const CONVERTERS: &[&str] = &["vapostproc"];
/// What the encoder then reads without a copy.
pub const MEMORY: &str = "memory:VAMemory";

/// Fast, and keyframes only where the host asks for them, or this often.
pub const REALTIME: &[Property] = &[
    Property::new("target-usage", &["6"]).conditional(),
    Property::needed("key-int-max", &["{keyframes|1024}"]),
];

/// H.264 and H.265: no B-frames, one reference.
pub const H26X_REALTIME: &[Property] =
    &[Property::needed("b-frames", &["0"]), Property::new("ref-frames", &["1"])];

/// VP9 and AV1: no frame that refers to a later one, which "level 1" of their groups means.
pub const OPEN_REALTIME: &[Property] =
    &[Property::needed("hierarchical-level", &["1"]), Property::new("ref-frames", &["1"]).conditional()];

/// Constant quantiser of H.264 and H.265.
pub const H26X_QUALITY: Quality = Quality {
    best: 1,
    worst: 51,
    properties: &[
        Property::needed("rate-control", &["cqp"]),
        Property::needed("qpi", &["{quality}"]),
        Property::needed("qpp", &["{quality}"]),
    ],
    live: false,
};

/// Constant quantiser of VP9 and AV1, whose own scale ends at 255.
pub const OPEN_QUALITY: Quality = Quality {
    best: 1,
    worst: 51,
    properties: &[Property::needed("rate-control", &["cqp"]), Property::needed("qp", &["{quality_255}"])],
    live: false,
};

/// A constant bit rate with a short buffer, for H.264 and H.265.
pub const H26X_BITRATE: &[Property] = &[
    Property::needed("rate-control", &["cbr"]),
    Property::new("min-qp", &["{min_qp}"]).conditional(),
    Property::new("max-qp", &["{max_qp}"]).conditional(),
    Property::new("cpb-size", &["{vbv_kbit}"]),
    Property::needed("bitrate", &["{kbps}"]),
];

/// The same for VP9 and AV1.
pub const OPEN_BITRATE: &[Property] = &[
    Property::needed("rate-control", &["cbr"]),
    Property::new("min-qp", &["{min_qp_255}"]).conditional(),
    Property::new("max-qp", &["{max_qp_255}"]).conditional(),
    Property::new("cpb-size", &["{vbv_kbit}"]),
    Property::needed("bitrate", &["{kbps}"]),
];
