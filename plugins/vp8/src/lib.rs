//! An encoder that makes VP8 with libvpx, by GStreamer's `vp8enc`.

use selkies_gst_support::{
    Description, Device, Family, GstEncoder, Property, SOFTWARE_CONVERTERS, SoftwareConfig, vpx,
};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "vp8enc",
    codec: abi::CODEC_VP8,
    elements: &["vp8enc"],
    source: "install gstreamer1.0-plugins-good",
    device: Device::Cpu,
    converters: SOFTWARE_CONVERTERS,
    memory: "",
    raw: "I420",
    // The only colours that VP8 knows (RFC 6386, 9.2).
    colorimetry: "bt601",
    output: "video/x-vp8",
    even: false,
    synchronous: true,
    forces_keys: true,
    common: vpx::REALTIME,
    fixed: &[
        Property::new("cpu-used", &["-6"]),
        // So that several threads have something to do.
        Property::new("token-partitions", &["4"]),
    ],
    quality: vpx::QUALITY,
    bitrate: vpx::BITRATE,
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct Vp8;

impl Family for Vp8 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = SoftwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<Vp8>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
