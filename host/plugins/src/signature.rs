//! Who vouches for a plugin: a detached signature of its manifest, whose `sha256` covers the library.
//!
//! The format is minisign's (<https://jedisct1.github.io/minisign/>): Ed25519 over the BLAKE2b-512 of the file. The
//! signature lies beside the manifest and has its name with `.minisig` behind it, as `minisign -S -m` writes it.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use minisign_verify::{Error, PublicKey, Signature};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Refusal, files, refusal::clip};

/// What a signature's file name has behind the manifest's.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// Largest signature or key file in bytes. A real one has about 300.
pub const MAX_SIGNATURE_BYTES: u64 = 8 * 1024;

/// Bytes of a key's id, which follow the two of the algorithm in keys and signatures.
const KEY_ID: std::ops::Range<usize> = 2..10;

/// A public key whose signatures the operator believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    key: PublicKey,
    id: String,
}

/// Why a public key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or others can change it.
    #[error("{0}")]
    Unusable(Refusal),
    /// The text is no public key of minisign.
    #[error(
        "found {found:?}, wanted a public key of minisign: the line that begins with RW, or its .pub file"
    )]
    Invalid {
        /// The text's beginning.
        found: String,
    },
}

impl TrustedKey {
    /// Reads a key from its line (`RW...`) or from the text of a `.pub` file.
    ///
    /// # Errors
    /// [`KeyError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let invalid = || KeyError::Invalid { found: clip(text, 60) };
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or_else(invalid)?;
        let key = PublicKey::from_base64(line).map_err(|_| invalid())?;
        Ok(Self { key, id: key_id(line).ok_or_else(invalid)? })
    }

    /// Reads a `.pub` file, which nobody else may be able to change.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        files::owned_well(path).map_err(KeyError::Unusable)?;
        let text = read_text(path).map_err(KeyError::Unusable)?;
        Self::parse(&text)
    }

    /// The key's id, as minisign prints it: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// What is known about a manifest's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SignatureState {
    /// There is none.
    Unsigned,
    /// It cannot be read.
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// Made with a key that is not trusted; not checked any further.
    UnknownKey {
        /// The key's id.
        key: String,
    },
    /// Claims to be of a trusted key, and does not fit the manifest.
    Wrong {
        /// The key's id.
        key: String,
    },
    /// Made with a trusted key over exactly this manifest.
    Verified {
        /// The key's id.
        key: String,
    },
}

impl SignatureState {
    /// For people, in a few words.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Unsigned => "unsigned".into(),
            Self::Unreadable { .. } => "signature unreadable".into(),
            Self::UnknownKey { key } => format!("signed with {key}, which is not trusted"),
            Self::Wrong { key } => format!("signature wrong (key {key})"),
            Self::Verified { key } => format!("signed with {key}"),
        }
    }

    /// Judges it. A signature of a trusted key that does not fit is refused even when none is required: somebody changed
    /// the manifest after it was signed.
    pub(crate) fn admit(&self, manifest: &Path, keys: &[TrustedKey], required: bool) -> Result<(), Refusal> {
        let path = signature_path(manifest);
        match self {
            Self::Verified { .. } => Ok(()),
            Self::Wrong { key } => Err(Refusal::SignatureWrong { path, key: key.clone() }),
            _ if !required => Ok(()),
            Self::Unsigned => Err(Refusal::SignatureMissing { path, trusted: ids(keys) }),
            Self::Unreadable { reason } => Err(Refusal::SignatureUnreadable { path, reason: reason.clone() }),
            Self::UnknownKey { key } => {
                Err(Refusal::SignatureUntrusted { path, key: key.clone(), trusted: ids(keys) })
            }
        }
    }
}

/// Where the signature of a manifest lies.
#[must_use]
pub fn signature_path(manifest: &Path) -> PathBuf {
    let mut name: OsString = manifest.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    PathBuf::from(name)
}

/// Checks the signature beside `manifest`, whose content is `text`: the same bytes that were parsed.
pub(crate) fn check(manifest: &Path, text: &[u8], keys: &[TrustedKey]) -> SignatureState {
    let path = signature_path(manifest);
    if std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return SignatureState::Unsigned;
    }
    let unreadable = |reason: String| SignatureState::Unreadable { reason: clip(&reason, 100) };
    let signature = match read_text(&path) {
        Ok(signature) => signature,
        Err(Refusal::Unreadable { reason, .. }) => return unreadable(reason),
        Err(refusal) => return unreadable(refusal.to_string()),
    };
    let key = signature.lines().nth(1).and_then(key_id);
    let (Ok(signature), Some(key)) = (Signature::decode(&signature), key) else {
        return unreadable("not in minisign's format".into());
    };
    let mut known = keys.iter().filter(|trusted| trusted.id == key).peekable();
    if known.peek().is_none() {
        return SignatureState::UnknownKey { key };
    }
    let mut legacy = false;
    for trusted in known {
        match trusted.key.verify(text, &signature, false) {
            Ok(()) => return SignatureState::Verified { key },
            Err(error) => legacy |= matches!(error, Error::UnexpectedAlgorithm),
        }
    }
    if legacy {
        return unreadable("made in minisign's legacy mode; sign again without -l".into());
    }
    SignatureState::Wrong { key }
}

/// The ids of `keys`, for a line.
fn ids(keys: &[TrustedKey]) -> String {
    let ids: Vec<&str> = keys.iter().map(TrustedKey::id).collect();
    if ids.is_empty() { "none".into() } else { ids.join(", ") }
}

/// The id in a key's or signature's line: a little-endian number, which minisign prints in hexadecimal digits.
fn key_id(line: &str) -> Option<String> {
    let bytes = STANDARD.decode(line.trim()).ok()?;
    let id = bytes.get(KEY_ID)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

fn read_text(path: &Path) -> Result<String, Refusal> {
    let (file, _) = files::open(path)?;
    let mut text = String::new();
    file.take(MAX_SIGNATURE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| files::unreadable(path, &error))?;
    if text.len() as u64 > MAX_SIGNATURE_BYTES {
        let reason = format!("more than {MAX_SIGNATURE_BYTES} bytes");
        return Err(Refusal::Unreadable { path: path.to_owned(), reason });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key that minisign's own page shows, and the id that `minisign -V` prints for it.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn keys_have_the_id_that_minisign_prints() {
        for text in [KEY.to_owned(), format!("untrusted comment: minisign public key\n{KEY}\n")] {
            let key = TrustedKey::parse(&text);
            assert_eq!(key.as_ref().map(TrustedKey::id), Ok("E7620F1842B4E81F"), "{text}");
        }
        for text in ["", "RW", "not a key\n", &KEY[..40]] {
            assert!(matches!(TrustedKey::parse(text), Err(KeyError::Invalid { .. })), "{text}");
        }
    }

    #[test]
    fn the_signature_lies_beside_the_manifest() {
        let beside = signature_path(Path::new("/p/x.selkies-plugin.json"));
        assert_eq!(beside, Path::new("/p/x.selkies-plugin.json.minisig"));
    }
}
