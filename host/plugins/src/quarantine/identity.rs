//! Which library a fault was one of.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Refusal, files};

/// Tells a library's file from another one at the same place: its SHA-256 where the manifest names it, otherwise size, time
/// of change and inode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LibraryIdentity(String);

impl LibraryIdentity {
    /// The identity of a file with this SHA-256.
    #[must_use]
    pub fn of_hash(sha256: &str) -> Self {
        Self(format!("sha256:{}", sha256.to_ascii_lowercase()))
    }

    /// The identity of the file at `path`, without reading it.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn of_file(path: &Path) -> Result<Self, Refusal> {
        let metadata = fs::metadata(path).map_err(|error| files::unreadable(path, &error))?;
        let (bytes, seconds, nanos) = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        Ok(Self(format!("file:{bytes}:{seconds}.{nanos:09}:{}", metadata.ino())))
    }

    /// As text, for files and lists.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
