//! What the operator may choose.

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Result};
use serde::Deserialize;

/// Longest name of a device.
const MAX_NAME: usize = 64;

/// Configuration of sound by PulseAudio.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server, as in PULSE_SERVER; without it, $PULSE_SERVER or the user's own.
    #[schemars(length(max = 1024))]
    pub server: Option<String>,
    /// The microphone: the sink that it is played into, which is made if there is none of this name.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub sink: String,
    /// The microphone: the source that applications record from, made likewise.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub source: String,
    /// The microphone becomes the source of those who name none, if the desktop has no other microphone.
    pub default_source: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: None,
            // The names of Selkies.
            sink: "input".into(),
            source: "SelkiesVirtualMic".into(),
            default_source: true,
        }
    }
}

impl Config {
    /// Names go into arguments of modules: nothing there may end them.
    pub(crate) fn checked(self) -> Result<Self> {
        let plain = |name: &str| {
            (1..=MAX_NAME).contains(&name.len())
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
        };
        if let Some(name) = [&self.sink, &self.source].into_iter().find(|name| !plain(name)) {
            return Err(Error::config(format!(
                "found the device {name:?}, allowed are 1 to {MAX_NAME} letters, digits, dots, dashes and underscores"
            )));
        }
        if self.server.as_ref().is_some_and(|server| server.contains('\0')) {
            return Err(Error::config("found a server with a NUL in its name"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_carry_arguments() {
        assert!(Config::default().checked().is_ok());
        for sink in ["", "a b", "a\"b", "input,x=1", &"x".repeat(65)] {
            assert!(Config { sink: sink.into(), ..Config::default() }.checked().is_err(), "{sink}");
        }
        assert!(Config { server: Some("unix:\0".into()), ..Config::default() }.checked().is_err());
    }
}
