//! What can go wrong with an X server, and what to do about it.

use selkies_plugin_sdk::{Error, abi};
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};

/// What this crate's functions answer.
pub type Result<T, E = X11Error> = std::result::Result<T, E>;

/// A failure, with a stable code at the start of its text.
#[derive(Debug, thiserror::Error)]
pub enum X11Error {
    /// Nothing names a server.
    #[error(
        "X11_NO_DISPLAY: neither the configuration nor $DISPLAY names an X server; set \"display\", for example to \":0\""
    )]
    NoDisplay,
    /// The server did not take the connection.
    #[error(
        "X11_REFUSED: no connection to the X server {display:?}: {reason}; check that it runs and that XAUTHORITY names \
         its cookie file"
    )]
    Refused {
        /// The display as it was named.
        display: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The connection broke: the server ended or closed it.
    #[error("X11_LOST: the X server is gone ({reason}); start it again")]
    DisplayLost {
        /// What the socket said.
        reason: String,
    },
    /// The server lacks an extension.
    #[error("X11_EXTENSION: the X server does not offer {name} {needed}; enable it or use another server")]
    MissingExtension {
        /// The extension's name.
        name: &'static str,
        /// The oldest version that works.
        needed: &'static str,
    },
    /// The pixels of the root window are not 32-bit BGRX.
    #[error(
        "X11_PIXELS: the root window has {found}; start the X server with depth 24 in 32-bit little-endian pixels (Xvfb: \
         -screen 0 WxHx24)"
    )]
    UnsupportedPixels {
        /// What it has.
        found: String,
    },
    /// File descriptors cannot be passed to the server.
    #[error("X11_REMOTE: the display is not on this machine's Unix socket; name it as \":N\"")]
    NotLocal,
    /// An argument was out of range; the text says which and what is allowed.
    #[error("X11_ARGUMENT: {0}")]
    InvalidArgument(String),
    /// The server or its driver cannot do it.
    #[error("X11_UNSUPPORTED: {0}")]
    Unsupported(String),
    /// A named thing does not exist.
    #[error("X11_NOT_FOUND: {0}")]
    NotFound(String),
    /// The owner of a selection does not answer.
    #[error("X11_SILENT: the application that copied does not give its content; copy again, or restart it")]
    Silent,
    /// A content is larger than was asked for.
    #[error(
        "X11_TOO_LARGE: the copied content has more than {limit} bytes; copy less, or transfer it as a file"
    )]
    TooLarge {
        /// Most bytes.
        limit: usize,
    },
    /// The screen changed its size while it was captured.
    #[error("X11_RESIZED: the screen is {width}x{height} now; start the capture again with that size")]
    Resized {
        /// New width in pixels.
        width: u32,
        /// New height in pixels.
        height: u32,
    },
    /// The operating system refused a resource.
    #[error("X11_SYSTEM: {what}: {source}; check the limits on descriptors and memory")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it answered.
        source: std::io::Error,
    },
    /// The server answered a request with an error.
    #[error("X11_REQUEST: the X server refused {request}: {reason}")]
    Request {
        /// The request.
        request: String,
        /// The X error.
        reason: String,
    },
}

impl X11Error {
    /// True when the connection is of no more use.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::DisplayLost { .. })
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self::System { what, source: errno.into() }
    }

    pub(crate) fn connect(display: &str, error: &ConnectError) -> Self {
        Self::Refused { display: display.to_owned(), reason: error.to_string() }
    }
}

impl From<ConnectionError> for X11Error {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::FdPassingFailed => Self::NotLocal,
            ConnectionError::UnsupportedExtension => {
                Self::Unsupported("the X server lacks an extension".into())
            }
            // A connection that cannot be read or written, or whose bytes make no sense, has no next request.
            other => Self::DisplayLost { reason: other.to_string() },
        }
    }
}

impl From<ReplyError> for X11Error {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(error) => Self::Request {
                request: match (error.extension_name.as_deref(), error.request_name) {
                    (Some(extension), Some(name)) => format!("{extension} {name}"),
                    (None, Some(name)) => name.to_owned(),
                    _ => format!("request {}.{}", error.major_opcode, error.minor_opcode),
                },
                reason: format!("{:?}, value {:#x}", error.error_kind, error.bad_value),
            },
        }
    }
}

impl From<ReplyOrIdError> for X11Error {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::ConnectionError(error) => error.into(),
            ReplyOrIdError::X11Error(error) => ReplyError::X11Error(error).into(),
            ReplyOrIdError::IdsExhausted => Self::Unsupported("the X server has no more resource ids".into()),
        }
    }
}

impl From<X11Error> for Error {
    fn from(error: X11Error) -> Self {
        let text = error.to_string();
        match error {
            X11Error::NoDisplay => Self::config(text),
            X11Error::Refused { .. } | X11Error::DisplayLost { .. } => {
                Self::device_lost(text).with_detail(abi::DETAIL_IO)
            }
            X11Error::MissingExtension { .. } | X11Error::UnsupportedPixels { .. } | X11Error::NotLocal => {
                Self::fatal(text).with_detail(abi::DETAIL_UNSUPPORTED)
            }
            X11Error::InvalidArgument(_) => Self::invalid(text),
            X11Error::Unsupported(_) => Self::retry(text).with_detail(abi::DETAIL_UNSUPPORTED),
            X11Error::NotFound(_) => Self::retry(text).with_detail(abi::DETAIL_NOT_FOUND),
            X11Error::Silent => Self::retry(text).with_detail(abi::DETAIL_TIMEOUT),
            X11Error::TooLarge { .. } => Self::retry(text).with_detail(abi::DETAIL_OUT_OF_RESOURCES),
            X11Error::Resized { .. } => Self::reconfigure(text),
            X11Error::System { .. } => Self::retry(text).with_detail(abi::DETAIL_OUT_OF_RESOURCES),
            X11Error::Request { .. } => Self::retry(text).with_detail(abi::DETAIL_IO),
        }
    }
}
