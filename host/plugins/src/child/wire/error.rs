//! Errors of calls, as a child answers them.

use serde::{Deserialize, Serialize};

use super::known_function;
use crate::{FaultClass, FaultDetail, FaultOrigin, PluginError, refusal::one_line, services::PluginAccount};

/// Longest text of an error, in bytes; what `fail` takes, and what our own texts may add.
const MAX_TEXT: usize = 2048;

/// A [`PluginError`] without the plugin's id, which the host knows.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireError {
    function: String,
    origin: FaultOrigin,
    class: FaultClass,
    detail: FaultDetail,
    text: String,
}

impl From<PluginError> for WireError {
    fn from(error: PluginError) -> Self {
        let PluginError { function, origin, class, detail, text, .. } = error;
        Self { function: function.to_owned(), origin, class, detail, text }
    }
}

impl WireError {
    /// The error of the host's call of `function`.
    pub(crate) fn into_error(self, account: &PluginAccount, function: &'static str) -> PluginError {
        let Self { function: named, origin, class, detail, mut text } = self;
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        // Only the host can know these.
        let origin = match origin {
            FaultOrigin::Died | FaultOrigin::Deadline | FaultOrigin::Protocol => FaultOrigin::Reported,
            other => other,
        };
        PluginError {
            plugin: std::sync::Arc::clone(&account.id),
            function: known_function(&named).unwrap_or(function),
            origin,
            class,
            detail,
            text: one_line(&text),
            ending: None,
            bystander: false,
        }
    }
}
