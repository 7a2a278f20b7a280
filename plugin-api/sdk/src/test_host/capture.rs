//! Drives a capture.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::{fs, mm};

use super::{Failure, TestHost, TestWaker, instance::TestInstance};
use crate::{Capture, Damage, Grabbed, Waited, abi, guard::size32};

/// A capture instance, called through its table. One thread at a time; [`TestCapture::waker`] is for others.
#[derive(Debug)]
pub struct TestCapture {
    table: &'static abi::CaptureV1,
    // Declared before the buffers: the instance ends while they are still mapped.
    instance: Arc<TestInstance>,
    buffers: Vec<Buffer>,
    area: abi::Rect,
}

impl TestCapture {
    /// An instance of an SDK plugin. `config` is JSON.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: Capture>(host: &TestHost, config: &str) -> Result<Self, Failure> {
        // SAFETY: the SDK's tables keep the ABI's promises.
        unsafe { Self::from_table(crate::private::CaptureTable::<T>::TABLE, host, config) }
    }

    /// An instance of any table.
    ///
    /// # Errors
    /// When `create` fails.
    ///
    /// # Safety
    /// The table is that of a plugin that keeps the ABI's promises.
    pub unsafe fn from_table(
        table: &'static abi::CaptureV1,
        host: &TestHost,
        config: &str,
    ) -> Result<Self, Failure> {
        // SAFETY: the caller vouches for the table.
        let instance = unsafe { TestInstance::create(host, table.create, table.destroy, config) }?;
        Ok(Self { table, instance, buffers: Vec::new(), area: abi::Rect::default() })
    }

    /// The instance, for tests that call the table themselves.
    #[must_use]
    pub fn raw(&self) -> *mut abi::Instance {
        self.instance.raw()
    }

    /// Describes the source.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn info(&mut self) -> Result<abi::CaptureInfo, Failure> {
        let mut out = abi::CaptureInfo {
            struct_size: size32::<abi::CaptureInfo>(),
            flags: 0,
            width: 0,
            height: 0,
            fourcc: 0,
            stride_align: 0,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.info.map(|info| unsafe { info(self.raw(), &raw mut out) });
        self.instance.host().check(answer).map(|_| out)
    }

    /// Starts to capture the whole source into `count` buffers of 32-bit pixels.
    ///
    /// # Errors
    /// When the plugin fails; class 0 when the test host has no memory for the buffers.
    pub fn start(&mut self, count: usize) -> Result<(), Failure> {
        let info = self.info()?;
        self.start_area(abi::Rect { x: 0, y: 0, width: info.width, height: info.height }, count)
    }

    /// Starts to capture a part of the source.
    ///
    /// # Errors
    /// As [`TestCapture::start`].
    pub fn start_area(&mut self, area: abi::Rect, count: usize) -> Result<(), Failure> {
        let info = self.info()?;
        let mut buffers = Vec::new();
        if info.flags & abi::CAPTURE_HOST_BUFFERS != 0 {
            for _ in 0..count {
                buffers.push(Buffer::new(area, &info).map_err(|error| Failure {
                    status: 0,
                    text: format!("the test host has no buffer: {error}"),
                })?);
            }
        }
        let raw: Vec<abi::FrameBuffer> = buffers.iter().map(|buffer| buffer.raw).collect();
        let params = abi::CaptureParams {
            struct_size: size32::<abi::CaptureParams>(),
            buffer_count: u32::try_from(raw.len()).unwrap_or(u32::MAX),
            area,
            buffers: raw.as_ptr(),
            output: abi::Str::EMPTY,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive; the buffers stay mapped until it is stopped or destroyed.
        let answer = self.table.start.map(|start| unsafe { start(self.raw(), &raw const params) });
        self.instance.host().check(answer)?;
        // Not before: a second `start` that is refused must not unmap what the first one was given.
        (self.buffers, self.area) = (buffers, area);
        Ok(())
    }

    /// Waits for damage; `None` waits for ever.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited, Failure> {
        let nanos = timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        let mut out =
            abi::CaptureEvent { struct_size: size32::<abi::CaptureEvent>(), ..abi::CaptureEvent::default() };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos, &raw mut out) });
        if !self.instance.host().check(answer)? {
            return Ok(Waited::Nothing);
        }
        match out.kind {
            abi::CAPTURE_EVENT_DAMAGE => Ok(Waited::Damage),
            abi::CAPTURE_EVENT_RESIZED => Ok(Waited::Resized { width: out.width, height: out.height }),
            kind => Err(Failure { status: 0, text: format!("wait answered the unknown event {kind}") }),
        }
    }

    /// Takes a picture into a buffer.
    ///
    /// # Errors
    /// When the plugin fails, or answers a frame that is not the one of this buffer.
    pub fn grab(&mut self, buffer: usize, refresh: &[abi::Rect]) -> Result<Grabbed, Failure> {
        let index = u32::try_from(buffer).unwrap_or(u32::MAX);
        let count = u32::try_from(refresh.len()).unwrap_or(u32::MAX);
        let mut out = super::encoder::empty_frame();
        // SAFETY: the instance is alive; the list lives for the call and `out` is writable.
        let answer = self
            .table
            .grab
            .map(|grab| unsafe { grab(self.raw(), index, refresh.as_ptr(), count, &raw mut out) });
        self.instance.host().check(answer)?;
        if (out.width, out.height) != (self.area.width, self.area.height) {
            return Err(Failure {
                status: 0,
                text: format!("grab answered a frame of {}x{}", out.width, out.height),
            });
        }
        let damage = if out.flags & abi::FRAME_FULL_DAMAGE != 0 {
            Damage::Full
        } else {
            // SAFETY: the plugin keeps the list until the next call on the instance.
            let list =
                unsafe { crate::guard::array(out.damage, out.damage_count, abi::MAX_DAMAGE_RECTS, "damage") };
            let list =
                list.map_err(|error| Failure { status: error.status(), text: error.text().to_owned() })?;
            Damage::Rects(list.to_vec())
        };
        Ok(Grabbed { timestamp_ns: out.timestamp_ns, damage })
    }

    /// The bytes of a buffer and its stride.
    ///
    /// # Panics
    /// When there is no such buffer.
    #[must_use]
    pub fn pixels(&self, buffer: usize) -> (&[u8], usize) {
        self.buffers[buffer].pixels()
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<(), Failure> {
        // SAFETY: the instance is alive.
        let answer = self.table.stop.map(|stop| unsafe { stop(self.raw()) });
        self.instance.host().check(answer)?;
        self.buffers.clear();
        Ok(())
    }

    /// Ends waits from other threads. Keeps the instance alive.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }
}

