//! Properties of elements as their sources register them, for those that are not on the machine.

/// `gst-plugins-bad/sys/nvcodec/gstnvbaseenc.c` and `gstnvh264enc.c`: `nvh264enc`, `nvh265enc` of 1.22.
const NVENC_OLD: &[&str] = &[
    "aq-strength", "aud", "b-adapt", "bframes", "bitrate", "const-quality", "cuda-device-id", "gop-size", "i-adapt", "max-bitrate",
    "nonref-p", "preset", "qp-const", "qp-max", "qp-min", "rc-lookahead", "rc-mode", "spatial-aq", "strict-gop", "temporal-aq",
    "vbv-buffer-size", "weighted-pred", "zerolatency",
];
/// `gst-plugins-bad/sys/nvcodec/gstnvh264encoder.cpp`, `gstnvh265encoder.cpp`, `gstnvav1encoder.cpp`.
const NVENC_NEW: &[&str] = &[
    "aq-strength", "aud", "b-adapt", "b-frames", "bitrate", "cabac", "const-quality", "cuda-device-id", "gop-size", "i-adapt",
    "max-bitrate", "multi-pass", "nonref-p", "preset", "qp-b", "qp-i", "qp-p", "rate-control", "rc-lookahead",
    "repeat-sequence-header", "spatial-aq", "strict-gop", "temporal-aq", "tune", "vbv-buffer-size", "weighted-pred",
    "zero-reorder-delay",
];
/// `gst-plugins-bad/sys/va/gstvah264enc.c`, `gstvah265enc.c`.
const VA_H26X: &[&str] = &[
    "aud", "b-frames", "b-pyramid", "bitrate", "cabac", "cpb-size", "dct8x8", "i-frames", "key-int-max", "max-qp", "mbbrc", "min-qp",
    "num-slices", "num-tile-cols", "num-tile-rows", "qpb", "qpi", "qpp", "rate-control", "ref-frames", "target-percentage",
    "target-usage", "trellis",
];
/// `gst-plugins-bad/sys/va/gstvavp9enc.c`, `gstvaav1enc.c`.
const VA_OPEN: &[&str] = &[
    "bitrate", "cpb-size", "gf-group-size", "hierarchical-level", "key-int-max", "loop-filter-level", "max-qp", "mbbrc", "min-qp",
    "qp", "rate-control", "ref-frames", "sharpness-level", "target-percentage", "target-usage",
];
/// `gst-plugins-bad/ext/svtav1/gstsvtav1enc.c`.
const SVT: &[&str] = &[
    "cqp", "crf", "intra-period-length", "intra-refresh-type", "logical-processors", "max-bitrate", "max-qp-allowed",
    "maximum-buffer-size", "min-qp-allowed", "parameters-string", "preset", "target-bitrate", "target-socket",
];
/// `gst-plugins-rs/video/rav1e/src/rav1enc/imp.rs`.
const RAV1E: &[&str] = &[
    "bitrate", "enable-timing-info", "error-resilient", "low-latency", "max-key-frame-interval", "min-key-frame-interval",
    "min-quantizer", "quantizer", "rdo-lookahead-frames", "reservoir-frame-delay", "speed-preset", "threads", "tile-cols",
    "tile-rows", "tiles", "tune",
];

/// True when an element's source registers a property; `None` for elements that are not listed here.
pub(super) fn knows(element: &str, property: &str) -> Option<bool> {
    let has = |tables: &[&[&str]]| Some(tables.iter().any(|table| table.contains(&property)));
    match element {
        "nvh264enc" | "nvh265enc" => has(&[NVENC_OLD, NVENC_NEW]),
        "nvav1enc" => has(&[NVENC_NEW]),
        "vah264enc" | "vah265enc" => has(&[VA_H26X]),
        "vavp9enc" | "vaav1enc" => has(&[VA_OPEN]),
        "svtav1enc" => has(&[SVT]),
        "rav1enc" => has(&[RAV1E]),
        _ => None,
    }
}
