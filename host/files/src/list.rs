//! What is in a folder.

use std::{os::fd::OwnedFd, path::Path};

use rustix::fs::{AtFlags, Dir, FileType, statat};
use serde::Serialize;

use crate::{FileError, RelativePath};

/// Most entries of a list.
pub const MAX_ENTRIES: usize = 5000;
/// Most names that are looked at for one list.
const MAX_SEEN: usize = 20_000;

/// What is in a folder, folders first, each by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The folder, from the one that browsers see on; empty for that.
    pub path: String,
    /// What can be asked for.
    pub entries: Vec<Entry>,
    /// There is more than a list holds.
    pub cut: bool,
}

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// What an entry is. Links and special files are not listed: they are not given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
}

impl Listing {
    /// Of the folder that nobody has made yet.
    #[must_use]
    pub fn empty() -> Self {
        Self { path: String::new(), entries: Vec::new(), cut: false }
    }

    pub(crate) fn read(path: &RelativePath, folder: OwnedFd) -> Result<Self, FileError> {
        let mut entries = Vec::new();
        let mut cut = false;
        for (seen, entry) in Dir::read_from(&folder)?.enumerate() {
            if seen >= MAX_SEEN || entries.len() >= MAX_ENTRIES {
                cut = true;
                break;
            }
            let entry = entry?;
            // What has no name in Unicode, or a hidden one, could not be asked for.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !RelativePath::serves(name) {
                continue;
            }
            // It may be gone by now.
            let Ok(stat) = statat(&folder, Path::new(name), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => EntryKind::Folder,
                FileType::RegularFile => EntryKind::File,
                _ => continue,
            };
            let size =
                if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 };
            let modified_ms = stat.st_mtime.saturating_mul(1000);
            entries.push(Entry { name: name.to_owned(), kind, size, modified_ms });
        }
        entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(Self { path: path.to_string(), entries, cut })
    }
}
