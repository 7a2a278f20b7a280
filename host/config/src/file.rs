//! The configuration file's sections, as read after the schema has accepted them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::schema;

/// Most encoders of a file.
pub(crate) const MAX_ENCODERS: usize = 32;

/// The whole file. Keys that are not listed here are errors.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "selkies-host.json")]
pub struct ConfigFile {
    /// Where editors find this schema; the host ignores it.
    #[serde(rename = "$schema", default)]
    #[schemars(with = "String")]
    pub schema: Option<String>,
    /// Where plugins are found, which may be used, and where they run.
    #[serde(default)]
    pub plugins: PluginsSection,
    /// Values of settings by name, as text or in their JSON form.
    #[serde(default)]
    #[schemars(schema_with = "schema::settings_schema")]
    pub(crate) settings: RawSettings,
    /// Where frames come from.
    #[serde(default)]
    #[schemars(with = "PluginUse")]
    pub capture: Option<PluginUse>,
    /// What resizes the screen; the capture plugin when not given.
    #[serde(default)]
    #[schemars(with = "PluginUse")]
    pub display: Option<PluginUse>,
    /// Where the pointer's picture comes from; the capture plugin when not given.
    #[serde(default)]
    #[schemars(with = "PluginUse")]
    pub cursor: Option<PluginUse>,
    /// Whose clipboard is shared with browsers; the capture plugin's when not given.
    #[serde(default)]
    #[schemars(with = "PluginUse")]
    pub clipboard: Option<PluginUse>,
    /// Encoders in the order in which they are tried.
    #[serde(default)]
    #[schemars(length(max = MAX_ENCODERS))]
    pub encoders: Vec<EncoderUse>,
    /// How browsers are reached. This version uses the first.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub transports: Vec<PluginUse>,
    /// Where keys and pointer go, the first that can take an event.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub input: Vec<PluginUse>,
    /// How programs see gamepads, the first that works. Takes the place of the setting `uinput_gamepad`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub gamepads: Vec<PluginUse>,
    /// What captures and encodes sound, and what plays the microphone.
    #[serde(default)]
    pub audio: AudioSection,
    /// Where STUN and TURN servers come from, the first that answers. Takes the place of the settings about them.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub rtc_config: Vec<PluginUse>,
}

/// What captures and encodes sound, and what plays the microphone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioSection {
    /// Where the sound of the desktop comes from.
    #[schemars(with = "PluginUse")]
    pub capture: Option<PluginUse>,
    /// What encodes it.
    #[schemars(with = "PluginUse")]
    pub encoder: Option<PluginUse>,
    /// Where the microphones of pages go.
    #[schemars(with = "PluginUse")]
    pub microphone: Option<PluginUse>,
}

/// The settings as the file writes them. Secrets are among them: they are never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawSettings(pub(crate) Map<String, Json>);

impl fmt::Debug for RawSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where plugins are found, which may be used, and where they run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginsSection {
    /// Folders that are searched, relative to the file's own folder.
    #[schemars(length(max = 64), with = "Vec<String>")]
    pub paths: Vec<PathBuf>,
    /// Patterns of plugin ids (`*`: any text, `?`: one character). Only these may be used.
    #[schemars(length(max = 256))]
    pub allow: Vec<String>,
    /// Patterns of plugin ids that may not be used, even when allowed.
    #[schemars(length(max = 256))]
    pub deny: Vec<String>,
    /// Use only plugins whose manifest is signed with one of the trusted keys, first-party ones included.
    /// `--require-signature` and SELKIES_REQUIRE_SIGNATURE turn it on, too.
    pub require_signature: bool,
    /// Public keys of minisign whose signatures count: the line that begins with `RW`, or a `.pub` file, relative to the
    /// file's own folder. `--trusted-key` and SELKIES_TRUSTED_KEYS add to them.
    #[schemars(length(max = 64))]
    pub trusted_keys: Vec<String>,
    /// Which of them run inside the host.
    pub isolation: Isolation,
}

impl Default for PluginsSection {
    /// No folders, everything allowed.
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            allow: vec!["*".into()],
            deny: Vec::new(),
            require_signature: false,
            trusted_keys: Vec::new(),
            isolation: Isolation::default(),
        }
    }
}

/// Which plugins run inside the host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Isolation {
    /// Where a plugin runs that no pattern below covers.
    pub default: Placement,
    /// Patterns of plugin ids (`*`: any text, `?`: one character) that may run inside the host, where a plugin is
    /// trusted like the host itself. `--allow-in-process` and SELKIES_ALLOW_IN_PROCESS add to them.
    #[serde(rename = "allow-in-process")]
    #[schemars(length(max = 256))]
    pub allow_in_process: Vec<String>,
    /// Names of groups with patterns of plugin ids. The plugins of a group share a child, so that a capture and an
    /// encoder of one GPU can; all others have a child each.
    #[schemars(extend("maxProperties" = 32))]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Keep the encoder that would go on after a fault of the one in use ready. It costs that encoder's memory; worth it
    /// where making one takes long, as on a GPU.
    pub standby: bool,
}

impl Default for Isolation {
    /// First-party plugins run in the host, all others in a child each.
    fn default() -> Self {
        Self {
            default: Placement::Process,
            allow_in_process: vec!["selkies.*".into()],
            groups: BTreeMap::new(),
            standby: false,
        }
    }
}

/// A place where a plugin's code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// In a child of the host.
    #[default]
    Process,
    /// In the host.
    InProcess,
}

impl JsonSchema for Placement {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Placement".into()
    }

    // Written out, because the derived form (one alternative per variant) makes errors that name no value.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["process", "in-process"] })
    }
}

/// A plugin and its configuration.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginUse {
    /// Id of the plugin, such as `selkies.x11`.
    #[schemars(length(min = 1, max = 128))]
    pub plugin: String,
    /// Its configuration, judged by the plugin's own schema.
    #[serde(default)]
    pub config: Map<String, Json>,
}

/// An encoder: a plugin, its configuration, and the name that the setting `encoder` calls it by.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncoderUse {
    /// Its name in the setting `encoder`.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: String,
    /// Id of the plugin, such as `selkies.striped-jpeg`.
    #[schemars(length(min = 1, max = 128))]
    pub plugin: String,
    /// Its configuration, judged by the plugin's own schema.
    #[serde(default)]
    pub config: Map<String, Json>,
}

// A plugin's configuration may hold passwords: it is never printed.
impl fmt::Debug for PluginUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginUse").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

impl fmt::Debug for EncoderUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EncoderUse");
        shown.field("name", &self.name).field("plugin", &self.plugin).finish_non_exhaustive()
    }
}
