//! An encoder that makes H.264 with Cisco's OpenH264, by GStreamer's `openh264enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, Quality, SOFTWARE_CONVERTERS, SoftwareConfig,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "openh264enc",
    codec: abi::CODEC_H264,
    elements: &["openh264enc"],
    source: "install gstreamer1.0-plugins-bad",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-h264,stream-format=byte-stream,alignment=au",
    even: true,
    synchronous: true,
    forces_keys: true,
    common: &[],
    fixed: &[
        // A frame that is skipped makes no packet, and what it showed is not seen until the next change.
        Property::needed("enable-frame-skip", &["false"]),
        // Keyframes only where the host asks for them, or this often; 0 for never.
        Property::new("gop-size", &["{keyframes|0}"]),
        Property::new("scene-change-detection", &["false"]),
        Property::new("complexity", &["low"]),
        Property::new("multi-thread", &["{threads}"]),
        Property::new("slice-mode", &["n-slices"]),
        Property::new("num-slices", &["{threads}"]),
    ],
    quality: Quality {
        best: 10,
        worst: 51,
        properties: &[
            Property::new("rate-control", &["quality"]),
            // Within every level that it chooses.
            Property::new("bitrate", &["100000000"]),
            Property::needed("qp-min", &["{quality}"]),
            Property::needed("qp-max", &["{quality}"]),
        ],
        live: false,
    },
    bitrate: &[
        Property::new("rate-control", &["bitrate"]),
        Property::new("qp-min", &["{min_qp|10}"]),
        Property::new("qp-max", &["{max_qp|51}"]),
        Property::needed("bitrate", &["{bps}"]),
    ],
    live_bitrate: true,
    max_kbps: 240_000,
    max_size: (3840, 2160),
};

/// The plugin.
#[derive(Debug)]
pub struct OpenH264;

impl Family for OpenH264 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<OpenH264>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
