//! Uploads: written beside, put in place when whole, gone on with where they stopped.

use std::{
    fs::{File, Permissions},
    io::{Seek, SeekFrom, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use rustix::fs::{AtFlags, FileType, statat};

use crate::{
    FileError, Folder, RelativePath,
    folder::make_folders,
    parts::{PartName, Parts},
    places::{Place, Places},
};

/// Longest id of a transfer, bytes.
const MAX_ID: usize = 128;
/// How many bytes are written between two looks at the free disk.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;

/// What uploads may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, bytes.
    pub max_file: u64,
    /// Uploads that are written at once.
    pub max_open: usize,
    /// Uploads of one sender that are written at once.
    pub max_each: usize,
    /// Bytes of the disk that uploads leave free.
    pub keep_free: u64,
}

impl Default for Limits {
    /// 64 GiB a file, 16 at once, eight of one sender, 256 MiB left.
    fn default() -> Self {
        Self { max_file: 64 << 30, max_open: 16, max_each: 8, keep_free: 256 << 20 }
    }
}

/// What a browser says of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRequest {
    /// Where the file goes.
    pub path: RelativePath,
    /// Who sends it, such as an address: nobody's uploads take all places.
    pub sender: String,
    /// Names the transfer, so that it can go on later; `None` for one that comes in one piece.
    pub id: Option<String>,
    /// From which byte on.
    pub offset: u64,
    /// Bytes of the whole file, where that is known.
    pub total: Option<u64>,
}

/// Takes uploads into a folder. Clones are of one.
#[derive(Clone, Debug)]
pub struct Uploads {
    folder: Folder,
    limits: Limits,
    places: Places,
    serial: Arc<AtomicU64>,
}

impl Uploads {
    /// Takes uploads into `folder`, which is made when the first one comes.
    #[must_use]
    pub fn new(folder: Folder, limits: Limits) -> Self {
        let places = Places::new(limits.max_open, limits.max_each);
        Self { folder, limits, places, serial: Arc::default() }
    }

    /// Bytes that are kept of a transfer: where it goes on.
    ///
    /// # Errors
    /// [`FileError`] when the folder cannot be read.
    pub fn banked(&self, path: &RelativePath, id: &str, total: Option<u64>) -> Result<u64, FileError> {
        let root = self.folder.root(true)?;
        Parts::open(root.as_fd())?.len(&PartName::of(id, &path.to_string(), total))
    }

