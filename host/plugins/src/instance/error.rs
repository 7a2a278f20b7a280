//! Why a call to a plugin failed.

use std::fmt;
use std::sync::Arc;

use selkies_plugin_abi::{self as abi, Status};
use serde::{Deserialize, Serialize};

use crate::{
    Ending, Refusal,
    services::{PluginAccount, said},
};

/// A call to a plugin that failed. Prints as one line: code, plugin, function, class, detail, text, remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {plugin} {function}: {class}, {detail}: {text}. {}", self.code(), self.remedy())]
pub struct PluginError {
    /// The plugin's id.
    pub plugin: Arc<str>,
    /// Table and function, `capture.grab`.
    pub function: &'static str,
    /// Who found the fault.
    pub origin: FaultOrigin,
    /// What the host does next.
    pub class: FaultClass,
    /// What kind of thing went wrong.
    pub detail: FaultDetail,
    /// What the plugin said about it, or the host's finding.
    pub text: String,
    /// How the plugin's process ended, where it did so by itself.
    pub ending: Option<Ending>,
    /// The plugin's process ended, and another error tells of that or another plugin is suspected: this one is no fault of
    /// its own. Or the host itself lacks what the call needs, or refuses the plugin's files.
    pub bystander: bool,
}

/// Who found a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultOrigin {
    /// SI001: the plugin reported it.
    Reported,
    /// SI002: the plugin broke the contract; the host found out.
    Contract,
    /// SI003: the table is missing, or lacks a function that it must have.
    Table,
    /// SI004: the instance failed for good in an earlier call.
    Poisoned,
    /// SI005: the host's own call does not fit the instance, or the host has no resources for it; the plugin was not called.
    Caller,
    /// SI006: the plugin's process ended.
    Died,
    /// SI007: the plugin's process did not answer in time, and was ended.
    Deadline,
    /// SI008: the plugin's process said what none of ours says, and was ended.
    Protocol,
}

/// What the host does after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultClass {
    /// Try again with the next frame or event.
    Retry,
    /// Destroy the instance and create one with fresh parameters.
    Reconfigure,
    /// Destroy the instance and fall back.
    FatalInstance,
    /// Create nothing from this plugin again.
    FatalPlugin,
    /// Fall back, and return later perhaps.
    DeviceLost,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultDetail {
    /// Nothing more than the text.
    Unspecified,
    /// An argument was out of its range.
    InvalidArgument,
    /// The plugin cannot do it.
    Unsupported,
    /// Memory, descriptors or slabs ran out.
    OutOfResources,
    /// A deadline passed.
    Timeout,
    /// The plugin panicked.
    Panic,
    /// Called in a state that does not allow it.
    WrongState,
    /// The system refused access.
    Permission,
    /// A named thing does not exist.
    NotFound,
    /// Reading, writing or a peer failed.
    Io,
    /// The plugin's configuration is not usable.
    Config,
    /// A number that this host does not know.
    Other(u8),
}

