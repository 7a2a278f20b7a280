//! Capture: where frames come from.

mod table;

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{Damage, Host, Result, Wake, abi};

pub use table::CaptureTable;

/// What a source is like now. Fields as in [`abi::CaptureInfo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureInfo {
    /// Damage lists are exact enough to encode by.
    pub damage: bool,
    /// The pointer is drawn into the frame.
    pub draws_cursor: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// One of `FOURCC_*`.
    pub fourcc: u32,
    /// Row alignment in bytes that buffers need.
    pub stride_align: u32,
}

/// A buffer of the host, shared memory that the plugin writes frames into.
#[derive(Debug)]
pub struct BufferRef {
    raw: abi::FrameBuffer,
    len: usize,
}

impl BufferRef {
    /// The descriptor of the memory, borrowed; duplicate it to keep it.
    #[must_use]
    pub fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        // SAFETY: `CaptureRun` values end before the host closes the descriptor; -1 was refused on entry.
        unsafe { std::os::fd::BorrowedFd::borrow_raw(self.raw.fd) }
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.raw.stride as usize
    }

    /// One of `FOURCC_*`.
    #[must_use]
    pub fn fourcc(&self) -> u32 {
        self.raw.fourcc
    }

    /// Length of the memory in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.len
    }

    /// The memory, for plugins that draw with the CPU.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the host's promise in `CaptureParams`: mapped, writable, `len` bytes, until `stop` returned; the host
        // reads it only between two calls.
        unsafe { std::slice::from_raw_parts_mut(self.raw.ptr, self.len) }
    }
}

/// What to capture.
#[derive(Debug)]
pub struct CaptureParams {
    /// The part of the source; frames have its size.
    pub area: abi::Rect,
    /// Buffers of the host, at least one.
    pub buffers: Vec<BufferRef>,
    /// Name of the output, empty for the whole source.
    pub output: String,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Something changed since the last grab.
    Damage,
    /// The source has a new size.
    Resized {
        /// New width in pixels.
        width: u32,
        /// New height in pixels.
        height: u32,
    },
    /// Nothing: the time passed or [`Wake::wake`] was called.
    Nothing,
}

/// Which buffer to fill.
#[derive(Clone, Copy, Debug)]
pub struct Grab<'a> {
    /// Index into [`CaptureParams::buffers`].
    pub buffer: usize,
    /// What the buffer missed while others were used; to be written beside the new damage.
    pub refresh: &'a [abi::Rect],
}

/// A picture that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grabbed {
    /// When, nanoseconds of `CLOCK_MONOTONIC` ([`Host::now_ns`]).
    pub timestamp_ns: u64,
    /// What changed since the last grab.
    pub damage: Damage,
}

/// A source of frames that go into buffers of the host.
///
/// Sources with frames of their own (dma-buf, CUDA) use the C tables of [`abi`] directly.
pub trait Capture: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;
    /// A running capture.
    type Run: CaptureRun;

    /// Opens the source. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// Describes the source as it is now. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn info(&mut self) -> Result<CaptureInfo>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Begins to watch for damage; the first wait reports damage at once. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn start(&mut self, params: CaptureParams) -> Result<Self::Run>;
}

/// A capture between `start` and `stop`. Dropping it ends it. `[media]`
pub trait CaptureRun: Send + 'static {
    /// Blocks until there is something to grab, `timeout` passed (`None`: no limit) or the waker was called.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited>;

    /// Takes a picture into a buffer.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed>;
}
