//! Files that are not whole yet, in a hidden folder beside the whole ones: there a rename puts them in place at once.

use std::{
    fs::{File, Permissions},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, fstatvfs, mkdirat, openat,
        renameat, statat, unlinkat,
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

    /// Puts a part, which `file` is, into a folder by this name; what has the name is replaced. Where the folder is on
    /// another disk (a mount below the one that browsers see), the bytes are copied to a hidden name beside it first, so that
    /// there, too, the file appears when it is whole.
    pub(crate) fn put(
        &self,
        name: &PartName,
        file: &File,
        folder: BorrowedFd<'_>,
        last: &Path,
        keep_free: u64,
    ) -> Result<(), FileError> {
        // A rename replaces a link that somebody puts there now, and does not follow it.
        match renameat(&self.folder, name.as_path(), folder, last) {
            Err(Errno::XDEV) => {}
            answer => return Ok(answer?),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let whole: File = openat(&self.folder, name.as_path(), flags, Mode::empty())?.into();
        let (held, found) = (fstat(file)?, fstat(&whole)?);
        if (held.st_dev, held.st_ino) != (found.st_dev, found.st_ino) {
            return Err(FileError::Occupied);
        }
        let wanted = u64::try_from(held.st_size).unwrap_or_default().saturating_add(keep_free);
        if free(folder)? < wanted {
            return Err(FileError::NoSpace);
        }
        let beside = format!(".{}", name.0);
        let beside = Path::new(&beside);
        // One that a host left which ended in the middle.
        let _ = unlinkat(folder, beside, AtFlags::empty());
        let copied = copy(whole, Permissions::from_mode(held.st_mode & 0o777), folder, beside)
            .and_then(|()| Ok(renameat(folder, beside, folder, last)?));
        if copied.is_err() {
            let _ = unlinkat(folder, beside, AtFlags::empty());
        } else {
            self.remove(name);
        }
        copied
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
        free(self.folder.as_fd())
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

/// Bytes that the disk of a folder has for this user.
fn free(folder: BorrowedFd<'_>) -> Result<u64, FileError> {
    let disk = fstatvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Copies a file to a name that nothing has yet.
fn copy(
    mut from: File,
    permissions: Permissions,
    folder: BorrowedFd<'_>,
    name: &Path,
) -> Result<(), FileError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut to: File = openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?.into();
    io::copy(&mut from, &mut to)?;
    to.set_permissions(permissions)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::symlink};

    use rustix::fs::open;

    use super::*;

    /// A folder that is on another disk than the usual ones: memory is on every machine.
    fn elsewhere() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").expect("a folder in memory")
    }

    fn opened(path: &Path) -> OwnedFd {
        open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("opened")
    }

    #[test]
    fn a_part_goes_to_another_disk_whole_or_not_at_all() {
        // This program is on a disk.
        let own = std::env::current_exe().expect("known");
        let here = tempfile::tempdir_in(own.parent().expect("a folder")).expect("a folder");
        let (there, outside) = (elsewhere(), tempfile::tempdir().expect("a folder"));
        let (root, folder) = (opened(here.path()), opened(there.path()));
        assert_ne!(fstat(&root).expect("asked").st_dev, fstat(&folder).expect("asked").st_dev);
        let parts = Parts::open(root.as_fd()).expect("made");
        let name = PartName::of("t", "f", None);
        let mut file = parts.take(&name, true).expect("made");
        let bytes = vec![7; 3_000_000];
        file.write_all(&bytes).expect("written");
        file.set_permissions(Permissions::from_mode(0o640)).expect("set");

        let full = parts.put(&name, &file, folder.as_fd(), Path::new("f"), u64::MAX / 2);
        assert!(matches!(full, Err(FileError::NoSpace)), "{full:?}");
        assert_eq!(fs::read_dir(there.path()).expect("read").count(), 0, "nothing is left of it");
        assert_eq!(parts.len(&name).expect("asked"), 3_000_000, "it can be tried again");

        // What somebody put in the way is replaced, not followed.
        let secret = outside.path().join("secret");
        fs::write(&secret, "secret").expect("written");
        let beside = there.path().join(format!(".{}", name.0));
        symlink(&secret, &beside).expect("linked");
        symlink(&secret, there.path().join("f")).expect("linked");
        parts.put(&name, &file, folder.as_fd(), Path::new("f"), 0).expect("put");
        assert!(fs::read(there.path().join("f")).expect("there") == bytes, "byte by byte the same");
        let found = fs::symlink_metadata(there.path().join("f")).expect("there");
        assert_eq!((found.is_file(), found.permissions().mode() & 0o777), (true, 0o640));
        assert_eq!(fs::read_dir(there.path()).expect("read").count(), 1);
        assert_eq!(parts.len(&name).expect("asked"), 0);
        assert_eq!(fs::read_to_string(secret).expect("there"), "secret");
    }
}
