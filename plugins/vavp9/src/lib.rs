//! An encoder that makes VP9 on a GPU of AMD or Intel, by GStreamer's `vavp9enc`.

use selkies_gst_support::{Description, Device, Family, GstEncoder, HardwareConfig, va};
use selkies_plugin_sdk::abi;

/// What it encodes with.
pub static DESCRIPTION: Description = Description {
    name: "vavp9enc",
    codec: abi::CODEC_VP9,
    elements: &["vavp9enc", "vavp9lpenc"],
    source: "install gstreamer1.0-plugins-bad 1.26 or newer and the VA-API driver of the GPU (mesa-va-drivers, intel-media-va-driver)",
    device: Device::Va,
    converters: va::CONVERTERS,
    memory: va::MEMORY,
    raw: "NV12",
    colorimetry: "bt709",
    output: "video/x-vp9",
    even: true,
    synchronous: false,
    forces_keys: true,
    common: va::REALTIME,
    fixed: va::OPEN_REALTIME,
    quality: va::OPEN_QUALITY,
    bitrate: va::OPEN_BITRATE,
    // It takes no properties while it runs (1.22; VP9 and AV1 in newer versions, too).
    live_bitrate: false,
    max_kbps: 1_000_000,
    max_size: (8192, 8192),
};

/// The plugin.
#[derive(Debug)]
pub struct VaVp9;

impl Family for VaVp9 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    type Config = HardwareConfig;
}

/// Its encoder.
pub type Encoder = GstEncoder<VaVp9>;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Encoder,
    encoder_rate: Encoder,
}