    /// Gives a transfer up, whose bytes are removed.
    ///
    /// # Errors
    /// [`FileError::Busy`] while it is being written.
    pub fn forget(&self, path: &RelativePath, id: &str, total: Option<u64>) -> Result<(), FileError> {
        let root = self.folder.root(true)?;
        let parts = Parts::open(root.as_fd())?;
        let name = PartName::of(id, &path.to_string(), total);
        match parts.take(&name, false) {
            Ok(_held) => parts.remove(&name),
            Err(FileError::NotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Begins an upload, or goes on with one. At offset 0 it begins anew, whatever was there.
    ///
    /// # Errors
    /// [`FileError::Offset`] when bytes up to another place are kept, [`FileError::TooMany`], [`FileError::TooLarge`],
    /// [`FileError::NoSpace`], [`FileError::Busy`], and those of the folder.
    pub fn begin(&self, request: &UploadRequest) -> Result<Upload, FileError> {
        request.path.split()?;
        let limit = request.total.map_or(self.limits.max_file, |total| total.min(self.limits.max_file));
        if request.total.is_some_and(|total| total > self.limits.max_file) || request.offset > limit {
            return Err(FileError::TooLarge { limit });
        }
        let place = self.places.take(&request.sender)?;
        let root = self.folder.root(true)?;
        let parts = Parts::open(root.as_fd())?;
        let path = request.path.to_string();
        let name = match &request.id {
            Some(id) if id.len() <= MAX_ID => PartName::of(id, &path, request.total),
            Some(_) => return Err(FileError::Name(crate::NameError::TooLong)),
            None => PartName::of(&self.unique(), &path, request.total),
        };
        if request.offset == 0 {
            parts.sweep(SystemTime::now())?;
        } else {
            let banked = parts.len(&name)?;
            if banked != request.offset {
                return Err(FileError::Offset { banked });
            }
        }
        let mut file = parts.take(&name, request.offset == 0)?;
        if request.offset == 0 {
            file.set_len(0)?;
        } else {
            // Under the lock: a request before may have written on.
            let banked = file.metadata()?.len();
            if banked != request.offset {
                return Err(FileError::Offset { banked });
            }
            file.seek(SeekFrom::Start(banked))?;
        }
        let upload = Upload {
            file,
            parts,
            name,
            folder: self.folder.clone(),
            path: request.path.clone(),
            total: request.total,
            limit,
            keep_free: self.limits.keep_free,
            written: request.offset,
            looked_at: request.offset,
            keeps: request.id.is_some(),
            placed: false,
            _place: place,
        };
        upload.look(request.total.unwrap_or_default().saturating_sub(request.offset))?;
        Ok(upload)
    }

    /// An id that no other upload of this host has, also not of one that ran before.
    fn unique(&self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        format!("{}\0{}\0{serial}", std::process::id(), now.as_nanos())
    }
}

/// A file that is being written. Dropped, what came is kept for a transfer that has an id, and removed for others.
#[derive(Debug)]
pub struct Upload {
    file: File,
    parts: Parts,
    name: PartName,
    folder: Folder,
    path: RelativePath,
    total: Option<u64>,
    limit: u64,
    keep_free: u64,
    written: u64,
    looked_at: u64,
    keeps: bool,
    /// The file is in place: what has the part's name now is another upload's.
    placed: bool,
    _place: Place,
}

impl Upload {
    /// Bytes that are written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes on.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] past what was announced or is allowed, [`FileError::NoSpace`], what the system says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let after = self.written.saturating_add(bytes.len() as u64);
        if after > self.limit {
            return Err(FileError::TooLarge { limit: self.limit });
        }
        if after.saturating_sub(self.looked_at) >= LOOK_EVERY {
            self.look(bytes.len() as u64)?;
            self.looked_at = after;
        }
        if let Err(error) = self.file.write_all(bytes) {
            // What was written of it would not be counted.
            self.file.set_len(self.written)?;
            self.file.seek(SeekFrom::Start(self.written))?;
            return Err(error.into());
        }
        self.written = after;
        Ok(())
    }

    /// Whether the disk has room for so many bytes more, and what is kept free.
    fn look(&self, more: u64) -> Result<(), FileError> {
        let wanted = more.saturating_add(self.keep_free);
        if self.parts.free()? < wanted { Err(FileError::NoSpace) } else { Ok(()) }
    }

    /// Puts the file in place; one of that name is replaced, and leaves its permissions. Where its folder is on another disk
    /// it is copied there, which takes a while.
    ///
    /// # Errors
    /// [`FileError::Incomplete`], and what came is removed; [`FileError::Occupied`] where the name is a folder's, a link's or
    /// a device's; what the system says. Then what came is kept for a transfer that has an id, so that it can be tried again.
    pub fn finish(mut self) -> Result<(), FileError> {
        if let Some(announced) = self.total.filter(|&total| total != self.written) {
            self.keeps = false;
            return Err(FileError::Incomplete { received: self.written, announced });
        }
        let root = self.folder.root(true)?;
        let (folders, last) = self.path.split()?;
        let folder = make_folders(root.as_fd(), folders)?;
        if let Ok(there) = statat(&folder, Path::new(last), AtFlags::SYMLINK_NOFOLLOW) {
            if FileType::from_raw_mode(there.st_mode) != FileType::RegularFile {
                return Err(FileError::Occupied);
            }
            self.file.set_permissions(Permissions::from_mode(there.st_mode & 0o777))?;
        }
        self.parts.put(&self.name, &self.file, folder.as_fd(), Path::new(last), self.keep_free)?;
        self.placed = true;
        Ok(())
    }

    /// Removes what came.
    pub fn discard(mut self) {
        self.keeps = false;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.keeps && !self.placed {
            self.parts.remove(&self.name);
        }
    }
}
