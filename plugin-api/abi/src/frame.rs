//! Raw video frames and the buffers that hold them.

use crate::Rect;

/// Memory kind: plain memory, `planes[].ptr` is readable.
pub const MEMORY_CPU: u32 = 1;
/// Memory kind: a sealed memfd; `planes[].fd` with `offset`, and `ptr` where it is mapped already.
pub const MEMORY_MEMFD: u32 = 2;
/// Memory kind: Linux dma-buf, `planes[].fd` with `offset` and the frame's `modifier`.
pub const MEMORY_DMABUF: u32 = 3;
/// Memory kind: a device address of CUDA in `planes[].handle`, usable only in the process that made it.
pub const MEMORY_CUDA: u32 = 4;

/// `fourcc` code of four characters, as in `drm_fourcc.h`.
#[must_use]
pub const fn fourcc(code: [u8; 4]) -> u32 {
    u32::from_le_bytes(code)
}

/// 32-bit B, G, R, unused in memory order (`DRM_FORMAT_XRGB8888`, "XR24").
pub const FOURCC_XRGB8888: u32 = 0x3432_5258;
/// 32-bit B, G, R, A in memory order (`DRM_FORMAT_ARGB8888`, "AR24").
pub const FOURCC_ARGB8888: u32 = 0x3432_5241;
/// 30-bit colour (`DRM_FORMAT_XRGB2101010`, "XR30").
pub const FOURCC_XRGB2101010: u32 = 0x3033_5258;
/// Y plane, then interleaved CbCr at half resolution ("NV12").
pub const FOURCC_NV12: u32 = 0x3231_564e;
/// Y, Cb, Cr planes, chroma at half resolution ("YU12").
pub const FOURCC_YUV420: u32 = 0x3231_5559;
/// Y, Cb, Cr planes at full resolution ("YU24").
pub const FOURCC_YUV444: u32 = 0x3432_5559;
/// 10-bit NV12 ("P010").
pub const FOURCC_P010: u32 = 0x3031_3050;

/// `DRM_FORMAT_MOD_LINEAR`.
pub const MODIFIER_LINEAR: u64 = 0;

/// Frame flag: the damage list is not known; treat the whole frame as changed.
pub const FRAME_FULL_DAMAGE: u32 = 1;

/// Most rectangles in one damage list; a producer merges before it exceeds this.
pub const MAX_DAMAGE_RECTS: usize = 64;

/// Colour description as ITU-T H.273 code points; 2 is "unspecified".
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Color {
    /// `colour_primaries`, 1 = BT.709.
    pub primaries: u8,
    /// `transfer_characteristics`, 13 = sRGB.
    pub transfer: u8,
    /// `matrix_coefficients`, 0 = RGB.
    pub matrix: u8,
    /// 1 = full range, 0 = limited.
    pub full_range: u8,
}

/// One plane of a frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Plane {
    /// First byte, or NULL when the memory is not mapped.
    pub ptr: *const u8,
    /// Device address or handle for kinds that have one, else 0.
    pub handle: u64,
    /// Offset of the plane in `fd`.
    pub offset: u64,
    /// Bytes of the plane.
    pub len: u64,
    /// Bytes from one row to the next.
    pub stride: u32,
    /// Borrowed descriptor, or -1. The reader duplicates it to keep it.
    pub fd: i32,
}

/// A raw video frame. Borrowed for the call, or kept with [`MemoryV1::retain`](crate::MemoryV1::retain).
/// Its memory does not change before the call returned and every `retain` was released.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Frame {
    /// `sizeof(Frame)`.
    pub struct_size: u32,
    /// One of `MEMORY_*`.
    pub memory: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// One of `FOURCC_*` (or another code of `drm_fourcc.h`).
    pub fourcc: u32,
    /// Planes in use, 1 to 4.
    pub plane_count: u32,
    /// Format modifier of `drm_fourcc.h`.
    pub modifier: u64,
    /// Colour description.
    pub color: Color,
    /// `FRAME_*` bits.
    pub flags: u32,
    /// When the picture was taken, nanoseconds.
    pub timestamp_ns: u64,
    /// Counts up by one per frame of a pipeline, starting at 1.
    pub frame_id: u64,
    /// The host's name for the frame, for `retain` and `release`.
    pub token: u64,
    /// Planes; those past `plane_count` are zero with `fd` -1.
    pub planes: [Plane; 4],
    /// A sync_file to wait on before reading, or -1. Borrowed.
    pub acquire_fence_fd: i32,
    /// Rectangles in `damage`; 0 without [`FRAME_FULL_DAMAGE`] means that nothing changed.
    pub damage_count: u32,
    /// What changed since the frame with the `frame_id` before.
    pub damage: *const Rect,
    /// Zero.
    pub reserved: [u64; 4],
}

/// A buffer of the host into which a capture plugin writes frames.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct FrameBuffer {
    /// `sizeof(FrameBuffer)`.
    pub struct_size: u32,
    /// [`MEMORY_MEMFD`] today.
    pub memory: u32,
    /// Mapped and writable, page aligned.
    pub ptr: *mut u8,
    /// Bytes of the mapping.
    pub len: u64,
    /// Borrowed descriptor of the memory; the plugin duplicates it to keep it.
    pub fd: i32,
    /// Bytes from one row to the next.
    pub stride: u32,
    /// Format that is to be written.
    pub fourcc: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: a frame's pointers are read-only views that the sender keeps alive for the call.
unsafe impl Send for Frame {}
// SAFETY: the memory behind a frame does not change while it is lent.
unsafe impl Sync for Frame {}
// SAFETY: a buffer description is handed over while its owner does not touch the memory.
unsafe impl Send for FrameBuffer {}
