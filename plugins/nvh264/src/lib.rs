//! An encoder that makes H.264 on an NVIDIA GPU, by GStreamer's `nvh264enc`.

use selkies_gst_support::{Description, Device, Family, GstEncoder, HardwareConfig, Property, nvcodec};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "nvh264enc",
    codec: abi::CODEC_H264,
    elements: &["nvh264enc", "nvcudah264enc", "nvautogpuh264enc"],
    source: "install gstreamer1.0-plugins-bad and NVIDIA's driver with libnvidia-encode",
    device: Device::Nvidia,
    converters: nvcodec::CONVERTERS,
    memory: nvcodec::MEMORY,
    raw: "NV12",
    colorimetry: "bt709",
    output: "video/x-h264,stream-format=byte-stream,alignment=au",
    even: true,
    synchronous: false,
    forces_keys: true,
    common: nvcodec::REALTIME,
    fixed: &[Property::new("repeat-sequence-header", &["true"]).since(1, 24)],
    quality: nvcodec::QUALITY,
    bitrate: nvcodec::BITRATE,
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (4096, 4096),
};

/// The plugin.
#[derive(Debug)]
pub struct NvH264;

impl Family for NvH264 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = HardwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<NvH264>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
