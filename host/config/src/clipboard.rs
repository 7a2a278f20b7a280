//! Which way the clipboard goes.

use crate::{config::Config, value::Value};

/// What the operator allows of the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipboardRules {
    /// From browsers to the desktop.
    pub inward: bool,
    /// From the desktop to browsers.
    pub outward: bool,
    /// Pictures and lists of files, too, until a browser wishes otherwise.
    pub binary: bool,
    /// Browsers have no wish about that.
    pub binary_locked: bool,
}

impl Config {
    /// The rules of the clipboard: a direction is open where every setting about it opens it.
    #[must_use]
    pub fn clipboard(&self) -> ClipboardRules {
        let (enabled, both) = (self.bool("clipboard_enabled"), self.choice("enable_clipboard"));
        let binary = self.get("enable_binary_clipboard").map(|resolved| &resolved.value);
        ClipboardRules {
            inward: enabled && self.bool("clipboard_in_enabled") && matches!(both, "true" | "in"),
            outward: enabled && self.bool("clipboard_out_enabled") && matches!(both, "true" | "out"),
            binary: self.bool("enable_binary_clipboard"),
            binary_locked: matches!(binary, Some(Value::Bool { locked: true, .. })),
        }
    }

    /// The directions as 2.1.0 spells them.
    pub(crate) fn clipboard_directions(&self) -> &'static str {
        let ClipboardRules { inward, outward, .. } = self.clipboard();
        match (inward, outward) {
            (true, true) => "true",
            (true, false) => "in",
            (false, true) => "out",
            (false, false) => "false",
        }
    }
}
