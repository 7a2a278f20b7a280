//! What operators may set.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What a configuration comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Threads; 0 leaves it to the plugin.
    pub threads: u32,
    /// Name of the element to use instead of the plugin's own; empty for those.
    pub element: String,
    /// Properties to set after all others.
    pub properties: BTreeMap<String, String>,
}

/// Configuration of an encoder on the CPU. Quality, bit rate and frame rate come with each pipeline; where that names
/// threads, too, it goes before what stands here.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SoftwareConfig {
    /// Threads that encode; 0 takes the cores there are, at most 4.
    #[schemars(range(min = 0, max = 16))]
    pub threads: u32,
    /// Further properties of the GStreamer element, set last, as `gst-launch-1.0` takes them: `{"sharpness": "2"}`. One
    /// that the element does not have keeps the encoder from being used.
    #[schemars(extend("maxProperties" = 32))]
    pub properties: BTreeMap<String, String>,
}

/// Configuration of an encoder on a GPU. Quality, bit rate and frame rate come with each pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HardwareConfig {
    /// Name of the GStreamer element of one GPU, where there are several: `varenderD129h264enc`, `nvh264device1enc`.
    /// Empty takes the first GPU.
    #[schemars(length(max = 64), regex(pattern = "^[a-zA-Z0-9-]*$"))]
    pub element: String,
    /// Further properties of the GStreamer element, set last, as `gst-launch-1.0` takes them. One that the element does not
    /// have keeps the encoder from being used.
    #[schemars(extend("maxProperties" = 32))]
    pub properties: BTreeMap<String, String>,
}

impl From<SoftwareConfig> for Tuning {
    fn from(config: SoftwareConfig) -> Self {
        Self { threads: config.threads, element: String::new(), properties: config.properties }
    }
}

impl From<HardwareConfig> for Tuning {
    fn from(config: HardwareConfig) -> Self {
        Self { threads: 0, element: config.element, properties: config.properties }
    }
}
