//! Frames on their way from a capture to encoders.

use core::fmt;

use selkies_plugin_abi::{self as abi, Color, MAX_DAMAGE_RECTS, Rect};

use super::buffer::{BufferLease, MAX_FRAME_EDGE};
use super::layout;
use crate::child::wire::WirePlane;
use crate::services::Keep;
use crate::size::{count_field, size_field};

/// What changed in a frame since the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Not known: everything.
    Full,
    /// These parts of the frame, at most [`MAX_DAMAGE_RECTS`]; none when nothing changed.
    Rects(Vec<Rect>),
}

/// Size, format and colours of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameShape {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Format, one of the ABI's `FOURCC_*` or another code of `drm_fourcc.h`.
    pub fourcc: u32,
    /// One of the ABI's `MEMORY_*`.
    pub memory: u32,
    /// Colour description.
    pub color: Color,
}

/// One frame. Its memory does not change while the frame or a clone of it lives; a clone copies no pixels.
#[derive(Clone)]
pub struct VideoFrame {
    /// Damage, ids and token are filled for each submit.
    raw: abi::Frame,
    damage: Damage,
    keep: Keep,
}

impl Damage {
    /// True when nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Rects(rects) if rects.is_empty())
    }

    /// The list without empty rectangles, or what is wrong with it.
    pub(super) fn checked(rects: &[Rect], width: u32, height: u32) -> Result<Self, String> {
        if rects.len() > MAX_DAMAGE_RECTS {
            return Err(format!("{} damage rectangles, {MAX_DAMAGE_RECTS} are allowed", rects.len()));
        }
        if let Some(outside) = rects.iter().find(|rect| !within(rect, width, height)) {
            return Err(format!("the damage rectangle {outside:?} is outside the frame of {width}x{height}"));
        }
        Ok(Self::Rects(rects.iter().filter(|rect| rect.width > 0 && rect.height > 0).copied().collect()))
    }
}

/// Whether a rectangle lies in a frame; an empty one does, too.
pub(super) fn within(rect: &Rect, width: u32, height: u32) -> bool {
    rect.x.checked_add(rect.width).is_some_and(|right| right <= width)
        && rect.y.checked_add(rect.height).is_some_and(|bottom| bottom <= height)
}

impl VideoFrame {
    /// A frame that fills a buffer of the host. `timestamp_ns` is in `CLOCK_MONOTONIC`. A damage list that is too long
    /// or leaves the frame becomes [`Damage::Full`].
    #[must_use]
    pub fn in_buffer(lease: BufferLease, color: Color, timestamp_ns: u64, damage: Damage) -> Self {
        let buffer = lease.buffer();
        let mut raw = empty();
        raw.memory = abi::MEMORY_MEMFD;
        (raw.width, raw.height, raw.fourcc) = (buffer.width(), buffer.height(), buffer.fourcc());
        (raw.color, raw.timestamp_ns) = (color, timestamp_ns);
        let planes = layout::planes(raw.fourcc, raw.width, raw.height).unwrap_or_default();
        let mut offset = 0;
        for (plane, shape) in raw.planes.iter_mut().zip(&planes) {
            plane.stride = buffer.stride() / shape.stride_divisor;
            plane.offset = offset;
            plane.len = u64::from(plane.stride) * shape.rows;
            offset += plane.len;
        }
        raw.plane_count = count_field(&planes);
        Self::place(&mut raw, &lease);
        let frame = Self { raw, damage: Damage::Full, keep: std::sync::Arc::new(lease) };
        frame.with_damage(damage)
    }

    /// A frame that was checked with [`check`]. In host buffers, planes point where the host mapped them.
    pub(super) fn checked(
        mut raw: abi::Frame,
        lease: Option<BufferLease>,
        damage: Damage,
        keep: Keep,
    ) -> Self {
        if let Some(lease) = &lease {
            Self::place(&mut raw, lease);
        }
        raw.damage = std::ptr::null();
        raw.damage_count = 0;
        Self { raw, damage, keep }
    }

