//! Memory that processes share: a memfd that can neither shrink nor grow, mapped.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
};

use rustix::{
    fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags},
    mm::{MapFlags, ProtFlags},
};

/// A mapping of such a memfd, for as long as this lives.
///
/// Nobody who has the descriptor can cut the memory away under the others, which would end them with SIGBUS.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    fd: OwnedFd,
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the value; whoever reads and writes it answers for the order.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Zeroed memory. Pages that nobody touches cost nothing.
    pub(crate) fn new(name: &str, len: usize) -> io::Result<Self> {
        let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        // Whoever has a descriptor for reading could open the file anew for writing, through /proc.
        rustix::fs::fchmod(&fd, Mode::RUSR)?;
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Self::map(fd, len, true)
    }

    /// Memory that another process made. It must be sealed, and have at least `len` bytes.
    pub(crate) fn of_fd(fd: OwnedFd, len: usize, writable: bool) -> io::Result<Self> {
        let sealed = rustix::fs::fcntl_get_seals(&fd)?.contains(SealFlags::SHRINK);
        let size = u64::try_from(rustix::fs::fstat(&fd)?.st_size).unwrap_or(0);
        if !sealed || size < len as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(fd, len, writable)
    }

    fn map(fd: OwnedFd, len: usize, writable: bool) -> io::Result<Self> {
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh mapping at an address of the kernel's choice, of a file that is as long and stays so.
        let ptr = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, &fd, 0) }?;
        let ptr = NonNull::new(ptr.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { fd, ptr, len })
    }

    pub(crate) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The same memory as a descriptor that cannot be mapped writable. A child with the narrowest profile cannot get one that
    /// can; others could, by changing the mode of the file, which is theirs as much as ours.
    pub(crate) fn read_only(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Gives all pages back to the system. Reads zero afterwards.
    pub(crate) fn forget(&self) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Where that fails the pages stay, which costs memory and nothing else.
        let _ = rustix::fs::fallocate(&self.fd, hole, 0, self.len as u64);
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this length, and nothing refers to it any more. A failure leaves it mapped.
        let _ = unsafe { rustix::mm::munmap(self.ptr.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_maker_may_write() {
        let ours = SharedMemory::new("selkies-test", 4096).unwrap();
        let mode = rustix::fs::fstat(&ours).unwrap().st_mode;
        assert_eq!(mode & 0o777, 0o400);
    }

    #[test]
    fn both_mappings_are_the_same_memory() {
        let ours = SharedMemory::new("selkies-test", 8192).unwrap();
        let theirs = SharedMemory::of_fd(ours.read_only().unwrap(), 8192, false).unwrap();
        // SAFETY: inside both mappings, on one thread.
        unsafe {
            ours.ptr().add(5000).write(7);
            assert_eq!(theirs.ptr().add(5000).read(), 7);
            ours.forget();
            assert_eq!(theirs.ptr().add(5000).read(), 0);
        }
        assert!(SharedMemory::of_fd(ours.read_only().unwrap(), 8192, true).is_err());
        assert!(SharedMemory::of_fd(ours.read_only().unwrap(), 8193, false).is_err());
        let loose = rustix::fs::memfd_create("selkies-test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
        let loose = loose.unwrap();
        rustix::fs::ftruncate(&loose, 8192).unwrap();
        assert!(SharedMemory::of_fd(loose, 8192, false).is_err(), "it could shrink");
    }
}
