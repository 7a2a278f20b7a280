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
        // What a child says of its own plugin is believed, the rest is for the host to say: it decides who is to blame.
        let origin = match origin {
            FaultOrigin::Contract => FaultOrigin::Contract,
            FaultOrigin::Table => FaultOrigin::Table,
            FaultOrigin::Reported
            | FaultOrigin::Poisoned
            | FaultOrigin::Caller
            | FaultOrigin::Died
            | FaultOrigin::Deadline
            | FaultOrigin::Protocol => FaultOrigin::Reported,
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    #[test]
    fn a_child_speaks_for_nobody_but_its_plugin() {
        let account = PluginAccount::new("test.plugin", Arc::new(AtomicU32::new(0)));
        for (said, heard) in [
            (FaultOrigin::Reported, FaultOrigin::Reported),
            (FaultOrigin::Contract, FaultOrigin::Contract),
            (FaultOrigin::Table, FaultOrigin::Table),
            (FaultOrigin::Poisoned, FaultOrigin::Reported),
            (FaultOrigin::Caller, FaultOrigin::Reported),
            (FaultOrigin::Died, FaultOrigin::Reported),
            (FaultOrigin::Deadline, FaultOrigin::Reported),
            (FaultOrigin::Protocol, FaultOrigin::Reported),
        ] {
            let (class, detail) = (FaultClass::FatalInstance, FaultDetail::OutOfResources);
            let (function, text) = ("encoder.submit".into(), "text".into());
            let error = WireError { function, origin: said, class, detail, text };
            let error = error.into_error(&account, "encoder.done");
            assert_eq!((error.origin, error.bystander), (heard, false), "{said:?}");
        }
    }
}
