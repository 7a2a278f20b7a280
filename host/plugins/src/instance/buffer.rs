//! Shared memory that capture writes and encoders read, in this process or in a child.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use selkies_plugin_abi as abi;
use serde::{Deserialize, Serialize};

use super::layout;
use crate::{shared_memory::SharedMemory, size::size_field};

/// Longest edge of a frame in pixels.
pub const MAX_FRAME_EDGE: u32 = 16384;
/// Largest row alignment that a capture may ask for, in bytes.
pub(super) const MAX_STRIDE_ALIGN: u32 = 4096;
const PAGE: u64 = 4096;

/// Why there is no buffer.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// The size or format cannot be placed in memory.
    #[error(
        "SI010 a buffer of {width}x{height}, format {fourcc:#010x}, row alignment {align} is not possible. \
         Choose a size up to 16384x16384"
    )]
    Shape {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
        /// Format asked for.
        fourcc: u32,
        /// Row alignment asked for.
        align: u32,
    },
    /// The system did not give the memory.
    #[error("SI011 {bytes} bytes of shared memory: {source}. Free memory or raise the limits of the host")]
    System {
        /// Bytes asked for.
        bytes: u64,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A frame's worth of shared memory: a memfd that cannot shrink or grow, mapped readable and writable.
///
/// While a [`BufferLease`] of it lives, no capture writes it.
#[derive(Debug)]
pub struct SharedBuffer {
    memory: SharedMemory,
    /// Different for every buffer of this process.
    id: u64,
    shape: BufferShape,
    /// Leases, or [`WRITTEN`].
    lent: AtomicUsize,
    /// This process may write it.
    writable: bool,
}

/// In place of the number of leases while the host itself writes a buffer.
const WRITTEN: usize = usize::MAX;

/// How frames lie in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferShape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) stride: u32,
    pub(crate) fourcc: u32,
}

impl BufferShape {
    /// Bytes of memory for it, whole pages; `None` for what cannot be placed in memory.
    fn bytes(&self) -> Option<usize> {
        let edges = 1..=MAX_FRAME_EDGE;
        if !edges.contains(&self.width) || !edges.contains(&self.height) {
            return None;
        }
        let planes = layout::planes(self.fourcc, self.width, self.height)?;
        let bytes: u64 = planes.iter().map(|p| u64::from(self.stride / p.stride_divisor) * p.rows).sum();
        usize::try_from(bytes.next_multiple_of(PAGE)).ok()
    }
}

impl SharedBuffer {
    /// A zeroed buffer for frames of this size and format, whose rows begin at multiples of `stride_align` bytes.
    ///
    /// # Errors
    /// [`BufferError`], with a stable code.
    pub fn new(width: u32, height: u32, fourcc: u32, stride_align: u32) -> Result<Arc<Self>, BufferError> {
        let shape = || BufferError::Shape { width, height, fourcc, align: stride_align };
        let edges = 1..=MAX_FRAME_EDGE;
        if !edges.contains(&width) || !edges.contains(&height) {
            return Err(shape());
        }
        if !stride_align.is_power_of_two() || stride_align > MAX_STRIDE_ALIGN {
            return Err(shape());
        }
        let stride = layout::stride(fourcc, width, stride_align).ok_or_else(shape)?;
        let buffer = BufferShape { width, height, stride, fourcc };
        let len = buffer.bytes().ok_or_else(shape)?;
        let memory = SharedMemory::new("selkies-frame", len)
            .map_err(|source| BufferError::System { bytes: len as u64, source })?;
        Ok(Self::of(memory, buffer, true))
    }

    /// A buffer that another process made.
    pub(crate) fn of_fd(fd: OwnedFd, shape: BufferShape, writable: bool) -> std::io::Result<Arc<Self>> {
        let len = shape.bytes().ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Self::of(SharedMemory::of_fd(fd, len, writable)?, shape, writable))
    }

    fn of(memory: SharedMemory, shape: BufferShape, writable: bool) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { memory, id, shape, lent: AtomicUsize::new(0), writable })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn shape(&self) -> BufferShape {
        self.shape
    }

    /// A descriptor that cannot be mapped writable, see [`SharedMemory::read_only`].
    pub(crate) fn read_only(&self) -> std::io::Result<OwnedFd> {
        self.memory.read_only()
    }

    /// Width of its frames in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.shape.width
    }

    /// Height of its frames in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.shape.height
    }

    /// Bytes from one row of the first plane to the next.
    #[must_use]
    pub fn stride(&self) -> u32 {
        self.shape.stride
    }

    /// Format of its frames.
    #[must_use]
    pub fn fourcc(&self) -> u32 {
        self.shape.fourcc
    }

    /// Bytes of the mapping.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.memory.len() as u64
    }

    /// True while somebody reads it: it must not be written.
    #[must_use]
    pub fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire) > 0
    }

    /// Forbids writing until the lease and its clones are dropped.
    #[must_use]
    pub fn lend(self: &Arc<Self>) -> BufferLease {
        let mut now = self.lent.load(Ordering::Relaxed);
        loop {
            if now == WRITTEN {
                std::thread::yield_now();
                now = self.lent.load(Ordering::Relaxed);
                continue;
            }
            match self.lent.compare_exchange_weak(now, now + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return BufferLease { buffer: Arc::clone(self) },
                Err(other) => now = other,
            }
        }
    }

    /// Lets the host itself change its memory: planes one after the other, each row a stride apart. False, and nothing
    /// happened, while somebody reads it or where this process may not write it. Not while a capture writes it.
    #[must_use]
    pub fn write(&self, change: impl FnOnce(&mut [u8])) -> bool {
        self.write_held(0, change)
    }

    /// The same for whoever has so many leases, and lets nobody read by them meanwhile.
    fn write_held(&self, leases: usize, change: impl FnOnce(&mut [u8])) -> bool {
        /// Sets the number of leases again, also after a panic.
        struct Leases<'a>(&'a AtomicUsize, usize);
        impl Drop for Leases<'_> {
            fn drop(&mut self) {
                self.0.store(self.1, Ordering::Release);
            }
        }
        if !self.writable
            || self.lent.compare_exchange(leases, WRITTEN, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return false;
        }
        let _leases = Leases(&self.lent, leases);
        // SAFETY: mapped writable for as long as the buffer lives. There are no leases but those of the caller, who lends
        // nobody their bytes meanwhile, and new ones wait; other processes write between `grab` and its end only.
        change(unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.memory.len()) });
        true
    }

    pub(super) fn as_ptr(&self) -> *mut u8 {
        self.memory.ptr().as_ptr()
    }

    pub(super) fn to_abi(&self) -> abi::FrameBuffer {
        abi::FrameBuffer {
            struct_size: size_field::<abi::FrameBuffer>(),
            memory: abi::MEMORY_MEMFD,
            ptr: self.as_ptr(),
            len: self.bytes(),
            fd: self.memory.as_fd().as_raw_fd(),
            stride: self.shape.stride,
            fourcc: self.shape.fourcc,
            reserved: 0,
        }
    }
}

