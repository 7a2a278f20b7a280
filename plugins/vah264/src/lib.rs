//! An encoder that makes H.264 on a GPU of AMD or Intel, by GStreamer's `vah264enc`.

use selkies_gst_support::{Description, Device, Family, GstEncoder, HardwareConfig, va};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "vah264enc",
    codec: abi::CODEC_H264,
    elements: &["vah264enc", "vah264lpenc"],
    source: "install gstreamer1.0-plugins-bad and the VA-API driver of the GPU (mesa-va-drivers, intel-media-va-driver)",
    device: Device::Va,
    converters: va::CONVERTERS,
    memory: va::MEMORY,
    raw: "NV12",
    colorimetry: "bt709",
    output: "video/x-h264,stream-format=byte-stream,alignment=au",
    even: true,
    synchronous: false,
    forces_keys: true,
    common: va::REALTIME,
    fixed: va::H26X_REALTIME,
    quality: va::H26X_QUALITY,
    bitrate: va::H26X_BITRATE,
    // It takes no properties while it runs (1.22; VP9 and AV1 in newer versions, too).
    live_bitrate: false,
    max_kbps: 1_000_000,
    max_size: (4096, 4096),
};

/// The plugin.
#[derive(Debug)]
pub struct VaH264;

impl Family for VaH264 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = HardwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<VaH264>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