    fn place(raw: &mut abi::Frame, lease: &BufferLease) {
        let target = lease.buffer().to_abi();
        for plane in raw.planes.iter_mut().take(raw.plane_count as usize) {
            plane.fd = target.fd;
            plane.handle = 0;
            // Offsets were checked or made to lie in the mapping; what no address reaches gets no pointer.
            plane.ptr = usize::try_from(plane.offset)
                .map_or(std::ptr::null(), |offset| target.ptr.wrapping_add(offset).cast_const());
        }
    }

    /// Size, format and colours.
    #[must_use]
    pub fn shape(&self) -> FrameShape {
        let abi::Frame { width, height, fourcc, memory, color, .. } = self.raw;
        FrameShape { width, height, fourcc, memory, color }
    }

    /// When the picture was taken, nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn timestamp_ns(&self) -> u64 {
        self.raw.timestamp_ns
    }

    /// What changed since the frame before.
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// The same picture with another damage list, for frames that were skipped or are sent again. A list that is too
    /// long or leaves the frame becomes [`Damage::Full`].
    #[must_use]
    pub fn with_damage(mut self, damage: Damage) -> Self {
        self.damage = match damage {
            Damage::Full => Damage::Full,
            Damage::Rects(rects) => {
                Damage::checked(&rects, self.raw.width, self.raw.height).unwrap_or(Damage::Full)
            }
        };
        self
    }

    /// Lets `change` write the host's buffer that it fills, rows a stride apart. False, and nothing happened, where it fills
    /// none or somebody else has it, too.
    #[must_use]
    pub fn paint(&mut self, change: impl FnOnce(&mut [u8])) -> bool {
        let lease =
            std::sync::Arc::get_mut(&mut self.keep).and_then(|keep| keep.downcast_mut::<BufferLease>());
        lease.is_some_and(|lease| lease.write(change))
    }

    /// A frame of the host in a child: planes of a mapped buffer, and what is dropped with the last reference.
    pub(crate) fn of_host(
        lease: &BufferLease,
        planes: &[WirePlane],
        color: Color,
        timestamp_ns: u64,
        damage: Damage,
        keep: Keep,
    ) -> Self {
        let buffer = lease.buffer();
        let mut raw = empty();
        raw.memory = abi::MEMORY_MEMFD;
        (raw.width, raw.height, raw.fourcc) = (buffer.width(), buffer.height(), buffer.fourcc());
        (raw.color, raw.timestamp_ns) = (color, timestamp_ns);
        for (plane, from) in raw.planes.iter_mut().zip(planes) {
            (plane.offset, plane.len, plane.stride) = (from.0, from.1, from.2);
        }
        raw.plane_count = count_field(planes).min(4);
        Self::place(&mut raw, lease);
        Self { raw, damage: Damage::Full, keep }.with_damage(damage)
    }

    /// The buffer of the host that it fills, if it does.
    pub(crate) fn lease(&self) -> Option<&BufferLease> {
        self.keep.downcast_ref::<BufferLease>()
    }

    /// Where its planes lie.
    pub(crate) fn planes(&self) -> Vec<WirePlane> {
        self.raw.planes.iter().take(self.raw.plane_count as usize).map(Into::into).collect()
    }

    /// The same picture in a buffer of the host with its size and format, row by row; `None` when its memory cannot be
    /// read here.
    pub(crate) fn copied_to(&self, lease: BufferLease) -> Option<Self> {
        let shapes = layout::planes(self.raw.fourcc, self.raw.width, self.raw.height)?;
        if !self.is_readable() || self.raw.plane_count as usize != shapes.len() {
            return None;
        }
        let (color, timestamp_ns) = (self.raw.color, self.raw.timestamp_ns);
        let copy = Self::in_buffer(lease, color, timestamp_ns, self.damage.clone());
        for ((from, to), shape) in self.raw.planes.iter().zip(&copy.raw.planes).zip(&shapes) {
            let row_bytes = usize::try_from(shape.row_bytes).ok()?;
            for row in 0..usize::try_from(shape.rows).ok()? {
                // SAFETY: both planes hold `rows` rows of `row_bytes`: the source was checked when it came, the buffer
                // is laid out for this format. Nobody reads the buffer before the frame is passed on.
                unsafe {
                    let source = from.ptr.add(row * from.stride as usize);
                    let target = to.ptr.cast_mut().add(row * to.stride as usize);
                    std::ptr::copy_nonoverlapping(source, target, row_bytes);
                }
            }
        }
        Some(copy)
    }

    /// Calls `row` with each row of pixels, plane after plane; `None` when its memory cannot be read here.
    pub fn visit_rows(&self, mut row: impl FnMut(&[u8])) -> Option<()> {
        let shapes = layout::planes(self.raw.fourcc, self.raw.width, self.raw.height)?;
        if !self.is_readable() || self.raw.plane_count as usize != shapes.len() {
            return None;
        }
        for (plane, shape) in self.raw.planes.iter().zip(&shapes) {
            let bytes = usize::try_from(shape.row_bytes).ok()?;
            for at in 0..usize::try_from(shape.rows).ok()? {
                // SAFETY: the plane holds `rows` rows of `row_bytes`, as was checked when the frame came, and they do
                // not change while it lives.
                row(unsafe { std::slice::from_raw_parts(plane.ptr.add(at * plane.stride as usize), bytes) });
            }
        }
        Some(())
    }

    /// True when its planes are mapped memory of the main processor.
    fn is_readable(&self) -> bool {
        matches!(self.raw.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD) && self.is_mapped()
    }

    pub(crate) fn keep(&self) -> Keep {
        std::sync::Arc::clone(&self.keep)
    }

    /// True when its planes can be read through pointers.
    fn is_mapped(&self) -> bool {
        self.raw.planes.iter().take(self.raw.plane_count as usize).all(|plane| !plane.ptr.is_null())
    }

    /// The frame for one `submit`, in a memory kind that the encoder reads; `None` when it is in another.
    /// The answer borrows the damage list.
    pub(super) fn to_abi(&self, memory: u32, frame_id: u64, token: u64) -> Option<abi::Frame> {
        let mut raw = self.raw;
        if memory == abi::MEMORY_CPU && raw.memory == abi::MEMORY_MEMFD && self.is_mapped() {
            raw.memory = abi::MEMORY_CPU;
            raw.planes.iter_mut().for_each(|plane| plane.fd = -1);
        }
        if raw.memory != memory {
            return None;
        }
        (raw.frame_id, raw.token) = (frame_id, token);
        match &self.damage {
            Damage::Full => raw.flags = abi::FRAME_FULL_DAMAGE,
            Damage::Rects(rects) => {
                raw.flags = 0;
                raw.damage = rects.as_ptr();
                raw.damage_count = count_field(rects);
            }
        }
        Some(raw)
    }
}

