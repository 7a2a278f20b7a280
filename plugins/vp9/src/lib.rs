//! An encoder that makes VP9 with libvpx, by GStreamer's `vp9enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, SOFTWARE_CONVERTERS, SoftwareConfig, vpx,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "vp9enc",
    codec: abi::CODEC_VP9,
    elements: &["vp9enc"],
    source: "install gstreamer1.0-plugins-good",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    colorimetry: "bt709",
    output: "video/x-vp9",
    even: false,
    synchronous: true,
    forces_keys: true,
    common: vpx::REALTIME,
    fixed: &[
        Property::new("cpu-used", &["8"]),
        Property::new("row-mt", &["true"]),
        Property::new("tile-columns", &["2"]),
        // A page decodes one frame at a time: contexts of the frame before make the next one smaller.
        Property::new("frame-parallel-decoding", &["false"]),
    ],
    quality: vpx::QUALITY,
    bitrate: vpx::BITRATE,
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct Vp9;

impl Family for Vp9 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<Vp9>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
