//! An encoder that makes AV1 with rav1e, by GStreamer's `rav1enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, Quality, SOFTWARE_CONVERTERS, SoftwareConfig,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "rav1enc",
    codec: abi::CODEC_AV1,
    elements: &["rav1enc"],
    source: "install gst-plugins-rs (its plugin rav1e; Debian 12 has no package of it)",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-av1,alignment=tu",
    even: false,
    synchronous: true,
    forces_keys: true,
    common: &[],
    fixed: &[
        Property::needed("low-latency", &["true"]),
        Property::needed("speed-preset", &["10"]),
        Property::needed("rdo-lookahead-frames", &["1"]),
        Property::new("threads", &["{threads}"]),
        Property::new("tiles", &["{threads}"]),
        Property::new("max-key-frame-interval", &["{keyframes|0}"]),
    ],
    // rav1e's own quantisers: 0 to 255.
    quality: Quality {
        best: 4,
        worst: 51,
        properties: &[Property::needed("quantizer", &["{quality_255}"])],
        live: false,
    },
    bitrate: &[
        Property::new("min-quantizer", &["{min_qp_255}"]),
        Property::new("reservoir-frame-delay", &["12"]),
        Property::needed("bitrate", &["{bps}"]),
    ],
    live_bitrate: false,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct Rav1e;

impl Family for Rav1e {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<Rav1e>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