impl fmt::Debug for VideoFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoFrame")
            .field("shape", &self.shape())
            .field("timestamp_ns", &self.raw.timestamp_ns)
            .field("damage", &self.damage)
            .finish_non_exhaustive()
    }
}

/// A frame for a plugin to fill: nothing in it, no descriptor.
pub(super) fn empty() -> abi::Frame {
    let plane = abi::Plane { ptr: std::ptr::null(), handle: 0, offset: 0, len: 0, stride: 0, fd: -1 };
    abi::Frame {
        struct_size: size_field::<abi::Frame>(),
        memory: 0,
        width: 0,
        height: 0,
        fourcc: 0,
        plane_count: 0,
        modifier: abi::MODIFIER_LINEAR,
        color: Color { primaries: 2, transfer: 2, matrix: 2, full_range: 0 },
        flags: 0,
        timestamp_ns: 0,
        frame_id: 0,
        token: 0,
        planes: [plane; 4],
        acquire_fence_fd: -1,
        damage_count: 0,
        damage: std::ptr::null(),
        reserved: [0; 4],
    }
}

/// Checks that a plugin's frame is what was asked for and that its planes lie in their memory. `buffer_len` is the
/// size of the host's buffer, if it went into one. Answers what is wrong.
pub(super) fn check(
    frame: &abi::Frame,
    width: u32,
    height: u32,
    fourcc: u32,
    buffer_len: Option<u64>,
) -> Result<(), String> {
    if frame.struct_size as usize != size_of::<abi::Frame>() {
        return Err(format!("the frame's struct_size is {}", frame.struct_size));
    }
    if (frame.width, frame.height) != (width, height) || width.max(height) > MAX_FRAME_EDGE {
        return Err(format!("the frame is {}x{}, not {width}x{height}", frame.width, frame.height));
    }
    if frame.fourcc != fourcc {
        return Err(format!("the frame's format is {:#010x}, not {fourcc:#010x}", frame.fourcc));
    }
    let known = [abi::MEMORY_CPU, abi::MEMORY_MEMFD, abi::MEMORY_DMABUF, abi::MEMORY_CUDA];
    if !known.contains(&frame.memory) || buffer_len.is_some() && frame.memory != abi::MEMORY_MEMFD {
        return Err(format!("the frame's memory kind {} is not the one in use", frame.memory));
    }
    let shapes = layout::planes(fourcc, width, height);
    let count = frame.plane_count as usize;
    // The modifiers of dma-bufs add planes, and formats of devices need not be known here.
    let free = matches!(frame.memory, abi::MEMORY_DMABUF | abi::MEMORY_CUDA);
    let expected = shapes.as_ref().map(Vec::len);
    if count == 0 || count > 4 || !free && expected != Some(count) {
        return Err(format!("{count} planes do not fit the format {fourcc:#010x}"));
    }
    for (index, plane) in frame.planes.iter().take(count).enumerate() {
        let shape = shapes.as_ref().filter(|_| !free).map(|shapes| shapes[index]);
        check_plane(frame.memory, plane, shape, buffer_len)
            .map_err(|what| format!("plane {index}: {what}"))?;
    }
    Ok(())
}