impl PluginError {
    /// Stable code, `SI` and three digits; see [`FaultOrigin`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.origin {
            FaultOrigin::Reported => "SI001",
            FaultOrigin::Contract => "SI002",
            FaultOrigin::Table => "SI003",
            FaultOrigin::Poisoned => "SI004",
            FaultOrigin::Caller => "SI005",
            FaultOrigin::Died => "SI006",
            FaultOrigin::Deadline => "SI007",
            FaultOrigin::Protocol => "SI008",
        }
    }

    /// What an operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match (self.origin, self.detail) {
            (FaultOrigin::Contract | FaultOrigin::Table, _) => {
                "This is a defect of the plugin: update it or report it to its vendor"
            }
            (FaultOrigin::Poisoned, _) => "See the error before this one",
            (FaultOrigin::Caller, FaultDetail::OutOfResources) => {
                "Free memory or raise the limits of the host (`ulimit -n` for descriptors); it tries again"
            }
            (FaultOrigin::Caller, FaultDetail::NotFound | FaultDetail::Permission | FaultDetail::Io) => {
                "Put the host's program back where it was started from, or restart the host; it tries again"
            }
            (FaultOrigin::Caller, FaultDetail::Timeout) => {
                "Give the machine less to do, or the host more of it; it tries again"
            }
            (FaultOrigin::Caller, _) => "The host asked for something that this plugin does not offer",
            (FaultOrigin::Died | FaultOrigin::Deadline, _) => {
                "The host starts it again or goes on with another plugin; update it or report it to its vendor"
            }
            (FaultOrigin::Protocol, _) => "Do not use this plugin: its code took its process over",
            (_, FaultDetail::Config) => "Correct the plugin's `config` in the configuration file",
            (_, FaultDetail::Permission) => "Give the host's user access to the device or file that is named",
            (_, FaultDetail::NotFound) => "Check that what is named exists and is running",
            (_, FaultDetail::OutOfResources) => "Free memory or raise the limits of the host",
            (_, FaultDetail::Panic) => "This is a defect of the plugin: update it or report it to its vendor",
            (_, FaultDetail::Unsupported) => "Choose other settings, or another plugin for this task",
            _ => match self.class {
                FaultClass::Retry => "The host tries again",
                FaultClass::Reconfigure => "The host starts the plugin with fresh parameters",
                FaultClass::DeviceLost => "Check the device; the host tries again by itself",
                FaultClass::FatalInstance => "The host makes a new instance, or goes on with another plugin",
                FaultClass::FatalPlugin => {
                    "The host goes on without this plugin, if it has another for this task"
                }
            },
        }
    }

    /// True when the instance can only be dropped.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.detail == FaultDetail::Panic
            || matches!(
                self.class,
                FaultClass::FatalInstance | FaultClass::FatalPlugin | FaultClass::DeviceLost
            )
    }

    /// True when the host itself lacks what the call needs: nobody's fault. The instance is as it was unless the error
    /// [is final](Self::is_final); then what it said was lost, and one like it can be made.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        self.origin == FaultOrigin::Caller && self.bystander && self.detail == FaultDetail::OutOfResources
    }

    /// A failure status and what was said about it.
    pub(crate) fn reported(
        account: &PluginAccount,
        function: &'static str,
        status: Status,
        text: String,
    ) -> Self {
        let Some(class) = FaultClass::of(status) else {
            return Self::contract(account, function, format!("answered {status}, which has no class"));
        };
        let text = if text.is_empty() { "the plugin gave no reason".to_owned() } else { text };
        let plugin = Arc::clone(&account.id);
        let detail = FaultDetail::of(status);
        Self {
            plugin,
            function,
            origin: FaultOrigin::Reported,
            class,
            detail,
            text,
            ending: None,
            bystander: false,
        }
    }

    /// What a failed call on this thread answered.
    pub(crate) fn from_call(account: &PluginAccount, function: &'static str, status: Status) -> Self {
        Self::reported(account, function, status, said::take(status))
    }

    /// A broken contract, which also goes to the log and the plugin's record.
    pub(crate) fn contract(account: &PluginAccount, function: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        account.misbehaving(function, &text);
        Self::noted_contract(account, function, text)
    }

    /// A broken contract that was noted when it happened.
    pub(crate) fn noted_contract(
        account: &PluginAccount,
        function: &'static str,
        text: impl Into<String>,
    ) -> Self {
        Self {
            plugin: Arc::clone(&account.id),
            function,
            origin: FaultOrigin::Contract,
            class: FaultClass::FatalInstance,
            detail: FaultDetail::InvalidArgument,
            text: text.into(),
            ending: None,
            bystander: false,
        }
    }

    /// A call that the host refuses to make.
    pub(crate) fn caller(
        account: &PluginAccount,
        function: &'static str,
        class: FaultClass,
        detail: FaultDetail,
        text: impl Into<String>,
    ) -> Self {
        let plugin = Arc::clone(&account.id);
        Self {
            plugin,
            function,
            origin: FaultOrigin::Caller,
            class,
            detail,
            text: text.into(),
            ending: None,
            bystander: false,
        }
    }

    /// A call for which the host itself has no descriptors, memory or processes: no fault of the plugin, and nothing ended.
    pub(crate) fn shortage(account: &PluginAccount, function: &'static str, text: impl Into<String>) -> Self {
        Self::of_host(account, function, FaultDetail::OutOfResources, text)
    }

    /// A call that the host itself cannot make now: no fault of the plugin, and nothing ended.
    pub(crate) fn of_host(
        account: &PluginAccount,
        function: &'static str,
        detail: FaultDetail,
        text: impl Into<String>,
    ) -> Self {
        Self { bystander: true, ..Self::caller(account, function, FaultClass::Retry, detail, text) }
    }

    /// The plugin's process is gone, with every instance in it.
    pub(crate) fn of_child(
        account: &PluginAccount,
        function: &'static str,
        origin: FaultOrigin,
        detail: FaultDetail,
        text: String,
    ) -> Self {
        let (plugin, class) = (Arc::clone(&account.id), FaultClass::FatalInstance);
        Self { plugin, function, origin, class, detail, text, ending: None, bystander: false }
    }

    /// The plugin was refused when its child was started again: its files changed, which is no fault of its code.
    pub(crate) fn refused(account: &PluginAccount, refusal: &Refusal) -> Self {
        let (class, detail) = (FaultClass::FatalPlugin, FaultDetail::Config);
        let error = Self::caller(account, "lifecycle.init", class, detail, refusal.to_string());
        Self { bystander: true, ..error }
    }

    pub(crate) fn table(plugin: &str, function: &'static str) -> Self {
        Self {
            plugin: plugin.into(),
            function,
            origin: FaultOrigin::Table,
            class: FaultClass::FatalPlugin,
            detail: FaultDetail::Unsupported,
            text: "the function is missing".into(),
            ending: None,
            bystander: false,
        }
    }

    /// A plugin that has no table with this id here, for this reason.
    pub(crate) fn no_table(plugin: &str, function: &'static str, id: &str, reason: &str) -> Self {
        let text = format!("{id} {reason}");
        Self { text, ..Self::table(plugin, function) }
    }

    pub(crate) fn poisoned(account: &PluginAccount, function: &'static str) -> Self {
        Self {
            plugin: Arc::clone(&account.id),
            function,
            origin: FaultOrigin::Poisoned,
            class: FaultClass::FatalInstance,
            detail: FaultDetail::WrongState,
            text: "the instance failed for good before".into(),
            ending: None,
            bystander: false,
        }
    }
}

