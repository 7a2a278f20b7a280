//! An encoder that makes H.265 with libx265, by GStreamer's `x265enc`. The library and the element are GPL: whoever
//! distributes a machine with them distributes under the GPL; this plugin links neither.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, Quality, SOFTWARE_CONVERTERS, SoftwareConfig,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "x265enc",
    codec: abi::CODEC_H265,
    elements: &["x265enc"],
    source: "install gstreamer1.0-plugins-bad",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-h265,stream-format=byte-stream,alignment=au",
    even: true,
    synchronous: true,
    forces_keys: true,
    common: &[],
    fixed: &[
        Property::needed("speed-preset", &["ultrafast"]),
        // No lookahead, no B-frames, one frame at a time.
        Property::needed("tune", &["zerolatency"]),
    ],
    quality: Quality {
        best: 1,
        worst: 51,
        properties: &[
            Property::needed("qp", &["{quality}"]),
            Property::new(
                "option-string",
                &["keyint={keyframes|-1}:scenecut=0:open-gop=0:repeat-headers=1:pools={threads}"],
            ),
        ],
        live: false,
    },
    bitrate: &[
        Property::needed("bitrate", &["{kbps}"]),
        Property::new(
            "option-string",
            &[
                "keyint={keyframes|-1}:scenecut=0:open-gop=0:repeat-headers=1:pools={threads}:vbv-maxrate={kbps}:vbv-bufsize={vbv_kbit}",
            ],
        ),
    ],
    // It takes another target, but not the buffer that goes with it.
    live_bitrate: false,
    max_kbps: 102_400,
    max_size: (8192, 4320),
};

/// The plugin.
#[derive(Debug)]
pub struct X265;

impl Family for X265 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<X265>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