impl AsFd for SharedBuffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// Keeps a buffer from being written.
#[derive(Debug)]
pub struct BufferLease {
    buffer: Arc<SharedBuffer>,
}

impl BufferLease {
    /// The buffer.
    #[must_use]
    pub fn buffer(&self) -> &Arc<SharedBuffer> {
        &self.buffer
    }

    /// The whole mapping: planes one after the other, each row a stride apart.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as the buffer lives. Writers are held off by the lease; the other processes that
        // have the descriptor are the X server and the host's own children, which write between `grab` and its end.
        unsafe { std::slice::from_raw_parts(self.buffer.as_ptr(), self.buffer.memory.len()) }
    }
}

impl BufferLease {
    /// [`SharedBuffer::write`] for the only one who has a lease.
    pub(super) fn write(&mut self, change: impl FnOnce(&mut [u8])) -> bool {
        self.buffer.write_held(1, change)
    }
}

impl Clone for BufferLease {
    fn clone(&self) -> Self {
        self.buffer.lend()
    }
}

impl Drop for BufferLease {
    fn drop(&mut self) {
        self.buffer.lent.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::SealFlags;

    use super::*;

    #[test]
    fn memory_is_sealed_and_zeroed() {
        let buffer = SharedBuffer::new(100, 50, abi::FOURCC_XRGB8888, 64).unwrap();
        assert_eq!((buffer.stride(), buffer.bytes()), (448, 24576));
        assert!(rustix::fs::ftruncate(buffer.as_fd(), 4096).is_err());
        let seals = rustix::fs::fcntl_get_seals(buffer.as_fd()).unwrap();
        assert!(seals.contains(SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL));
        assert!(buffer.lend().bytes().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn leases_count() {
        let buffer = SharedBuffer::new(4, 4, abi::FOURCC_NV12, 1).unwrap();
        let lease = buffer.lend();
        let second = lease.clone();
        drop(lease);
        assert!(buffer.is_lent());
        drop(second);
        assert!(!buffer.is_lent());
    }

    #[test]
    fn the_host_writes_only_what_nobody_else_reads() {
        let buffer = SharedBuffer::new(4, 4, abi::FOURCC_XRGB8888, 4).unwrap();
        assert!(buffer.write(|bytes| bytes[5] = 7));
        let mut lease = buffer.lend();
        assert_eq!(lease.bytes()[5], 7);
        assert!(!buffer.write(|bytes| bytes[5] = 8), "it is read");
        assert!(lease.write(|bytes| bytes[5] += 1));
        let second = lease.clone();
        assert!(!lease.write(|bytes| bytes[5] = 9), "another one reads it");
        assert_eq!(second.bytes()[5], 8);
        drop((lease, second));
        assert!(!buffer.is_lent());
        let theirs = SharedBuffer::of_fd(buffer.read_only().unwrap(), buffer.shape(), false).unwrap();
        assert!(!theirs.write(|bytes| bytes[5] = 0), "it is mapped for reading");
        // Whoever wants to read waits for the end of the writing.
        std::thread::scope(|scope| {
            let (began, begins) = std::sync::mpsc::channel();
            let buffer = &buffer;
            scope.spawn(move || {
                let written = buffer.write(|bytes| {
                    began.send(()).unwrap();
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    bytes[5] = 10;
                });
                assert!(written);
            });
            begins.recv().unwrap();
            assert_eq!(buffer.lend().bytes()[5], 10);
        });
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (width, height, fourcc, align) in [
            (0, 1, abi::FOURCC_XRGB8888, 4),
            (1, MAX_FRAME_EDGE + 1, abi::FOURCC_XRGB8888, 4),
            (1, 1, 0x2020_2020, 4),
            (1, 1, abi::FOURCC_XRGB8888, 3),
            (1, 1, abi::FOURCC_XRGB8888, 8192),
        ] {
            let error = SharedBuffer::new(width, height, fourcc, align).unwrap_err();
            assert!(error.to_string().starts_with("SI010"), "{error}");
        }
    }
}
