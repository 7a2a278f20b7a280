//! An encoder that makes AV1 on an NVIDIA GPU, by GStreamer's `nvav1enc`.

use selkies_gst_support::{Description, Device, Family, GstEncoder, HardwareConfig, nvcodec};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "nvav1enc",
    codec: abi::CODEC_AV1,
    elements: &["nvav1enc", "nvcudaav1enc", "nvautogpuav1enc"],
    source: "install gstreamer1.0-plugins-bad 1.26 or newer and NVIDIA's driver with libnvidia-encode; GPUs before Ada have no AV1",
    device: Device::Nvidia,
    converters: nvcodec::CONVERTERS,
    memory: nvcodec::MEMORY,
    raw: "NV12",
    colorimetry: "bt709",
    output: "video/x-av1,alignment=tu",
    even: true,
    synchronous: false,
    forces_keys: true,
    common: nvcodec::REALTIME,
    fixed: &[],
    quality: nvcodec::QUALITY_AV1,
    bitrate: nvcodec::BITRATE,
    live_bitrate: true,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct NvAv1;

impl Family for NvAv1 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = HardwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<NvAv1>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
