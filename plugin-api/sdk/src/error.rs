//! Why a call failed and what the host should do about it.

use std::fmt;

use crate::abi;

/// What a plugin's function answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with the class that decides what the host does next.
///
/// | constructor | the host then |
/// |---|---|
/// | [`retry`](Self::retry) | tries again with the next frame or request |
/// | [`reconfigure`](Self::reconfigure) | makes a new instance with fresh parameters |
/// | [`fatal`](Self::fatal) | destroys the instance and falls back to the next plugin |
/// | [`fatal_plugin`](Self::fatal_plugin) | never uses the plugin again in this process |
/// | [`device_lost`](Self::device_lost) | falls back, and may return when the device does |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    class: i32,
    detail: i32,
    text: String,
}

impl Error {
    fn new(class: i32, text: impl Into<String>) -> Self {
        Self { class, detail: abi::DETAIL_UNSPECIFIED, text: text.into() }
    }

    /// This call failed, the next may succeed.
    #[must_use]
    pub fn retry(text: impl Into<String>) -> Self {
        Self::new(abi::CLASS_RETRY, text)
    }

    /// The parameters no longer fit.
    #[must_use]
    pub fn reconfigure(text: impl Into<String>) -> Self {
        Self::new(abi::CLASS_RECONFIGURE, text)
    }

    /// This instance is unusable.
    #[must_use]
    pub fn fatal(text: impl Into<String>) -> Self {
        Self::new(abi::CLASS_FATAL_INSTANCE, text)
    }

    /// The plugin is unusable in this process.
    #[must_use]
    pub fn fatal_plugin(text: impl Into<String>) -> Self {
        Self::new(abi::CLASS_FATAL_PLUGIN, text)
    }

    /// The device behind the instance is gone.
    #[must_use]
    pub fn device_lost(text: impl Into<String>) -> Self {
        Self::new(abi::CLASS_DEVICE_LOST, text)
    }

    /// The request is valid, but this plugin cannot do it.
    #[must_use]
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self::reconfigure(text).with_detail(abi::DETAIL_UNSUPPORTED)
    }

    /// The configuration is not usable.
    #[must_use]
    pub fn config(text: impl Into<String>) -> Self {
        Self::fatal(text).with_detail(abi::DETAIL_CONFIG)
    }

    /// An argument was out of its range.
    #[must_use]
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::retry(text).with_detail(abi::DETAIL_INVALID_ARGUMENT)
    }

    /// A function was called in a state that does not allow it.
    #[must_use]
    pub fn wrong_state(text: impl Into<String>) -> Self {
        Self::retry(text).with_detail(abi::DETAIL_WRONG_STATE)
    }

    /// The same failure with one of `DETAIL_*`.
    #[must_use]
    pub fn with_detail(mut self, detail: i32) -> Self {
        self.detail = detail;
        self
    }

    /// The failure that a host's status stands for.
    pub(crate) fn from_status(status: abi::Status, what: &str) -> Self {
        let class = match abi::class_of(status) {
            class @ abi::CLASS_RETRY..=abi::CLASS_DEVICE_LOST => class,
            // No failure at all, or one that nobody can act on: never let it pass for success.
            _ => abi::CLASS_FATAL_INSTANCE,
        };
        Self { class, detail: abi::detail_of(status), text: format!("{what} (status {status})") }
    }

    /// The status of the C ABI.
    #[must_use]
    pub fn status(&self) -> abi::Status {
        abi::failure(self.class, self.detail)
    }

    /// True for [`Error::device_lost`].
    pub(crate) fn is_device_lost(&self) -> bool {
        self.class == abi::CLASS_DEVICE_LOST
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
