//! Strings, bytes, rectangles and the value of a number that is not set.

/// In fields whose text names it, and for which 0 is a value: not set. A literal, so that it means the same in C.
pub const UNSET: u32 = 0xffff_ffff;

/// UTF-8 text, not NUL-terminated. Borrowed for the call unless the function's text says otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Str {
    /// First byte; may be NULL only when `len` is 0.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

/// Borrowed bytes, valid for the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Bytes {
    /// First byte; may be NULL only when `len` is 0.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

/// A rectangle in pixels, origin top left, within the frame or display it belongs to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width; a rectangle of width 0 is empty.
    pub width: u32,
    /// Height; a rectangle of height 0 is empty.
    pub height: u32,
}

/// An opaque plugin instance. Only the plugin looks inside.
pub type Instance = core::ffi::c_void;

/// Where a function delivers texts, within its call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct TextSink {
    /// First argument of `emit`.
    pub ctx: *mut core::ffi::c_void,
    /// Receives one text, which is valid for the call only.
    pub emit: Option<unsafe extern "C" fn(ctx: *mut core::ffi::c_void, text: Str)>,
}

// SAFETY: a Str is a pointer and a length; whoever dereferences it answers for the lifetime.
unsafe impl Send for Str {}
// SAFETY: as above; the bytes behind it are never written through a Str.
unsafe impl Sync for Str {}

impl Str {
    /// Borrows `text`.
    #[must_use]
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// The empty text.
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };
}

impl Bytes {
    /// Borrows `bytes`.
    #[must_use]
    pub const fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}
