//! What plugins did wrong, for those who keep count and those who must know.

use std::sync::Arc;

use selkies_plugin_host::{FaultClass, FaultOrigin, PluginError};

use crate::Backend;

/// A plugin's instance failed so that another one, or another plugin, has to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFault {
    /// The plugin's id.
    pub plugin: Arc<str>,
    /// Its version.
    pub version: String,
    /// What it was doing: `encoder`, `capture`, `display`, `cursor`, `input`, `gamepad`.
    pub part: &'static str,
    /// Stable code of the error.
    pub code: &'static str,
    /// The last call, `encoder.submit`.
    pub call: &'static str,
    /// The error in one line, with its remedy.
    pub text: String,
    /// What the host does after such an error: `fatal-instance` and the like.
    pub class: String,
    /// How the plugin's process ended, where it did: `killed by SIGSEGV (11)`.
    pub ending: Option<String>,
    /// True when the plugin, not a device or a peer of it, is to blame, and no other fault tells of the same end: only such
    /// faults count towards its quarantine.
    pub counts: bool,
}

/// What is to become of a plugin after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultVerdict {
    /// It may be started again.
    Again,
    /// Nothing is made from it until it is admitted again.
    Barred,
}

impl PluginFault {
    /// The fault of a plugin that does not return from `call`, found by the host's media threads.
    pub(crate) fn hang(backend: &Backend, code: &'static str, call: &'static str, text: String) -> Self {
        Self {
            plugin: backend.plugin.id().into(),
            version: backend.plugin.version().to_owned(),
            part: "encoder",
            code,
            call,
            text,
            class: FaultClass::FatalInstance.to_string(),
            ending: None,
            counts: true,
        }
    }

    /// The fault of `error`, or `None` when the instance may go on.
    pub(crate) fn of(error: &PluginError, part: &'static str, version: &str) -> Option<Self> {
        // A poisoned instance repeats what was told before, and what the host lacks is nobody's fault.
        if !error.is_final() || error.origin == FaultOrigin::Poisoned || error.is_shortage() {
            return None;
        }
        Some(Self {
            plugin: error.plugin.clone(),
            version: version.to_owned(),
            part,
            code: error.code(),
            call: error.function,
            text: error.to_string(),
            class: error.class.to_string(),
            ending: error.ending.map(|ending| ending.to_string()),
            counts: error.class != FaultClass::DeviceLost && !error.bystander,
        })
    }
}

#[cfg(test)]
mod tests {
    use selkies_plugin_host::FaultDetail;

    use super::*;
    use crate::encoding::severity;

    #[test]
    fn what_the_host_lacked_is_no_fault_of_the_plugin_although_its_instance_is_lost() {
        let died = PluginError {
            plugin: "acme.enc".into(),
            function: "encoder.submit",
            origin: FaultOrigin::Caller,
            class: FaultClass::FatalInstance,
            detail: FaultDetail::OutOfResources,
            text: "no descriptors".into(),
            ending: None,
            bystander: true,
        };
        assert_eq!(PluginFault::of(&died, "encoder", "1.0.0"), None);
        assert_eq!(severity(&died), None, "another one is made, without a rest");
        // What the plugin itself calls a lack of memory is its own.
        let own = PluginError { origin: FaultOrigin::Reported, bystander: false, ..died };
        assert!(PluginFault::of(&own, "encoder", "1.0.0").is_some_and(|fault| fault.counts));
        assert!(severity(&own).is_some());
    }
}
