//! An encoder that makes AV1 with SVT-AV1, by GStreamer's `svtav1enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, Quality, SOFTWARE_CONVERTERS, SoftwareConfig,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "svtav1enc",
    codec: abi::CODEC_AV1,
    elements: &["svtav1enc"],
    source: "install gstreamer1.0-plugins-bad of a distribution that builds it with SVT-AV1 (Debian 12 does not)",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-av1,alignment=tu",
    // SVT-AV1 takes even sides only.
    even: true,
    // It has threads of its own, from which packets come.
    synchronous: false,
    forces_keys: true,
    common: &[],
    // SVT-AV1's own names, in `parameters-string`: low delay, no lookahead (Docs/Parameters.md there).
    fixed: &[
        Property::needed("preset", &["12"]),
        Property::new("logical-processors", &["{threads}"]),
        Property::new("intra-period-length", &["{keyframes|-1}"]),
        Property::new("intra-refresh-type", &["IDR"]),
    ],
    quality: Quality {
        best: 1,
        worst: 51,
        properties: &[
            Property::needed("crf", &["{quality_63}"]),
            Property::needed("parameters-string", &["pred-struct=1:lookahead=0:scd=0:enable-tf=0"]),
        ],
        live: false,
    },
    bitrate: &[
        Property::needed("target-bitrate", &["{kbps}"]),
        Property::new("min-qp-allowed", &["{min_qp_63}"]),
        Property::new("max-qp-allowed", &["{max_qp_63}"]),
        Property::needed("parameters-string", &["pred-struct=1:lookahead=0:scd=0:enable-tf=0:rc=2"]),
        Property::new("maximum-buffer-size", &["{vbv_ms}"]),
    ],
    live_bitrate: false,
    max_kbps: 100_000,
    max_size: (3840, 2160),
};

/// The plugin.
#[derive(Debug)]
pub struct SvtAv1;

impl Family for SvtAv1 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<SvtAv1>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
