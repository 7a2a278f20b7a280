//! Why a plugin, or one of its tables, is not used: one line each, with a stable code.

mod line;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use line::MAX_LINE;
pub(crate) use line::{clip, one_line};

/// Why a plugin is not used. Prints as one line: code, subject, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", self.line())]
#[non_exhaustive]
pub enum Refusal {
    /// SP001: a folder or file cannot be read.
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// SP002: a library exports the entry, and no manifest beside it names it.
    ManifestMissing {
        /// The library.
        path: PathBuf,
    },
    /// SP003: the manifest cannot be understood.
    ManifestInvalid {
        /// The manifest.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// SP004: the operator's lists exclude this plugin.
    PolicyDenied {
        /// The plugin's id.
        id: String,
        /// The rule that decided.
        rule: String,
    },
    /// SP005: someone else could replace the file, or it lies outside its folder.
    UnsafePermissions {
        /// The file or folder.
        path: PathBuf,
        /// What is unsafe.
        reason: String,
    },
    /// SP006: the library is not the one the manifest describes.
    HashMismatch {
        /// The library.
        path: PathBuf,
        /// The manifest's SHA-256.
        wanted: String,
        /// The file's SHA-256.
        found: String,
    },
    /// SP007: the file is not a shared library for this machine.
    NotLibrary {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// SP008: the file ends before its own tables say.
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that its tables need.
        wanted: u64,
        /// Bytes that exist.
        found: u64,
    },
    /// SP009: a library, but not a plugin.
    NoEntry {
        /// The library.
        path: PathBuf,
    },
    /// SP010: a library that the plugin links is not installed.
    MissingLibrary {
        /// The plugin's library.
        path: PathBuf,
        /// The one that is missing.
        library: String,
    },
    /// SP011: the dynamic linker refuses the library for another reason.
    LinkFailed {
        /// The library.
        path: PathBuf,
        /// What the linker says.
        reason: String,
    },
    /// SP012: the entry does not begin with the magic number.
    WrongMagic {
        /// The library.
        path: PathBuf,
        /// What is there instead.
        found: u64,
    },
    /// SP013: built for another epoch of the ABI.
    WrongEpoch {
        /// The library.
        path: PathBuf,
        /// The plugin's epoch.
        found: u32,
    },
    /// SP014: the entry is smaller than this host's.
    EntryTooSmall {
        /// The library.
        path: PathBuf,
        /// Bytes this host reads.
        wanted: u64,
        /// Bytes the plugin has.
        found: u64,
    },
    /// SP015: the entry breaks its contract (no `query`, no readable manifest, tables for unknown ids).
    EntryBroken {
        /// The library.
        path: PathBuf,
        /// Which rule is broken.
        reason: String,
    },
    /// SP016: the manifest in the library differs from the file.
    ManifestDisagrees {
        /// The library.
        path: PathBuf,
        /// The differing field.
        field: String,
        /// The file's value.
        file: String,
        /// The library's value.
        library: String,
    },
    /// SP017: the manifest names a table that the library does not offer.
    TableMissing {
        /// The plugin's id.
        id: String,
        /// The table's id.
        table: String,
    },
    /// SP018: a table is not the one published under its id.
    TableChanged {
        /// The plugin's id.
        id: String,
        /// The table's id.
        table: String,
        /// The first difference.
        difference: String,
    },
    /// SP019: a table has a NULL function.
    TableIncomplete {
        /// The plugin's id.
        id: String,
        /// The table's id.
        table: String,
        /// The function.
        function: String,
    },
    /// SP020: this host knows none of the plugin's tables.
    NothingUsable {
        /// The plugin's id.
        id: String,
        /// The tables it offers.
        tables: String,
    },
    /// SP021: another plugin with this id was found before.
    DuplicateId {
        /// The plugin's id.
        id: String,
        /// The manifest that is refused.
        path: PathBuf,
        /// The manifest that is used.
        first: PathBuf,
    },
    /// SP022: a file or folder is larger than the host accepts.
    TooLarge {
        /// The file or folder.
        path: PathBuf,
        /// What was found, with its unit.
        found: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// SP023: the plugin's `init` failed.
    InitFailed {
        /// The plugin's id.
        id: String,
        /// The status that `init` answered.
        status: i32,
    },
    /// SP024: no plugin with this id was found.
    Unknown {
        /// The id asked for.
        id: String,
        /// The ids that exist.
        known: String,
    },
    /// SP025: the configuration does not fit the plugin's schema.
    ConfigInvalid {
        /// The plugin's id.
        id: String,
        /// JSON pointer of the value; empty for the whole.
        pointer: String,
        /// What is wrong. Never quotes the value, which may be a secret.
        reason: String,
    },
    /// SP026: the plugin's `config_schema` is not a usable JSON Schema.
    SchemaInvalid {
        /// The plugin's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// SP027: the operator does not let it run where its manifest wants to.
    NoPlacement {
        /// The plugin's id.
        id: String,
    },
    /// SP035: a transport that the operator does not let run inside the host.
    TransportInChild {
        /// The plugin's id.
        id: String,
    },
    /// SP028: signatures are required, and the manifest has none.
    SignatureMissing {
        /// The signature's file that is not there.
        path: PathBuf,
        /// Ids of the trusted keys.
        trusted: String,
    },
    /// SP029: signatures are required, and the manifest's cannot be read.
    SignatureUnreadable {
        /// The signature.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// SP030: signatures are required, and the manifest's is of a key that is not trusted.
    SignatureUntrusted {
        /// The signature.
        path: PathBuf,
        /// Id of the key that made it.
        key: String,
        /// Ids of the trusted keys.
        trusted: String,
    },
    /// SP031: the signature of a trusted key does not fit the manifest.
    SignatureWrong {
        /// The signature.
        path: PathBuf,
        /// Id of the key that it names.
        key: String,
    },
    /// SP032: signatures are required, and the manifest has no SHA-256 by which its signature would cover the library.
    HashMissing {
        /// The manifest.
        path: PathBuf,
    },
    /// SP033: safe mode runs only the plugins that came with the host.
    SafeMode {
        /// The plugin's id.
        id: String,
        /// Why it is none of those.
        reason: String,
    },
    /// SP036: the file is not the one any more that was judged a moment ago.
    Swapped {
        /// The manifest or the library.
        path: PathBuf,
    },
    /// SP034: it failed too often.
    Quarantined {
        /// The plugin's id.
        id: String,
        /// Since when, in UTC (RFC 3339).
        since: String,
        /// The faults.
        reason: String,
    },
}

impl Refusal {
    /// The stable code, `SP001` and up. A code never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SP001",
            Self::ManifestMissing { .. } => "SP002",
            Self::ManifestInvalid { .. } => "SP003",
            Self::PolicyDenied { .. } => "SP004",
            Self::UnsafePermissions { .. } => "SP005",
            Self::HashMismatch { .. } => "SP006",
            Self::NotLibrary { .. } => "SP007",
            Self::Truncated { .. } => "SP008",
            Self::NoEntry { .. } => "SP009",
            Self::MissingLibrary { .. } => "SP010",
            Self::LinkFailed { .. } => "SP011",
            Self::WrongMagic { .. } => "SP012",
            Self::WrongEpoch { .. } => "SP013",
            Self::EntryTooSmall { .. } => "SP014",
            Self::EntryBroken { .. } => "SP015",
            Self::ManifestDisagrees { .. } => "SP016",
            Self::TableMissing { .. } => "SP017",
            Self::TableChanged { .. } => "SP018",
            Self::TableIncomplete { .. } => "SP019",
            Self::NothingUsable { .. } => "SP020",
            Self::DuplicateId { .. } => "SP021",
            Self::TooLarge { .. } => "SP022",
            Self::InitFailed { .. } => "SP023",
            Self::Unknown { .. } => "SP024",
            Self::ConfigInvalid { .. } => "SP025",
            Self::SchemaInvalid { .. } => "SP026",
            Self::NoPlacement { .. } => "SP027",
            Self::SignatureMissing { .. } => "SP028",
            Self::SignatureUnreadable { .. } => "SP029",
            Self::SignatureUntrusted { .. } => "SP030",
            Self::SignatureWrong { .. } => "SP031",
            Self::HashMissing { .. } => "SP032",
            Self::SafeMode { .. } => "SP033",
            Self::Quarantined { .. } => "SP034",
            Self::TransportInChild { .. } => "SP035",
            Self::Swapped { .. } => "SP036",
        }
    }
}