/// A memfd as the host lends it.
#[derive(Debug)]
struct Buffer {
    raw: abi::FrameBuffer,
    len: usize,
    _memory: OwnedFd,
}

impl Buffer {
    fn new(area: abi::Rect, info: &abi::CaptureInfo) -> rustix::io::Result<Self> {
        let stride = (area.width.max(1) * 4).next_multiple_of(info.stride_align.max(1));
        let len = stride as usize * area.height.max(1) as usize;
        let memory = fs::memfd_create("selkies-test-frame", fs::MemfdFlags::CLOEXEC)?;
        fs::ftruncate(&memory, len as u64)?;
        // SAFETY: a fresh mapping of a file that is ours and has this length.
        let ptr = unsafe {
            mm::mmap(
                std::ptr::null_mut(),
                len,
                mm::ProtFlags::READ | mm::ProtFlags::WRITE,
                mm::MapFlags::SHARED,
                &memory,
                0,
            )
        }?;
        let raw = abi::FrameBuffer {
            struct_size: size32::<abi::FrameBuffer>(),
            memory: abi::MEMORY_MEMFD,
            ptr: ptr.cast(),
            len: len as u64,
            fd: memory.as_raw_fd(),
            stride,
            fourcc: info.fourcc,
            reserved: 0,
        };
        Ok(Self { raw, len, _memory: memory })
    }

    fn pixels(&self) -> (&[u8], usize) {
        // SAFETY: mapped until dropped; the plugin writes only within `grab`, which takes the driver mutably.
        (unsafe { std::slice::from_raw_parts(self.raw.ptr, self.len) }, self.raw.stride as usize)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; the driver dropped every reference to it.
        let _ = unsafe { mm::munmap(self.raw.ptr.cast(), self.len) };
    }
}
