//! Files that are not whole yet, in a hidden folder beside the whole ones: there a rename puts them in place at once.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, fstatvfs, mkdirat, openat,
        statat, unlinkat,
    },
    io::Errno,
};
use sha2::{Digest, Sha256};
use tracing::debug;

use crate::{FileError, beneath};

/// The hidden folder. No name of a browser begins with a dot.
const FOLDER: &str = ".selkies-uploads";
/// The end of every name in it.
const SUFFIX: &str = ".part";
/// Most files in it.
const MAX_PARTS: usize = 256;
/// A part that nothing was added to for so long is removed.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder of parts.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: OwnedFd,
}

/// The name of a part: of a transfer that may go on later, the same each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartName(String);

impl PartName {
    /// Of what the browser said of it; nothing of that is in the name.
    pub(crate) fn of(id: &str, path: &str, total: Option<u64>) -> Self {
        let total = total.map_or_else(String::new, |total| total.to_string());
        let digest = Sha256::digest(format!("{id}\0{path}\0{total}"));
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{hex}{SUFFIX}"))
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Parts {
    /// Opens the folder of parts, and makes it first where it is missing.
    pub(crate) fn open(root: BorrowedFd<'_>) -> Result<Self, FileError> {
        match mkdirat(root, FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        match beneath::step(root, FOLDER) {
            // Whoever put something else there shall not choose where uploads go.
            Err(Errno::LOOP | Errno::NOTDIR) => Err(FileError::Occupied),
            opened => Ok(Self { folder: opened? }),
        }
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Opens a part for writing, for this request alone.
    pub(crate) fn take(&self, name: &PartName, make: bool) -> Result<File, FileError> {
        let mut flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::CREATE, make);
        let file = openat(&self.folder, name.as_path(), flags, Mode::RUSR | Mode::WUSR)?;
        let stat = fstat(&file)?;
        // Two names for one file: somebody wants to have it written.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
            return Err(FileError::Occupied);
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(FileError::Busy),
            Err(error) => return Err(error.into()),
        }
        // Who held the lock before may have put the file in place, or removed it: then this is no part any more.
        let named = statat(&self.folder, name.as_path(), AtFlags::SYMLINK_NOFOLLOW);
        if !named.is_ok_and(|named| (named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino)) {
            return Err(FileError::Busy);
        }
        Ok(file.into())
    }

    /// Bytes of a part; 0 where there is none.
    pub(crate) fn len(&self, name: &PartName) -> Result<u64, FileError> {
        match statat(&self.folder, name.as_path(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(u64::try_from(stat.st_size).unwrap_or_default()),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn remove(&self, name: &PartName) {
        if let Err(error) = unlinkat(&self.folder, name.as_path(), AtFlags::empty())
            && error != Errno::NOENT
        {
            debug!(%error, "a part of an upload could not be removed");
        }
    }

    /// Bytes that the disk has for this user.
    pub(crate) fn free(&self) -> Result<u64, FileError> {
        let disk = fstatvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Removes parts that were forgotten.
    ///
    /// # Errors
    /// [`FileError::TooMany`] when there is no place for another one then.
    pub(crate) fn sweep(&self, now: SystemTime) -> Result<(), FileError> {
        let mut kept = 0;
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().ok().filter(|name| name.ends_with(SUFFIX)) else {
                continue;
            };
            let name = PartName(name.to_owned());
            if !self.is_stale(&name, now) {
                kept += 1;
                continue;
            }
            // Held by nobody.
            if let Ok(file) = self.take(&name, false) {
                self.remove(&name);
                drop(file);
            }
        }
        if kept >= MAX_PARTS { Err(FileError::TooMany) } else { Ok(()) }
    }

    fn is_stale(&self, name: &PartName, now: SystemTime) -> bool {
        let Ok(stat) = statat(&self.folder, name.as_path(), AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let changed = u64::try_from(stat.st_mtime).unwrap_or_default();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(changed);
        now.duration_since(changed).is_ok_and(|age| age > STALE)
    }
}
