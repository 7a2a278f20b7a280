//! What can go wrong.

use std::{io, path::PathBuf};

use rustix::io::Errno;

use crate::NameError;

/// Why a file was not taken or not given.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The name is not taken.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The folder for files cannot be used.
    #[error("FI010 the folder {path} cannot be used: {source}. Name another with --file-manager-path", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such file, or it is a link, a device or hidden.
    #[error("FI011 there is no such file. Ask for the list of files")]
    NotFound,
    /// The system does not let this host read or write there.
    #[error("FI012 the file may not be read or written. Change its permissions")]
    Denied,
    /// A folder or a special file has that name, or a file has the name of a folder.
    #[error("FI013 something else has that name. Choose another name")]
    Occupied,
    /// Bytes are there up to another place.
    #[error("FI014 the upload has {banked} bytes. Go on from there, or begin again at 0")]
    Offset {
        /// Bytes that are kept.
        banked: u64,
    },
    /// The same upload is being written by another request.
    #[error("FI015 this upload is being written already. Try again when that request has ended")]
    Busy,
    /// Too many uploads at once, or too many unfinished ones.
    #[error("FI016 there are too many uploads. Try again when others have ended")]
    TooMany,
    /// The file is larger than the operator allows, or than was said.
    #[error("FI017 the file is larger than {limit} bytes. Send a smaller one")]
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// Fewer bytes came than were announced.
    #[error("FI018 {received} of {announced} bytes came. Send the file again")]
    Incomplete {
        /// Bytes that came.
        received: u64,
        /// Bytes that were said to come.
        announced: u64,
    },
    /// The disk is full, or would be but for what is kept free.
    #[error("FI019 the disk has no room for this. Remove files")]
    NoSpace,
    /// Something else.
    #[error("FI020 the file could not be read or written: {0}. See the host's log")]
    System(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            // A link in the path answers ELOOP, a path that would leave the folder EXDEV.
            Some(Errno::NOENT | Errno::LOOP | Errno::XDEV | Errno::NXIO) => Self::NotFound,
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Self::Denied,
            Some(Errno::NOTDIR | Errno::ISDIR | Errno::EXIST) => Self::Occupied,
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Self::NoSpace,
            Some(Errno::NAMETOOLONG) => Self::Name(NameError::TooLong),
            _ => Self::System(error),
        }
    }
}

impl From<Errno> for FileError {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}
