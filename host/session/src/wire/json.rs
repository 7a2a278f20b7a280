//! The JSON bodies of the server's messages, and the few `SETTINGS` keys the session itself reads.
//!
//! Field names are Selkies 2.1.0's (facts: cursor, server_settings, display_config_update, stream_resolution,
//! system/gpu/network_stats, stream_stats, pipeline_status).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Role names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// May drive the session.
    Controller,
    /// Watches; with a slot it may play.
    Viewer,
}

/// Body of `AUTH_SUCCESS,`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthSuccess {
    /// Role the token grants.
    pub role: RoleName,
    /// Player slot 1-4, if the token names one.
    pub slot: Option<u8>,
}

/// Body of `ROLE_UPDATE,`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleUpdate {
    /// The unchanged role.
    pub role: RoleName,
    /// The new slot.
    pub slot: Option<u8>,
}

/// Body of `cursor,`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorImage {
    /// PNG in base64; empty hides the cursor.
    pub curdata: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Hotspot from the left, pixels.
    pub hotx: u32,
    /// Hotspot from the top, pixels.
    pub hoty: u32,
    /// The cursor's serial; equal images have equal handles.
    pub handle: u32,
}

/// `{"type":"server_settings","settings":{…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "server_settings")]
pub struct ServerSettings {
    /// One entry per setting: `value` and, by kind, `locked`, `allowed`, `min`, `max`, `default`, `overridden`.
    pub settings: Map<String, Value>,
}

/// `{"type":"display_settings","settings":{…}}`: what the stream is made with, which a controller's page takes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "display_settings")]
pub struct DisplaySettings {
    /// Plain values by the settings' names.
    pub settings: Map<String, Value>,
}

/// Body of `DISPLAY_CONFIG_UPDATE,`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "display_config_update")]
pub struct DisplayConfigUpdate {
    /// Displays that have a client, `primary` first.
    pub displays: Vec<String>,
    /// Whether the capture backend is Wayland.
    pub wayland: bool,
    /// Whether `sf` scrolls like a finger.
    pub finger_scroll: bool,
    /// Each display's rectangle on the desktop.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layouts: BTreeMap<String, DisplayLayout>,
}

/// One value of [`DisplayConfigUpdate::layouts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisplayLayout {
    /// Left edge in desktop pixels.
    pub x: i32,
    /// Top edge in desktop pixels.
    pub y: i32,
    /// Width in pixels.
    pub w: u32,
    /// Height in pixels.
    pub h: u32,
}

/// `{"type":"stream_resolution",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "stream_resolution")]
pub struct StreamResolution {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `primary`.
    #[serde(rename = "displayId")]
    pub display_id: String,
}

/// `{"type":"pipeline_status",…}`: which media run. `reason` is this host's addition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "pipeline_status")]
pub struct PipelineStatus {
    /// Video runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// Audio runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    /// Why not, for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `{"type":"system_stats",…}` of the seed era, every 5 s to subscribers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "system_stats")]
pub struct SystemStats {
    /// ISO 8601 time.
    pub timestamp: String,
    /// 0-100.
    pub cpu_percent: f64,
    /// Bytes.
    pub mem_total: u64,
    /// Bytes.
    pub mem_used: u64,
}

/// `{"type":"gpu_stats",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "gpu_stats")]
pub struct GpuStats {
    /// ISO 8601 time.
    pub timestamp: String,
    /// Index of the GPU.
    pub gpu_id: u32,
    /// 0-1.
    pub load: f64,
    /// Bytes.
    pub memory_total: u64,
    /// Bytes.
    pub memory_used: u64,
}

/// `{"type":"network_stats",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "network_stats")]
pub struct NetworkStats {
    /// ISO 8601 time.
    pub timestamp: String,
    /// Megabits per second to this client.
    pub bandwidth_mbps: f64,
    /// Round trip in ms.
    pub latency_ms: f64,
}

/// `{"type":"stream_stats","displayId",…}` of 2.1.0, to those who sent `_stats,1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename = "stream_stats")]
pub struct StreamStats {
    /// `primary`.
    #[serde(rename = "displayId")]
    pub display_id: String,
    /// The figures; names are free, a page shows those it knows.
    #[serde(flatten)]
    pub figures: Map<String, Value>,
}

/// Body of `system,`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemAction {
    /// `reload`, `command_error,<text>`, `command_done,<line>`, `encoder,<name>` and so on.
    pub action: String,
}

