//! The text half of the browser protocol: Selkies 2.1.0's WebSocket verbs, plus the extensions named below.
//!
//! [`ClientMessage::parse`] reads what a page sends, [`ServerMessage::render`] writes what the host answers. Both
//! directions are described once more in [`VERBS`], from which `schemas/wire/` is generated and against which the
//! tests check parser and renderer.
//!
//! Extensions to 2.1.0, none of which a stock page needs: `_ping,<t>` answered by `pong,<t>`, `_codecs`, answered by
//! `system,{"action":"encoder,<name>"}` then and whenever another encoder is used, and `reason` in `pipeline_status`.

mod channel;
mod client;
mod clipboard;
mod fields;
mod json;
mod parse;
mod schema;
mod server;
mod verbs;

pub use channel::channel_text;
pub use client::{ClientMessage, GamepadMessage, PointerMessage, RateControl, Tuning};
pub use clipboard::{CLIPBOARD_CHUNK_BYTES, ClipboardMessage, ClipboardMessages};
pub use json::{
    AuthSuccess, CommandEnded, CursorImage, DisplayConfigUpdate, DisplayLayout, DisplaySettings, GpuStats,
    NetworkStats, PipelineStatus, RoleName, RoleUpdate, ServerSettings, SettingsHead, StreamResolution,
    StreamStats, SystemAction, SystemStats,
};
pub use schema::schemas;
pub use server::ServerMessage;
pub use verbs::{Direction, VERBS, VerbSpec};

/// Largest ordinary client text, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// Largest `SETTINGS,` text, in bytes.
pub const MAX_SETTINGS: usize = 256 * 1024;
/// Largest `_stages` text, in bytes: 128 frames and their times.
pub const MAX_STAGES: usize = 4096;
/// Largest clipboard text (`cw`, `cb`, `cwd`, `cbd`), in bytes: one 750 KiB chunk in base64 and its header, doubled.
pub const MAX_CLIPBOARD_TEXT: usize = 2 * 1024 * 1024;

/// Why a client text was refused. Never fatal to the connection: the host counts it and goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The text is longer than its verb allows.
    #[error("wire/too-large: `{verb}` message of {len} bytes; at most {max} are allowed, send it in parts")]
    TooLarge {
        /// The verb, as far as it was recognised.
        verb: &'static str,
        /// Length of the text in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A field the verb needs is not there.
    #[error("wire/missing-field: `{verb}` has no {field}; see schemas/wire/client-text.schema.json")]
    MissingField {
        /// The verb.
        verb: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A field is not of the form the verb asks for.
    #[error("wire/bad-field: `{verb}` has an unreadable {field}; see schemas/wire/client-text.schema.json")]
    BadField {
        /// The verb.
        verb: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A number lies outside its range.
    #[error("wire/out-of-range: {field} of `{verb}` must be {range}")]
    OutOfRange {
        /// The verb.
        verb: &'static str,
        /// The field's name.
        field: &'static str,
        /// The allowed range, in words.
        range: &'static str,
    },
}

impl WireError {
    /// The stable code, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "wire/too-large",
            Self::MissingField { .. } => "wire/missing-field",
            Self::BadField { .. } => "wire/bad-field",
            Self::OutOfRange { .. } => "wire/out-of-range",
        }
    }
}
