//! An encoder that makes AV1 with libaom, by GStreamer's `av1enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, Quality, SOFTWARE_CONVERTERS, SoftwareConfig,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "av1enc",
    codec: abi::CODEC_AV1,
    elements: &["av1enc"],
    source: "install gstreamer1.0-plugins-bad",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-av1,alignment=tu",
    even: false,
    synchronous: true,
    // It counts to 30 instead (`gstav1enc.c`, `keyframe_dist`).
    forces_keys: false,
    common: &[],
    fixed: &[
        Property::needed("usage-profile", &["realtime"]),
        Property::needed("lag-in-frames", &["0"]),
        Property::new("drop-frame", &["0"]),
        Property::new("cpu-used", &["10"]),
        Property::new("row-mt", &["true"]),
        Property::new("tile-columns", &["1"]),
        Property::new("threads", &["{threads}"]),
        // Keyframes only where the host asks for them, or this often.
        Property::new("keyframe-max-dist", &["{keyframes|1000000}"]),
    ],
    // As with libvpx: one quantiser for all that changes.
    quality: Quality {
        best: 8,
        worst: 51,
        properties: &[
            Property::new("end-usage", &["vbr"]),
            Property::new("target-bitrate", &["1000000"]),
            Property::needed("max-quantizer", &["63"]),
            Property::needed("min-quantizer", &["{quality_63}"]),
            Property::needed("max-quantizer", &["{quality_63}"]),
        ],
        live: true,
    },
    bitrate: &[
        Property::new("end-usage", &["cbr"]),
        Property::new("max-quantizer", &["{max_qp_63|63}"]),
        Property::new("min-quantizer", &["{min_qp_63|4}"]),
        Property::new("buf-sz", &["{vbv_ms}"]),
        Property::new("buf-initial-sz", &["{vbv_ms}"]),
        Property::new("buf-optimal-sz", &["{vbv_ms}"]),
        Property::needed("target-bitrate", &["{kbps}"]),
    ],
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct Av1;

impl Family for Av1 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<Av1>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
