//! The JSON of a browser's `SETTINGS,{...}` message (Selkies 2.1.0, and the names of its predecessor).

use serde_json::Value as Json;
use thiserror::Error;

use crate::table::{Setting, find_exact};

/// Longest JSON of a `SETTINGS` message, in bytes. Selkies' own page sends about 2 KiB.
pub const MAX_CLIENT_BYTES: usize = 64 * 1024;

/// Largest side of a browser's window, in pixels: that of an X screen.
const MAX_SIDE: u64 = 16384;

/// Longest text of one value, in bytes.
const MAX_VALUE_BYTES: usize = 256;

/// Keys that pages send besides settings, and that mean nothing to this crate.
const OTHER_KEYS: [&str; 9] = [
    "displayPosition",
    "displayScale",
    "audioRedundancy",
    "keyboardLayout",
    "encoderFallback",
    "picked",
    "ccStartKbps",
    "video_10bit",
    "cpu_encode_threading",
];

/// The screen that a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DisplayId {
    /// `primary`.
    #[default]
    Primary,
    /// `display2`.
    Second,
}

/// A `SETTINGS` message that is not taken. The page is wrong or hostile; its stream stays as it is.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Longer than [`MAX_CLIENT_BYTES`].
    #[error("SC020 SETTINGS: found {0} bytes, allowed {MAX_CLIENT_BYTES}")]
    TooLarge(usize),
    /// Not an object.
    #[error("SC021 SETTINGS: found no JSON object, allowed one")]
    NotAnObject,
    /// A screen that does not exist.
    #[error("SC022 SETTINGS: found an unknown displayId, allowed primary or display2")]
    UnknownDisplay,
}

/// What a page asks for. Nothing of it holds before [`Config::sanitize`](crate::Config::sanitize) has judged it.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    wishes: Vec<(&'static Setting, Json)>,
    unknown: usize,
    display: DisplayId,
    window: Option<(u32, u32)>,
    tab: Option<String>,
}

impl ClientSettings {
    /// Reads the JSON behind `SETTINGS,`. Unknown keys, and values that are neither boolean, number nor short text, are
    /// counted and dropped.
    ///
    /// # Errors
    /// [`ClientError`]; nothing of the message is used then.
    pub fn parse(json: &str) -> Result<Self, ClientError> {
        if json.len() > MAX_CLIENT_BYTES {
            return Err(ClientError::TooLarge(json.len()));
        }
        let Ok(Json::Object(members)) = serde_json::from_str(json) else {
            return Err(ClientError::NotAnObject);
        };
        let mut out = Self::default();
        let side = |key: &str| {
            let number = members.get(key)?.as_f64().filter(|side| *side >= 1.0)?;
            // The cast saturates.
            u32::try_from((number as u64).min(MAX_SIDE)).ok()
        };
        out.window = side("initialClientWidth").zip(side("initialClientHeight"));
        for (key, value) in members {
            match key.as_str() {
                "displayId" => {
                    out.display = match value.as_str() {
                        Some("primary") => DisplayId::Primary,
                        Some("display2") => DisplayId::Second,
                        _ => return Err(ClientError::UnknownDisplay),
                    }
                }
                "tabId" => {
                    out.tab = value.as_str().filter(|tab| tab.len() <= MAX_VALUE_BYTES).map(str::to_owned)
                }
                "initialClientWidth" | "initialClientHeight" => {}
                _ if OTHER_KEYS.contains(&key.as_str()) => {}
                _ => out.take(&key, value),
            }
        }
        Ok(out)
    }

    fn take(&mut self, key: &str, value: Json) {
        // The one setting that pages spell in their own way.
        let setting = find_exact(if key == "useCssScaling" { "use_css_scaling" } else { key });
        let is_plain = match &value {
            Json::Bool(_) | Json::Number(_) => true,
            Json::String(text) => text.len() <= MAX_VALUE_BYTES,
            _ => false,
        };
        match setting {
            // The two names of one setting: the later one wins, as in a repeated key.
            Some(setting) if is_plain && setting.wire.is_some() => {
                self.wishes.retain(|(known, _)| known.name != setting.name);
                self.wishes.push((setting, value));
            }
            // Pages send null for what the user never touched.
            Some(setting) if value.is_null() && setting.wire.is_some() => {}
            _ => self.unknown += 1,
        }
    }

    pub(crate) fn wishes(&self) -> impl Iterator<Item = (&'static Setting, &Json)> {
        self.wishes.iter().map(|(setting, value)| (*setting, value))
    }

    /// Number of keys that were dropped.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The screen that the page shows.
    #[must_use]
    pub fn display(&self) -> DisplayId {
        self.display
    }

    /// Width and height in pixels that the page has room for, each from 1 to 16384.
    #[must_use]
    pub fn window(&self) -> Option<(u32, u32)> {
        self.window
    }

    /// What tells a tab from another of the same browser.
    #[must_use]
    pub fn tab(&self) -> Option<&str> {
        self.tab.as_deref()
    }
}