impl FaultClass {
    fn of(status: Status) -> Option<Self> {
        Some(match abi::class_of(status) {
            abi::CLASS_RETRY => Self::Retry,
            abi::CLASS_RECONFIGURE => Self::Reconfigure,
            abi::CLASS_FATAL_INSTANCE => Self::FatalInstance,
            abi::CLASS_FATAL_PLUGIN => Self::FatalPlugin,
            abi::CLASS_DEVICE_LOST => Self::DeviceLost,
            _ => return None,
        })
    }
}

impl FaultDetail {
    fn of(status: Status) -> Self {
        match abi::detail_of(status) {
            abi::DETAIL_UNSPECIFIED => Self::Unspecified,
            abi::DETAIL_INVALID_ARGUMENT => Self::InvalidArgument,
            abi::DETAIL_UNSUPPORTED => Self::Unsupported,
            abi::DETAIL_OUT_OF_RESOURCES => Self::OutOfResources,
            abi::DETAIL_TIMEOUT => Self::Timeout,
            abi::DETAIL_PANIC => Self::Panic,
            abi::DETAIL_WRONG_STATE => Self::WrongState,
            abi::DETAIL_PERMISSION => Self::Permission,
            abi::DETAIL_NOT_FOUND => Self::NotFound,
            abi::DETAIL_IO => Self::Io,
            abi::DETAIL_CONFIG => Self::Config,
            // `detail_of` answers 0 to 255.
            other => Self::Other(u8::try_from(other).unwrap_or(u8::MAX)),
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry",
            Self::Reconfigure => "reconfigure",
            Self::FatalInstance => "fatal-instance",
            Self::FatalPlugin => "fatal-plugin",
            Self::DeviceLost => "device-lost",
        })
    }
}

impl fmt::Display for FaultDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::InvalidArgument => "invalid-argument",
            Self::Unsupported => "unsupported",
            Self::OutOfResources => "out-of-resources",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::WrongState => "wrong-state",
            Self::Permission => "permission",
            Self::NotFound => "not-found",
            Self::Io => "io",
            Self::Config => "config",
            Self::Other(number) => return write!(f, "detail-{number}"),
        })
    }
}
