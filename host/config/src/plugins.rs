//! What the file says about plugins, judged with the plugins that were found.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value as Json};

use crate::{
    check::{Document, MAX_ERRORS, one_line},
    error::{Code, ConfigError, Origin, Remedy},
    file::{Placement, PluginsSection},
    parse::shown,
    position::Part,
    table::nearest,
};

/// Most uses of plugins in one file that are judged; the schema allows fewer.
const MAX_USES: usize = 256;

/// Most ids that an error lists.
const MAX_IDS: usize = 40;

/// Where plugins are found, and which of them may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginRules {
    /// Folders of the file, made relative to the file's own folder.
    pub paths: Vec<PathBuf>,
    /// Patterns of ids; only these may be used.
    pub allow: Vec<String>,
    /// Patterns of ids that may not be used, even when allowed.
    pub deny: Vec<String>,
    /// Patterns of ids that may run inside the host.
    pub in_process: Vec<String>,
    /// Patterns of ids that share a child, by the name of their group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Keep the encoder that would go on after a fault ready.
    pub standby: bool,
    /// Only signed plugins may be used.
    pub require_signature: bool,
    /// Whose signatures count.
    pub trusted_keys: Vec<KeySource>,
}

/// Where the public key of a signer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The key itself: `RW...`.
    Text(String),
    /// Its `.pub` file.
    File(PathBuf),
}

impl KeySource {
    /// Tells a key from the name of a file, which is relative to `folder`. A key of minisign is the base64 text of 42 bytes
    /// that begin with `Ed`; no file of 56 such characters needs to be named without its folder.
    #[must_use]
    pub fn new(text: &str, folder: Option<&Path>) -> Self {
        let is_base64 = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/');
        if text.len() == 56 && text.starts_with("RW") && text.bytes().all(is_base64) {
            return Self::Text(text.to_owned());
        }
        Self::File(folder.map_or_else(|| text.into(), |folder| folder.join(text)))
    }
}

impl PluginRules {
    pub(crate) fn new(section: &PluginsSection, document: Option<&Document>, in_process: &[String]) -> Self {
        let folder = document.and_then(|document| document.path.parent());
        let path = |path: &PathBuf| folder.map_or_else(|| path.clone(), |folder| folder.join(path));
        let everywhere = (section.isolation.default == Placement::InProcess).then(|| "*".to_owned());
        Self {
            paths: section.paths.iter().map(path).collect(),
            allow: section.allow.clone(),
            deny: section.deny.clone(),
            groups: section.isolation.groups.clone(),
            in_process: section
                .isolation
                .allow_in_process
                .iter()
                .chain(in_process)
                .cloned()
                .chain(everywhere)
                .collect(),
            standby: section.isolation.standby,
            require_signature: section.require_signature,
            trusted_keys: section.trusted_keys.iter().map(|key| KeySource::new(key, folder)).collect(),
        }
    }
}

/// A plugin that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPlugin {
    /// Its id.
    pub id: String,
    /// The JSON Schema of its `config`; without one, every object is accepted.
    pub schema: Option<Json>,
    /// Why it may not be used: one line with a code and the remedy.
    pub refusal: Option<String>,
}

/// A use of a plugin in the file.
struct Use<'a> {
    pointer: String,
    id: &'a str,
    config: Option<&'a Map<String, Json>>,
}

/// Every use of a plugin. Reads the JSON, so that a mistake in one of them does not hide those in others.
fn uses(json: &Json) -> impl Iterator<Item = Use<'_>> {
    let singles = [
        "/capture",
        "/display",
        "/cursor",
        "/clipboard",
        "/audio/capture",
        "/audio/encoder",
        "/audio/microphone",
    ]
    .into_iter()
    .filter_map(|pointer| Some((pointer.to_owned(), json.pointer(pointer)?)));
    let items = ["encoders", "transports", "input", "gamepads", "rtc_config"].into_iter().flat_map(|key| {
        let items = json.get(key).and_then(Json::as_array).into_iter().flatten().enumerate();
        items.map(move |(index, item)| (format!("/{key}/{index}"), item))
    });
    let named = singles.chain(items).filter_map(|(pointer, item)| {
        // What is no use of a plugin at all has been reported.
        let id = item.get("plugin")?.as_str().filter(|id| !id.is_empty())?;
        Some(Use { pointer, id, config: item.get("config").and_then(Json::as_object) })
    });
    named.take(MAX_USES)
}

impl Document {
    /// Judges every use of a plugin: whether it is there, may be used, and understands its `config`.
    pub(crate) fn plugin_mistakes(&self, json: &Json, known: &[KnownPlugin]) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut judged: Vec<&str> = Vec::new();
        for used in uses(json) {
            let plugin = known.iter().find(|plugin| plugin.id == used.id);
            let fault = match plugin.map(|plugin| plugin.refusal.as_deref()) {
                None => Some((shown(used.id), no_such_plugin(used.id, known))),
                Some(Some(refusal)) => Some((
                    format!("{}, which may not be used", shown(used.id)),
                    Remedy::Reason(refusal.replace(char::is_control, " ")),
                )),
                Some(None) => None,
            };
            errors.extend(fault.map(|(found, remedy)| ConfigError {
                code: Code::NoSuchPlugin,
                origin: self.origin(&format!("{}/plugin", used.pointer), Part::Value),
                found,
                remedy,
            }));
            if judged.contains(&used.id) {
                continue;
            }
            judged.push(used.id);
            if let Some(schema) = plugin.and_then(|plugin| plugin.schema.as_ref()) {
                errors.extend(self.config_mistakes(json, used.id, schema));
            }
        }
        errors.truncate(MAX_ERRORS);
        errors
    }

    /// Judges the `config` of every use of the plugin `id` by its own schema.
    fn config_mistakes(&self, json: &Json, id: &str, schema: &Json) -> Vec<ConfigError> {
        // References to files or hosts are not followed.
        let validator = match jsonschema::validator_for(schema) {
            Ok(validator) => validator,
            Err(error) => {
                return vec![ConfigError::new(
                    Code::PluginSchema,
                    Origin::Plugin(id.into()),
                    format!("an unusable config schema ({})", one_line(&error.to_string())),
                    "a JSON Schema that refers to nothing outside itself",
                )];
            }
        };
        let nothing = Map::new();
        let mistakes = uses(json).filter(|used| used.id == id).flat_map(|used| {
            let config = Json::Object(used.config.unwrap_or(&nothing).clone());
            self.violations(&validator, schema, &config, &format!("{}/config", used.pointer), |_| true)
        });
        mistakes.take(MAX_ERRORS).collect()
    }
}

fn no_such_plugin(id: &str, known: &[KnownPlugin]) -> Remedy {
    let mut usable: Vec<&str> =
        known.iter().filter(|plugin| plugin.refusal.is_none()).map(|plugin| plugin.id.as_str()).collect();
    usable.sort_unstable();
    if let Some(near) = nearest(id, usable.iter().copied()) {
        return Remedy::Meant(near.into());
    }
    Remedy::Allowed(match usable.len() {
        0 => "a plugin of the folders that are searched, which hold none (see --plugins)".into(),
        count if count > MAX_IDS => format!("one of the {count} of `selkies-host plugins list`"),
        _ => usable.join(", "),
    })
}
