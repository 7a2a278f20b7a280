//! Messages that are too long for the socket, in a file that comes with a short one.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{FileType, MemfdFlags};

/// A file with these bytes.
pub(crate) fn write(bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("selkies-message", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut at = 0;
    while at < bytes.len() {
        match rustix::io::pwrite(&fd, &bytes[at..], at as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => at += written,
        }
    }
    Ok(fd)
}

/// The first `len` bytes, at most `longest`, of a file that another process made. They are copied, because that process can still change and
/// shorten it; a file that reading could wait for is refused.
pub(super) fn read(fd: &OwnedFd, len: usize, longest: usize) -> io::Result<Vec<u8>> {
    let is_memory = rustix::fs::fcntl_get_seals(fd).is_ok()
        && FileType::from_raw_mode(rustix::fs::fstat(fd.as_fd())?.st_mode) == FileType::RegularFile;
    if len > longest || !is_memory {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        match rustix::io::pread(fd, &mut bytes[at..], at as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => at += read,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_of_the_right_length_is_read() {
        let fd = write(b"some bytes").unwrap();
        assert_eq!(read(&fd, 4, 4).unwrap(), b"some");
        assert!(read(&fd, 11, 20).is_err());
        assert!(read(&fd, 4, 3).is_err());
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        assert!(read(&pipe, 1, 1).is_err());
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert!(read(&file.into(), 1, 1).is_err());
    }
}
