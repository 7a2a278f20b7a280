//! The five tables of this library. Each instance has a connection of its own.

mod capture;
mod clipboard;
mod cursor;
mod display;
mod input;

use std::sync::Arc;

use schemars::JsonSchema;
use selkies_plugin_sdk::Wake;
use serde::Deserialize;

pub use capture::{X11Capture, X11Run};
pub use clipboard::X11Clipboard;
pub use cursor::X11Cursor;
pub use display::X11Display;
pub use input::X11Input;

use crate::{connection::Waker, xsettings::Ownership};

/// Configuration of the X11 plugin, the same for all its tables.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The X server, for example ":0"; without it, $DISPLAY names it.
    #[schemars(length(max = 256))]
    pub display: Option<String>,
    /// When running programs are told the scale by the plugin itself, as a settings daemon would (XSETTINGS): "auto" where
    /// none runs and none is to be expected, "always" where none runs, or "never".
    pub xsettings: Ownership,
}

impl Config {
    fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }
}

impl Wake for Waker {
    fn wake(&self) {
        Waker::wake(self);
    }
}

fn shared(waker: Waker) -> Arc<dyn Wake> {
    Arc::new(waker)
}
