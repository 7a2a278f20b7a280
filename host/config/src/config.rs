//! A configuration without mistakes, and what the rest of the host asks it.

use std::path::PathBuf;

use crate::{
    file::ConfigFile,
    plugins::PluginRules,
    resolve::{Inactive, Resolved},
    table::Activity,
    value::{Secret, Value},
};

/// The encoder whose packets every browser decodes, in secure contexts and elsewhere.
const EVERYWHERE: &str = "jpeg";

/// Every setting with its value, and the sections of the file.
#[derive(Clone)]
pub struct Config {
    pub(crate) values: Vec<Resolved>,
    file: ConfigFile,
    rules: PluginRules,
    unknown_env: Vec<String>,
}

// Short, and without what the operator wrote into the file.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = self.values.iter().map(|resolved| (resolved.setting.name, &resolved.value));
        f.debug_map().entries(values).finish()
    }
}

/// The credentials that browsers must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicAuth {
    /// User name.
    pub user: String,
    /// Password, never empty.
    pub password: Secret,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Which links for further browsers are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// A second page may join at all.
    pub enabled: bool,
    /// View-only links (`#shared`) are open; implies `enabled`.
    pub view_only: bool,
    /// Links for the players 2, 3 and 4 (`#player2`...) are open; imply `enabled`.
    pub players: [bool; 3],
}

/// How gamepads of browsers reach programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GamepadSettings {
    /// They do at all.
    pub enabled: bool,
    /// As devices of the kernel; `None`: where that works and no interposer is in use.
    pub uinput: Option<bool>,
    /// Folder of the sockets for the interposer; `None`: the usual one.
    pub socket_path: Option<PathBuf>,
}

impl Config {
    pub(crate) fn new(
        values: Vec<Resolved>,
        file: ConfigFile,
        rules: PluginRules,
        unknown_env: Vec<String>,
    ) -> Self {
        Self { values, file, rules, unknown_env }
    }

