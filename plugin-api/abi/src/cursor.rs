//! `selkies.cursor/1`: the shape of the pointer.

use crate::{Host, Instance, Status, Str};

/// Largest edge of a cursor image in pixels.
pub const MAX_CURSOR_EDGE: u32 = 512;

/// A cursor image.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CursorImage {
    /// `sizeof(CursorImage)`.
    pub struct_size: u32,
    /// 1 when the pointer is shown, 0 when it is hidden.
    pub visible: u32,
    /// Width in pixels, at most [`MAX_CURSOR_EDGE`].
    pub width: u32,
    /// Height in pixels, at most [`MAX_CURSOR_EDGE`].
    pub height: u32,
    /// The pixel of the image that points.
    pub hot_x: u32,
    /// The pixel of the image that points.
    pub hot_y: u32,
    /// Names the shape; equal serials have equal images.
    pub serial: u64,
    /// R, G, B, A bytes, not premultiplied, `width * 4` a row. Valid until the next call on the instance.
    pub rgba: *const u8,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.cursor/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CursorV1 {
    /// `sizeof(CursorV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the source. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Blocks until the shape differs from the last one reported, `timeout_ns` passed or `wake` was called;
    /// the last two answer [`NOTHING`](crate::NOTHING). The first call answers at once.
    pub wait: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut CursorImage) -> Status,
    >,
    /// `[any]` Ends the current or next `wait`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
}