/// Body of `system,` when a command line of the client has ended. Pages of 2.1.0 read `action` alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandEnded {
    /// `command_done,<line>`, or `command_error,<text>` where it was not run or did not end with status 0.
    pub action: String,
    /// The shell's exit status; null where it did not end by itself.
    pub status: Option<i32>,
    /// What it printed.
    pub output: String,
    /// It printed more.
    pub cut: bool,
}

/// The keys of `SETTINGS` the session reads itself; everything else goes to the configuration crate untouched.
/// Values of a wrong type count as absent, as in 2.1.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsHead {
    /// `displayId`, `primary` when absent.
    pub display_id: String,
    /// `tabId`: names the browser tab, so that a reload is told from a second page.
    pub tab_id: Option<String>,
    /// `initialClientWidth` and `initialClientHeight`, pixels.
    pub initial_size: Option<(u32, u32)>,
    /// `manual_resolution` or the seed's `is_manual_resolution_mode`: the display has the size below, not the page's.
    pub manual_resolution: Option<bool>,
    /// `manual_width`, pixels.
    pub manual_width: Option<u32>,
    /// `manual_height`, pixels.
    pub manual_height: Option<u32>,
    /// `force_aligned_resolution`: sides that are multiples of 16.
    pub aligned: Option<bool>,
    /// `enable_binary_clipboard`.
    pub binary_clipboard: Option<bool>,
    /// `encoder`, by one of 2.1.0's names.
    pub encoder: Option<String>,
    /// `encoderFallback`: the page asks for that encoder because it decodes no other.
    pub encoder_fallback: bool,
    /// `picked` names the encoder: its user chose it just now.
    pub encoder_picked: bool,
    /// `audioRedundancy`: the page reads sound that repeats older packets, see [`crate::sound`].
    pub audio_redundancy: bool,
}

impl SettingsHead {
    /// Reads the head of a `SETTINGS` body; `None` when it is not a JSON object. serde_json stops at depth 128.
    pub fn read(json: &str) -> Option<Self> {
        let Ok(Value::Object(map)) = serde_json::from_str::<Value>(json) else { return None };
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        // 2.1.0 pages send sizes as integers, some embedders as floats.
        let pixels = |key: &str| {
            let value = map.get(key).and_then(Value::as_f64)?;
            (value >= 1.0 && value <= f64::from(u16::MAX)).then_some(value as u32)
        };
        let told = |key: &str| map.get(key).and_then(Value::as_bool);
        let flag = |key: &str| told(key).unwrap_or(false);
        let picked = map.get("picked").and_then(Value::as_array);
        Some(Self {
            display_id: text("displayId").unwrap_or("primary").chars().take(32).collect(),
            tab_id: text("tabId").filter(|t| !t.is_empty() && t.len() <= 128).map(str::to_owned),
            initial_size: pixels("initialClientWidth").zip(pixels("initialClientHeight")),
            binary_clipboard: told("enable_binary_clipboard"),
            encoder: text("encoder").filter(|name| name.len() <= 64).map(str::to_owned),
            encoder_fallback: flag("encoderFallback"),
            encoder_picked: picked.is_some_and(|picked| picked.iter().any(|name| name == "encoder")),
            audio_redundancy: flag("audioRedundancy"),
            manual_resolution: told("manual_resolution").or_else(|| told("is_manual_resolution_mode")),
            manual_width: pixels("manual_width"),
            manual_height: pixels("manual_height"),
            aligned: told("force_aligned_resolution"),
        })
    }
}
