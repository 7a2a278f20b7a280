//! Which files were judged, so that those and no others are loaded.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Refusal, files};

/// Which file lies at a path, and in which state: another file, and the same one after it was written to, renamed or
/// given other rights, have another stamp. Of no use beyond this machine and this moment; what faults are counted by is
/// [`LibraryIdentity`](crate::LibraryIdentity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds. Only the kernel sets this time.
    changed: (i64, i64),
}

impl FileStamp {
    /// The stamp of the file at `path`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub(crate) fn of(path: &Path) -> Result<Self, Refusal> {
        let found = fs::metadata(path).map_err(|error| files::unreadable(path, &error))?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Proves that it is still that file.
    ///
    /// # Errors
    /// [`Refusal::Swapped`], [`Refusal::Unreadable`].
    pub(crate) fn confirm(&self, path: &Path) -> Result<(), Refusal> {
        if Self::of(path)? == *self { Ok(()) } else { Err(Refusal::Swapped { path: path.to_owned() }) }
    }
}

/// The files of a plugin that the host judged, as it tells the child that is to load them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// SHA-256 of the manifest.
    pub(crate) manifest: String,
    /// The library.
    pub(crate) library: FileStamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_and_a_changed_one_are_noticed() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (path, other) = (folder.path().join("library"), folder.path().join("other"));
        fs::write(&path, "one")?;
        let stamp = FileStamp::of(&path)?;
        stamp.confirm(&path)?;
        fs::write(&other, "two")?;
        fs::rename(&other, &path)?;
        assert_eq!(stamp.confirm(&path).map_err(|refusal| refusal.code()), Err("SP036"));
        // Longer, since the kernel's clock for files may stand still for some milliseconds.
        let stamp = FileStamp::of(&path)?;
        fs::write(&path, "three")?;
        assert_eq!(stamp.confirm(&path).map_err(|refusal| refusal.code()), Err("SP036"));
        Ok(())
    }
}
