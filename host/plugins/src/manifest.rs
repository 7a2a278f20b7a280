//! `selkies-plugin.json`: what a plugin says about itself, read without running any of its code.

mod difference;
mod fields;

use std::{io::Read, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use fields::{InterfaceId, Kind, LibraryName, PluginId, Sha256, Version};

use crate::{Refusal, files};

/// Name of a folder's only manifest; with several plugins in a folder each is `NAME.selkies-plugin.json`.
pub const MANIFEST_NAME: &str = "selkies-plugin.json";

/// Largest manifest file in bytes, the same as the limit of the one inside the library.
pub const MAX_MANIFEST_BYTES: usize = selkies_plugin_abi::MAX_MANIFEST_BYTES;

/// The manifest of a plugin. Field names that are not listed here are errors.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "selkies-plugin.json")]
pub struct Manifest {
    /// Where editors find the schema of this file; the host ignores it.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Names the plugin everywhere: `vendor.plugin`.
    pub id: PluginId,
    /// For people.
    pub name: String,
    /// Version of the plugin (semver). Independent of the host's version and of the ABI.
    pub version: Version,
    /// Who makes it.
    pub vendor: String,
    /// SPDX expression of its license.
    pub license: String,
    /// File name of the library, in the folder of this manifest.
    pub library: LibraryName,
    /// Ids of the tables that the library offers. The first that the host knows is the main one: when
    /// it is unusable the plugin is refused, while another one is only left out.
    #[serde(deserialize_with = "fields::some")]
    #[schemars(length(min = 1))]
    pub interfaces: Vec<InterfaceId>,
    /// What it is good for, so that lists can be filtered: `capture`, `display`, `cursor`, `clipboard`, `encoder`,
    /// `transport`, `input`, `gamepad`, `rtc-config`, `audio-capture`, `audio-encoder`, `audio-sink`.
    #[serde(deserialize_with = "fields::some")]
    #[schemars(length(min = 1))]
    pub kinds: Vec<Kind>,
    /// What it needs from the machine; shapes its sandbox.
    #[serde(default)]
    pub requires: Requires,
    /// Where it may run.
    #[serde(default)]
    pub isolation: Isolation,
    /// JSON Schema of the plugin's configuration. Without it any object is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Map<String, Value>>,
    /// SHA-256 of the library; when given, any other file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
}

/// What a plugin needs from the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requires {
    /// Sonames of libraries that it loads at run time (those it links are read from the library itself).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub libs: Vec<String>,
    /// Device files that it opens, `*` in the last part: `/dev/dri/renderD*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Opens network sockets.
    pub network: bool,
    /// Other files or folders that it reads, and folders with sockets that it connects to: absolute, or beginning with
    /// `~/` or `$XDG_RUNTIME_DIR/`. System folders (`/usr`, `/etc`, `/opt`, `/proc`, `/sys`) and the plugin's own need
    /// not be named. With `/tmp/.X11-unix` goes the file with the X server's key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// Where a plugin may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Isolation {
    /// Where it runs unless the operator says otherwise.
    pub default: Placement,
    /// Where it can run at all; empty means everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Placement>,
}

/// A place where a plugin's code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// In the host.
    InProcess,
    /// In a child of the host.
    #[default]
    Process,
}

impl Manifest {
    /// Reads a manifest file.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`], [`Refusal::TooLarge`], or [`Refusal::ManifestInvalid`] with line and column.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        Self::parse(&Self::read_text(path)?, path)
    }

    /// The text of a manifest file, of at most [`MAX_MANIFEST_BYTES`].
    pub(crate) fn read_text(path: &Path) -> Result<Vec<u8>, Refusal> {
        let (file, _) = files::open(path)?;
        let mut text = Vec::new();
        file.take(MAX_MANIFEST_BYTES as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|error| files::unreadable(path, &error))?;
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(Refusal::TooLarge {
                path: path.to_owned(),
                found: "a manifest of more than 256 KiB".into(),
                limit: "256 KiB".into(),
            });
        }
        Ok(text)
    }

    /// Reads manifest text; `path` is for the error.
    ///
    /// # Errors
    /// [`Refusal::ManifestInvalid`] with line and column.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, Refusal> {
        serde_json::from_slice(text).map_err(|error| {
            let full = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            Refusal::ManifestInvalid {
                path: path.to_owned(),
                line: error.line(),
                column: error.column(),
                reason: full.strip_suffix(&place).unwrap_or(&full).to_owned(),
            }
        })
    }

    /// True when `name` is a file name that manifests have.
    #[must_use]
    pub fn is_manifest_name(name: &str) -> bool {
        name == MANIFEST_NAME
            || name.strip_suffix(MANIFEST_NAME).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
    }

    /// The JSON Schema of manifests, as committed in `schemas/selkies-plugin.schema.json`.
    #[must_use]
    pub fn json_schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }
}
