//! The folder that browsers see.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, FileExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, mkdirat, open},
    io::Errno,
};

use crate::{FileError, Listing, RelativePath, beneath};

/// The folder that browsers see, by its path. It is opened anew for each request, so that one that was replaced is the
/// one that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A regular file, open for reading.
    File(OpenFile),
    /// A folder.
    Folder,
}

/// A file that is being given out.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    len: u64,
    tag: String,
}

impl OpenFile {
    /// Bytes that it had when it was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a file without bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Letters and digits that change when the file does, for an `ETag`.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Reads some bytes from a place on; 0 at the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(bytes, at)
    }
}

impl Folder {
    /// The folder of that path, which the operator chose; links in it are followed. Nothing is opened yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// [`FileError::Folder`] when it cannot be made or opened.
    pub fn prepare(&self) -> Result<(), FileError> {
        self.root(true).map(drop)
    }

    /// The folder itself, which is made first where it is missing and `make` is true.
    pub(crate) fn root(&self, make: bool) -> Result<OwnedFd, FileError> {
        let failed = |source: io::Error| FileError::Folder { path: self.path.clone(), source };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open(&self.path, flags, Mode::empty()) {
            Err(Errno::NOENT) if make => {
                let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.path);
                made.map_err(failed)?;
                open(&self.path, flags, Mode::empty()).map_err(|error| failed(error.into()))
            }
            opened => opened.map_err(|error| failed(error.into())),
        }
    }

    /// Opens what a browser asks for.
    ///
    /// # Errors
    /// [`FileError::NotFound`] also for links, devices and pipes; [`FileError::Denied`].
    pub fn find(&self, path: &RelativePath) -> Result<Found, FileError> {
        let root = self.root_to_read()?;
        // Without `NONBLOCK` a pipe would hold the thread until somebody writes to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = match beneath::open(root.as_fd(), path.names(), flags, Mode::empty()) {
            Err(Errno::NOTDIR) => return Err(FileError::NotFound),
            opened => opened?,
        };
        let stat = fstat(&opened)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(Found::Folder),
            FileType::RegularFile => {
                let len = u64::try_from(stat.st_size).unwrap_or_default();
                Ok(Found::File(OpenFile { file: opened.into(), len, tag: tag(&stat) }))
            }
            _ => Err(FileError::NotFound),
        }
    }

    /// What is in a folder.
    ///
    /// # Errors
    /// As [`Folder::find`]; [`FileError::Occupied`] where it is no folder.
    pub fn list(&self, path: &RelativePath) -> Result<Listing, FileError> {
        let root = self.root_to_read()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = beneath::open(root.as_fd(), path.names(), flags, Mode::empty())?;
        Listing::read(path, opened)
    }

    /// To those who look, a folder that nobody has made yet is not there.
    fn root_to_read(&self) -> Result<OwnedFd, FileError> {
        self.root(false).map_err(|error| match error {
            FileError::Folder { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                FileError::NotFound
            }
            error => error,
        })
    }
}

/// The folders `names` within each other, made where they are missing.
pub(crate) fn make_folders(root: BorrowedFd<'_>, names: &[String]) -> Result<OwnedFd, FileError> {
    let mut within = root.try_clone_to_owned()?;
    for name in names {
        within = match beneath::step(within.as_fd(), name) {
            Err(Errno::NOENT) => {
                match mkdirat(&within, Path::new(name), Mode::from_raw_mode(0o755)) {
                    // Another upload into the same folder was faster.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                beneath::step(within.as_fd(), name)?
            }
            // A link, or a file.
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(FileError::Occupied),
            opened => opened?,
        };
    }
    Ok(within)
}

fn tag(stat: &Stat) -> String {
    format!("{:x}-{:x}-{:x}-{:x}", stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec)
}