fn check_plane(
    memory: u32,
    plane: &abi::Plane,
    shape: Option<layout::PlaneShape>,
    buffer_len: Option<u64>,
) -> Result<(), String> {
    let end = plane.offset.checked_add(plane.len).ok_or("offset and length overflow")?;
    if let Some(shape) = shape {
        let span = shape.span(plane.stride).ok_or("the stride is shorter than a row")?;
        if span > plane.len {
            return Err(format!("{} bytes are too few, its pixels need {span}", plane.len));
        }
    }
    if let Some(buffer_len) = buffer_len {
        return if end <= buffer_len { Ok(()) } else { Err("it ends behind the buffer".into()) };
    }
    match memory {
        abi::MEMORY_CPU if plane.ptr.is_null() => Err("the pointer is NULL".into()),
        abi::MEMORY_MEMFD => {
            if plane.fd < 0 {
                return Err("there is no descriptor".into());
            }
            // SAFETY: the plugin lends the descriptor for the life of the frame; a wrong number makes fstat fail.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(plane.fd) };
            let size =
                rustix::fs::fstat(fd).map_err(|errno| format!("its descriptor is unusable: {errno}"))?;
            if end > u64::try_from(size.st_size).unwrap_or(0) {
                return Err("it ends behind its file".into());
            }
            Ok(())
        }
        abi::MEMORY_DMABUF if plane.fd < 0 => Err("there is no descriptor".into()),
        abi::MEMORY_CUDA if plane.handle == 0 => Err("there is no device address".into()),
        _ => Ok(()),
    }
}
