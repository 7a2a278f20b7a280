//! An encoder that makes H.265 on an NVIDIA GPU, by GStreamer's `nvh265enc`.

use selkies_gst_support::{Description, Device, Family, GstEncoder, HardwareConfig, Property, nvcodec};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "nvh265enc",
    codec: abi::CODEC_H265,
    elements: &["nvh265enc", "nvcudah265enc", "nvautogpuh265enc"],
    source: "install gstreamer1.0-plugins-bad and NVIDIA's driver with libnvidia-encode",
    device: Device::Nvidia,
    converters: nvcodec::CONVERTERS,
    memory: nvcodec::MEMORY,
    raw: "NV12",
    colorimetry: "bt709",
    output: "video/x-h265,stream-format=byte-stream,alignment=au",
    even: true,
    synchronous: false,
    forces_keys: true,
    common: nvcodec::REALTIME,
    fixed: &[Property::new("repeat-sequence-header", &["true"]).since(1, 24)],
    quality: nvcodec::QUALITY,
    bitrate: nvcodec::BITRATE,
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct NvH265;

impl Family for NvH265 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = HardwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<NvH265>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