    /// A setting by its name in the table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Resolved> {
        self.values.iter().find(|resolved| resolved.setting.name == name)
    }

    /// The sections of the file, or empty ones when there is no file.
    #[must_use]
    pub fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// Where plugins are found, and which of them may be used and where.
    #[must_use]
    pub fn plugin_rules(&self) -> &PluginRules {
        &self.rules
    }

    /// The settings that were given a value without effect, because their feature does not exist yet. A boolean that
    /// was set to false, or a choice of the default, is not among them: that is what happens anyway.
    pub fn not_active(&self) -> impl Iterator<Item = Inactive> + '_ {
        self.values.iter().filter(|resolved| resolved.is_explicit()).filter_map(|resolved| {
            let Activity::NotYet(feature) = resolved.setting.activity else { return None };
            let as_ever = match &resolved.value {
                Value::Bool { on, .. } => !on,
                Value::Choice { value, .. } => value == resolved.setting.default,
                Value::List(names) => names.is_empty(),
                _ => false,
            };
            let name = resolved.setting.name;
            (!as_ever).then(|| Inactive { name, feature, source: resolved.source.clone() })
        })
    }

    /// `SELKIES_*` variables that nobody reads: typing mistakes, or settings of other versions.
    #[must_use]
    pub fn unknown_env(&self) -> &[String] {
        &self.unknown_env
    }

    /// The explicitly configured encoders that the file's own list of encoders leaves out, so that they are not offered.
    /// Without such a list, what plugins offer is known only once they run.
    pub fn unlisted_encoders(&self) -> impl Iterator<Item = &str> {
        let listed = &self.file.encoders;
        let resolved = self.get("encoder").filter(|resolved| resolved.is_explicit() && !listed.is_empty());
        let menu = match resolved.map(|resolved| &resolved.value) {
            Some(Value::Choice { allowed, .. }) => allowed.as_slice(),
            _ => &[],
        };
        menu.iter().map(String::as_str).filter(|name| !listed.iter().any(|encoder| encoder.name == *name))
    }

    /// Tells which encoders are loaded, by the names of the setting. The setting keeps those of its menu that are there,
    /// or all that are there when none of its own is. Answers the explicitly configured names that were dropped.
    pub fn offer_encoders(&mut self, available: &[&str]) -> Vec<String> {
        let Some(resolved) = self.values.iter_mut().find(|resolved| resolved.setting.name == "encoder")
        else {
            return Vec::new();
        };
        let is_explicit = resolved.is_explicit();
        let Value::Choice { value, allowed } = &mut resolved.value else { return Vec::new() };
        let (mut kept, dropped): (Vec<String>, Vec<String>) =
            allowed.drain(..).partition(|name| available.contains(&name.as_str()));
        if kept.is_empty() || !is_explicit {
            for name in available {
                // Several plugins may offer an encoder of one name.
                if !kept.iter().any(|known| known == name) {
                    kept.push((*name).to_owned());
                }
            }
        }
        // Video needs WebCodecs, which browsers have in secure contexts only: without a choice, what every page decodes.
        if !is_explicit && kept.iter().any(|name| name == EVERYWHERE) {
            EVERYWHERE.clone_into(value);
        }
        if let (false, Some(first)) = (kept.contains(value), kept.first()) {
            value.clone_from(first);
        }
        *allowed = kept;
        if is_explicit { dropped } else { Vec::new() }
    }

    /// The encoders that the operator chose, in order; `None` when that is left to the host.
    #[must_use]
    pub fn chosen_encoders(&self) -> Option<&[String]> {
        let resolved = self.get("encoder").filter(|resolved| resolved.is_explicit())?;
        match &resolved.value {
            Value::Choice { allowed, .. } => Some(allowed),
            _ => None,
        }
    }

    /// Where an encoder stands among those that go on after a fault: in the order of an explicit setting; without one, what
    /// every page decodes comes first.
    #[must_use]
    pub fn encoder_place(&self, name: &str) -> usize {
        let Some(resolved) = self.get("encoder") else { return 0 };
        let Value::Choice { allowed, .. } = &resolved.value else { return 0 };
        let place = allowed.iter().position(|known| known == name).unwrap_or(allowed.len());
        if !resolved.is_explicit() && name == EVERYWHERE { 0 } else { place + 1 }
    }

    /// Addresses or host names to listen on.
    pub fn addr(&self) -> impl Iterator<Item = &str> {
        self.text("addr").split(',').map(str::trim)
    }

    /// Port to listen on; 0 for any.
    #[must_use]
    pub fn port(&self) -> u16 {
        u16::try_from(self.int("port")).unwrap_or_default()
    }

    /// Folder of the page; `None` for the page inside the host.
    #[must_use]
    pub fn web_root(&self) -> Option<PathBuf> {
        Some(self.text("web_root")).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// What browsers must log in with; `None`: nothing.
    #[must_use]
    pub fn basic_auth(&self) -> Option<BasicAuth> {
        let Value::Secret(password) = &self.get("basic_auth_password")?.value else { return None };
        (self.bool("enable_basic_auth") && !password.is_empty())
            .then(|| BasicAuth { user: self.text("basic_auth_user").into(), password: password.clone() })
    }

    /// Nobody needs to log in, whatever address is listened on.
    #[must_use]
    pub fn allow_unauthenticated(&self) -> bool {
        self.bool("allow_unauthenticated")
    }

    /// How the stream travels: `websockets` or `webrtc`.
    #[must_use]
    pub fn mode(&self) -> &str {
        self.choice("mode")
    }

    /// Both ways are served, and pages may choose.
    #[must_use]
    pub fn enable_dual_mode(&self) -> bool {
        self.bool("enable_dual_mode")
    }

    /// What the settings say of WebRTC, by the names that transports have for it in their configuration; only what was given.
    #[must_use]
    pub fn webrtc(&self) -> serde_json::Map<String, serde_json::Value> {
        let texts = [("port_range", "webrtc_port_range"), ("public_ip", "webrtc_public_ip")];
        let texts = texts.into_iter().map(|(key, name)| (key.to_owned(), self.text(name)));
        let given = texts.filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.into()));
        let control = ("congestion_control".to_owned(), self.bool("congestion_control").into());
        given.chain([control]).collect()
    }

    /// X display to stream, such as `:0`; `None`: one must be started.
    #[must_use]
    pub fn display(&self) -> Option<&str> {
        Some(self.text("display")).filter(|display| !display.is_empty())
    }

    /// Largest width and height of the X display that the host starts, in pixels.
    #[must_use]
    pub fn xvfb_max_size(&self) -> (u32, u32) {
        match self.get("xvfb_max_size").map(|resolved| &resolved.value) {
            Some(Value::Size { width, height }) => (*width, *height),
            _ => (0, 0),
        }
    }

    /// The screen follows the browser's window. Never in manual resolution mode.
    #[must_use]
    pub fn enable_resize(&self) -> bool {
        self.bool("enable_resize") && !self.bool("is_manual_resolution_mode")
    }

    /// The watermark's PNG file and the number of its place, 1 to 6; `None` where none is wanted.
    #[must_use]
    pub fn watermark(&self) -> Option<(PathBuf, i64)> {
        let (path, place) = (self.text("watermark_path").trim(), self.int("watermark_location"));
        (!path.is_empty() && place > 0).then(|| (path.into(), place))
    }

    /// Sides of the screen are multiples of 16, until a browser wishes otherwise; and whether browsers may have no wish.
    #[must_use]
    pub fn aligned_resolution(&self) -> (bool, bool) {
        let is_locked = self.get("force_aligned_resolution").is_some_and(|rule| rule.value.is_locked());
        (self.bool("force_aligned_resolution"), is_locked)
    }

    /// Which links for further browsers are open.
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        let enabled = self.bool("enable_sharing");
        let players = ["enable_player2", "enable_player3", "enable_player4"];
        Sharing {
            enabled,
            view_only: enabled && self.bool("enable_shared"),
            players: players.map(|player| enabled && self.bool(player)),
        }
    }

    /// How gamepads of browsers reach programs.
    #[must_use]
    pub fn gamepads(&self) -> GamepadSettings {
        let path = self.text("js_socket_path");
        GamepadSettings {
            enabled: self.bool("gamepad_enabled"),
            uinput: match self.choice("uinput_gamepad") {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            socket_path: (!path.is_empty()).then(|| path.into()),
        }
    }

    /// Older packets that a message of sound repeats for pages that lose some; 0 for none.
    #[must_use]
    pub fn sound_redundancy(&self) -> usize {
        if self.bool("audio_redundancy") {
            usize::try_from(self.int("audio_redundancy_distance")).unwrap_or(0)
        } else {
            0
        }
    }

    /// How a log line looks.
    #[must_use]
    pub fn log_format(&self) -> LogFormat {
        if self.choice("log_format") == "json" { LogFormat::Json } else { LogFormat::Text }
    }

    /// Least important messages that are logged: `error`, `warn`, `info`, `debug` or `trace`. The setting `debug` lowers
    /// it to `debug`.
    #[must_use]
    pub fn log_level(&self) -> &str {
        match self.choice("log_level") {
            "trace" => "trace",
            _ if self.bool("debug") => "debug",
            level => level,
        }
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        matches!(self.get(name).map(|resolved| &resolved.value), Some(Value::Bool { on: true, .. }))
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        match self.get(name).map(|resolved| &resolved.value) {
            Some(Value::Int(number)) => *number,
            Some(Value::Range { initial, .. }) => *initial,
            _ => 0,
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name).map(|resolved| &resolved.value) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn choice(&self, name: &str) -> &str {
        match self.get(name).map(|resolved| &resolved.value) {
            Some(Value::Choice { value, .. }) => value,
            _ => "",
        }
    }
}
