//! Frames as an encoder sees them.

use crate::{Error, Result, abi, guard, host::Host};

/// What changed since the frame before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Unknown; the whole frame counts as changed.
    Full,
    /// These rectangles, at most [`abi::MAX_DAMAGE_RECTS`]; none means that nothing changed.
    Rects(Vec<abi::Rect>),
}

/// A raw frame, borrowed for one call.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'a> {
    raw: &'a abi::Frame,
    damage: &'a [abi::Rect],
    host: Host,
}

impl<'a> FrameRef<'a> {
    /// # Safety
    /// `raw` is NULL or points to a frame that keeps the ABI's promises for `'a`.
    pub(crate) unsafe fn new(raw: *const abi::Frame, host: Host) -> Result<Self> {
        // SAFETY: the caller vouches for the pointer.
        let raw = unsafe { guard::sized(raw, "frame") }?;
        if raw.plane_count == 0 || raw.plane_count > 4 || raw.width == 0 || raw.height == 0 {
            return Err(Error::invalid("a frame has 1 to 4 planes and is not empty"));
        }
        // SAFETY: the frame's damage list has `damage_count` entries.
        let damage = unsafe { guard::array(raw.damage, raw.damage_count, abi::MAX_DAMAGE_RECTS, "damage") }?;
        Ok(Self { raw, damage, host })
    }

    /// Every field as the C ABI has it.
    #[must_use]
    pub fn raw(&self) -> &'a abi::Frame {
        self.raw
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.raw.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.raw.height
    }

    /// One of `FOURCC_*`.
    #[must_use]
    pub fn fourcc(&self) -> u32 {
        self.raw.fourcc
    }

    /// Counts up by one per frame of a pipeline.
    #[must_use]
    pub fn frame_id(&self) -> u64 {
        self.raw.frame_id
    }

    /// When the picture was taken, nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn timestamp_ns(&self) -> u64 {
        self.raw.timestamp_ns
    }

    /// What changed since the frame before; `None` means the whole frame.
    #[must_use]
    pub fn damage(&self) -> Option<&'a [abi::Rect]> {
        (self.raw.flags & abi::FRAME_FULL_DAMAGE == 0).then_some(self.damage)
    }

    /// What changed since the frame `seen`, for encoders that compare with what they had last; `None` means the whole frame.
    /// Damage counts from the frame before: when that one was not seen, or nothing was, it is not known.
    #[must_use]
    pub fn damage_since(&self, seen: Option<u64>) -> Option<&'a [abi::Rect]> {
        let id = self.frame_id();
        self.damage().filter(|_| seen.is_some_and(|seen| id == seen || id == seen.wrapping_add(1)))
    }

    /// The bytes of a plane that is mapped, and its stride in bytes.
    ///
    /// # Errors
    /// When the plane does not exist, is not mapped or is shorter than one row.
    pub fn plane(&self, index: usize) -> Result<(&'a [u8], usize)> {
        if index >= self.raw.plane_count as usize {
            return Err(Error::invalid(format!("plane {index} of {}", self.raw.plane_count)));
        }
        let plane = &self.raw.planes[index];
        let len = usize::try_from(plane.len).map_err(|_| Error::invalid("a plane is too long"))?;
        // SAFETY: the frame's memory is readable and does not change for the call, which `'a` does not outlive.
        let bytes = unsafe { guard::bytes(abi::Bytes { ptr: plane.ptr, len }) }?;
        if bytes.is_empty() || plane.stride == 0 || bytes.len() < plane.stride as usize {
            return Err(Error::invalid("a plane is not mapped or shorter than one row"));
        }
        Ok((bytes, plane.stride as usize))
    }

    /// Keeps the frame past the call, for encoders that answer later. At most the caps' `max_retained` at once.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn retain(&self) -> Result<RetainedFrame> {
        let memory = memory_table(self.host)?;
        let retain = memory.retain.ok_or_else(|| Error::fatal("the host's memory table has no retain"))?;
        // SAFETY: the function belongs to this context; the token is that of the current call's frame.
        match unsafe { retain(self.host.ctx(), self.raw.token) } {
            abi::OK => {
                let damage = self.damage.to_vec();
                let raw = abi::Frame { damage: damage.as_ptr(), ..*self.raw };
                Ok(RetainedFrame { raw, damage, host: self.host })
            }
            status => Err(Error::from_status(status, "the host does not let the frame be retained")),
        }
    }
}

/// A frame kept past its call; dropping it gives it back.
#[derive(Debug)]
pub struct RetainedFrame {
    raw: abi::Frame,
    /// The host's list ends with the call; this is a copy, which `raw` points to.
    damage: Vec<abi::Rect>,
    host: Host,
}

impl RetainedFrame {
    /// The frame.
    #[must_use]
    pub fn frame(&self) -> FrameRef<'_> {
        FrameRef { raw: &self.raw, damage: &self.damage, host: self.host }
    }
}

impl Drop for RetainedFrame {
    fn drop(&mut self) {
        if let Ok(memory) = memory_table(self.host)
            && let Some(release) = memory.release
        {
            // SAFETY: `release` may be called from any thread, once for each retain.
            unsafe { release(self.host.ctx(), self.raw.token) }
        }
    }
}

/// The host's memory table.
pub(crate) fn memory_table(host: Host) -> Result<&'static abi::MemoryV1> {
    host.table(abi::ids::HOST_MEMORY_V1)
        .ok_or_else(|| Error::fatal("the host offers no selkies.host.memory/1 here"))
}
