//! The one line that a refusal prints.

use std::path::Path;

use super::Refusal;

/// Longest line that a refusal prints, in characters.
pub const MAX_LINE: usize = 300;

impl Refusal {
    pub(super) fn line(&self) -> String {
        let (subject, what, remedy) = self.parts();
        let line = format!("{} {}: {}; {remedy}", self.code(), subject, clip(&what, 150));
        clip(&(line + &self.remedy_for_one()), MAX_LINE)
    }

    /// The end of a remedy that names the plugin.
    fn remedy_for_one(&self) -> String {
        match self {
            Self::Quarantined { id, .. } => format!(" {}", clip(id, 64)),
            _ => String::new(),
        }
    }

    /// Subject, what is wrong, what to do.
    fn parts(&self) -> (String, String, &'static str) {
        match self {
            Self::Unreadable { path, reason } => {
                (shown(path), format!("cannot be read: {reason}"), "check the path and its permissions")
            }
            Self::ManifestMissing { path } => (
                shown(path),
                "a plugin without a manifest".into(),
                "put its selkies-plugin.json beside it, with \"library\" naming this file",
            ),
            Self::ManifestInvalid { path, line, column, reason } => (
                format!("{}:{line}:{column}", shown(path)),
                reason.clone(),
                "see schemas/selkies-plugin.schema.json",
            ),
            Self::PolicyDenied { id, rule } => (
                clip(id, 64),
                format!("excluded by {rule}"),
                "change the lists plugins.allow and plugins.deny",
            ),
            Self::UnsafePermissions { path, reason } => (
                shown(path),
                reason.clone(),
                "it must be owned by root or the host's user, not writable by others, inside the plugin folder",
            ),
            Self::HashMismatch { path, wanted, found } => (
                shown(path),
                format!("SHA-256 is {}, the manifest says {}", clip(found, 16), clip(wanted, 16)),
                "install library and manifest from the same release",
            ),
            Self::NotLibrary { path, found } => (
                shown(path),
                format!("not a shared library for this machine ({}): {found}", crate::elf::HOST_MACHINE_NAME),
                "install the build for this machine",
            ),
            Self::Truncated { path, wanted, found } => (
                shown(path),
                format!("truncated: {found} bytes, its headers need {wanted}"),
                "copy the file again",
            ),
            Self::NoEntry { path } => (
                shown(path),
                format!("not a plugin: exports no data symbol {}", selkies_plugin_abi::ENTRY_SYMBOL),
                "export the entry, see selkies_plugin.h",
            ),
            Self::MissingLibrary { path, library } => (
                shown(path),
                format!("needs {}, which is not installed", clip(library, 80)),
                "install the package with this library, or run ldconfig for its folder",
            ),
            Self::LinkFailed { path, reason } => {
                (shown(path), format!("cannot be linked: {reason}"), "build it for this system's libraries")
            }
            Self::WrongMagic { path, found } => (
                shown(path),
                format!("entry has magic {found:#018x}, wanted {:#018x}", selkies_plugin_abi::PLUGIN_MAGIC),
                "define the entry with SELKIES_PLUGIN_MAGIC or the SDK",
            ),
            Self::WrongEpoch { path, found } => (
                shown(path),
                format!(
                    "built for plugin ABI epoch {found}, this host has {}",
                    selkies_plugin_abi::ABI_EPOCH
                ),
                "install the build for this host's epoch",
            ),
            Self::EntryTooSmall { path, wanted, found } => (
                shown(path),
                format!("entry has {found} bytes, wanted at least {wanted}"),
                "rebuild it against selkies_plugin.h of this epoch",
            ),
            Self::EntryBroken { path, reason } => (
                shown(path),
                format!("entry breaks its contract: {reason}"),
                "report it to the plugin's vendor",
            ),
            Self::ManifestDisagrees { path, field, file, library } => (
                shown(path),
                format!(
                    "field {field} is {} in the manifest file, {} in the library",
                    clip(file, 48),
                    clip(library, 48)
                ),
                "install library and manifest from the same release",
            ),
            Self::TableMissing { id, table } => (
                clip(id, 64),
                format!("manifest names {}, the library has no such table", clip(table, 64)),
                "install library and manifest from the same release",
            ),
            Self::TableChanged { id, table, difference } => (
                clip(id, 64),
                format!("{} is not the published table: {difference}", clip(table, 64)),
                "rebuild it against the published plugin ABI",
            ),
            Self::TableIncomplete { id, table, function } => (
                clip(id, 64),
                format!("{}: function {function} is NULL", clip(table, 64)),
                "report it to the plugin's vendor",
            ),
            Self::NothingUsable { id, tables } => (
                clip(id, 64),
                format!("this host knows none of its tables ({tables})"),
                "update selkies-host or remove the plugin",
            ),
            Self::DuplicateId { id, path, first } => (
                clip(id, 64),
                format!("{} has the id of {}, which was found first", tail(path, 60), tail(first, 60)),
                "remove one of them",
            ),
            Self::TooLarge { path, found, limit } => (
                shown(path),
                format!("too large: {found}, the limit is {limit}"),
                "remove it from the plugin folder",
            ),
            Self::InitFailed { id, status } => (
                clip(id, 64),
                format!(
                    "initialisation failed: status {status} (class {}, detail {})",
                    selkies_plugin_abi::class_of(*status),
                    selkies_plugin_abi::detail_of(*status)
                ),
                "see the plugin's log lines before this one",
            ),
            Self::ConfigInvalid { id, pointer, reason } => (
                clip(id, 64),
                if pointer.is_empty() {
                    format!("configuration: {reason}")
                } else {
                    format!("configuration {}: {reason}", clip(pointer, 60))
                },
                "see selkies-host plugins inspect for its schema",
            ),
            Self::SchemaInvalid { id, reason } => {
                (clip(id, 64), format!("config_schema: {reason}"), "report it to the plugin's vendor")
            }
            Self::NoPlacement { id } => (
                clip(id, 64),
                "its manifest lets it run inside the host only, the operator does not".into(),
                "to trust it like the host itself, add its id to plugins.isolation.allow-in-process",
            ),
            Self::TransportInChild { id } => (
                clip(id, 64),
                "a transport runs inside the host only, and the operator or its manifest forbids that".into(),
                "to trust it like the host itself, add its id to plugins.isolation.allow-in-process",
            ),
            Self::SignatureMissing { path, trusted } => (
                shown(path),
                format!("no signature; wanted one of {}", clip(trusted, 100)),
                "sign the manifest (minisign -S -m) or install a signed release",
            ),
            Self::SignatureUnreadable { path, reason } => (
                shown(path),
                format!("the signature cannot be read: {reason}"),
                "sign the manifest again (minisign -S -m) or install a signed release",
            ),
            Self::SignatureUntrusted { path, key, trusted } => (
                shown(path),
                format!("signed with key {}, wanted one of {}", clip(key, 16), clip(trusted, 100)),
                "add the public key to plugins.trusted_keys if you trust its owner",
            ),
            Self::SignatureWrong { path, key } => (
                shown(path),
                format!(
                    "not the signature of this manifest, though it names the trusted key {}",
                    clip(key, 16)
                ),
                "install manifest and signature from the same release",
            ),
            Self::HashMissing { path } => (
                shown(path),
                "no sha256, so its signature does not cover the library".into(),
                "add the library's sha256 to the manifest and sign it again",
            ),
            Self::SafeMode { id, reason } => (
                clip(id, 64),
                format!("safe mode: {reason}"),
                "start without --safe-mode and SELKIES_SAFE_MODE",
            ),
            Self::Swapped { path } => (
                shown(path),
                "changed after it was judged and before it was loaded".into(),
                "put a new version there as a whole, then run selkies-host plugins reload",
            ),
            Self::Quarantined { id, since, reason } => (
                clip(id, 64),
                format!("quarantined since {}: {reason}", clip(since, 24)),
                "replace its library, or run selkies-host plugins clear",
            ),
            Self::Unknown { id, known } => (
                clip(id, 64),
                format!("no usable plugin has this id; found: {known}"),
                "see selkies-host plugins list",
            ),
        }
    }
}

/// `path`'s last characters, at most 90.
fn shown(path: &Path) -> String {
    tail(path, 90)
}

fn tail(path: &Path, max: usize) -> String {
    let text = one_line(&path.display().to_string());
    let count = text.chars().count();
    if count <= max {
        return text;
    }
    let mut cut = String::from("…");
    cut.extend(text.chars().skip(count - (max - 1)));
    cut
}

/// `text` on one line, at most `max` characters.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= max {
        return text;
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// White space becomes one space, other control characters and those that change the direction of writing their escapes:
/// file names and plugins must not forge log lines.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn hostile_texts_stay_on_one_short_line() {
        let refusal = Refusal::LinkFailed {
            path: PathBuf::from(format!("/{}\n\x1b[31m/x.so", "long/".repeat(200))),
            reason: "first\nsecond\r\n".repeat(300),
        };
        let line = refusal.to_string();
        assert!(line.starts_with("SP011 "), "{line}");
        assert!(line.chars().count() <= MAX_LINE, "{}", line.len());
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.ends_with("build it for this system's libraries"), "the remedy survives: {line}");
    }

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(one_line("a\x1b[31m\tb\r\n\u{202e}c\u{0}"), "a\\u{1b}[31m b \\u{202e}c\\u{0}");
    }
}
