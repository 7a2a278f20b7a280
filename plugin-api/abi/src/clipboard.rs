//! `selkies.clipboard/1`: what applications copied, and what they are to paste.

use crate::{Bytes, Host, Instance, Status, Str, TextSink};

/// The clipboard: what copying fills and pasting takes.
pub const SELECTION_CLIPBOARD: u32 = 0;
/// The primary selection: what was marked last, where a desktop has one.
pub const SELECTION_PRIMARY: u32 = 1;

/// Bit of a content: it is a password or the like, which is not to be shown or kept longer than it is needed.
pub const CLIPBOARD_SECRET: u32 = 1;

/// Most bytes of one format, both ways.
pub const MAX_CLIPBOARD_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of all formats of one offer together.
pub const MAX_CLIPBOARD_TOTAL: usize = 128 * 1024 * 1024;
/// Most formats of one content, both ways.
pub const MAX_CLIPBOARD_FORMATS: u32 = 64;
/// Longest MIME type in bytes.
pub const MAX_CLIPBOARD_MIME: usize = 128;

/// A selection got another content, or lost its content.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardChange {
    /// `sizeof(ClipboardChange)`.
    pub struct_size: u32,
    /// One of `SELECTION_*`.
    pub selection: u32,
    /// 1 when there is a content, 0 when there is none any more.
    pub filled: u32,
    /// Zero.
    pub reserved32: u32,
    /// Names the content of this selection; greater than that of every content before it.
    pub serial: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What is wanted of a content.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardRequest {
    /// `sizeof(ClipboardRequest)`.
    pub struct_size: u32,
    /// One of `SELECTION_*`.
    pub selection: u32,
    /// The content that was reported with this serial; another one is not wanted.
    pub serial: u64,
    /// The format that is to be read, as the plugin named it; empty for `formats`.
    pub mime: Str,
    /// Most bytes that are wanted, at most [`MAX_CLIPBOARD_BYTES`]; 0 for `formats`.
    pub limit: u64,
    /// When the answer is given up, nanoseconds.
    pub deadline_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What is known of a content beside its formats.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardContentInfo {
    /// `sizeof(ClipboardContentInfo)`.
    pub struct_size: u32,
    /// Bits of `CLIPBOARD_*`; the host ignores those that it does not know.
    pub flags: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A content in one format.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardItem {
    /// `sizeof(ClipboardItem)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved32: u32,
    /// MIME type, at most [`MAX_CLIPBOARD_MIME`] bytes. `text/plain` is UTF-8 whose lines end with LF.
    pub mime: Str,
    /// The content, at most [`MAX_CLIPBOARD_BYTES`].
    pub data: Bytes,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A content that is to be pasted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardOffer {
    /// `sizeof(ClipboardOffer)`.
    pub struct_size: u32,
    /// Bits of `CLIPBOARD_*`; a plugin ignores those that it does not know.
    pub flags: u32,
    /// One of `SELECTION_*`.
    pub selection: u32,
    /// Number of items, at most [`MAX_CLIPBOARD_FORMATS`]; 0 when nothing is offered any more.
    pub count: u32,
    /// The content in each of its formats, best first, all of them at most [`MAX_CLIPBOARD_TOTAL`] bytes. May be NULL when
    /// `count` is 0.
    pub items: *const ClipboardItem,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Where a function delivers bytes, within its call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct BytesSink {
    /// First argument of `emit`.
    pub ctx: *mut core::ffi::c_void,
    /// Receives bytes, which are valid for the call only.
    pub emit: Option<unsafe extern "C" fn(ctx: *mut core::ffi::c_void, bytes: Bytes)>,
}

/// `selkies.clipboard/1`.
///
/// What was offered is given to applications within `wait`, `formats` and `read`: while it has nothing else to do, the
/// host is in `wait`.
///
/// Texts are `text/plain`, in UTF-8, and their lines end with LF, both ways: a plugin whose desktop has it otherwise
/// converts. The host takes CR LF for what it is, and does not offer it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClipboardV1 {
    /// `sizeof(ClipboardV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the clipboard. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance, and with it what it offers.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Blocks until a selection has another content than the one reported last, `timeout_ns` passed or
    /// `wake` was called; the last two answer [`NOTHING`](crate::NOTHING). The first calls report what is there already.
    /// What this instance offers is not reported, nor are selections that the plugin does not have.
    pub wait: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut ClipboardChange) -> Status,
    >,
    /// `[control]` Gives the MIME types of a content through `sink`, within the call, best first, at most
    /// [`MAX_CLIPBOARD_FORMATS`], and in `out` what else is known of it. Texts are `text/plain`, whatever the application
    /// calls them. Blocks until the deadline at most; `wake` ends it as it ends `wait`. A content that is gone is a failure
    /// (retry, not-found).
    pub formats: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            request: *const ClipboardRequest,
            out: *mut ClipboardContentInfo,
            sink: *const TextSink,
        ) -> Status,
    >,
    /// `[control]` Gives a content in one format through `sink`, in one piece within the call; `text/plain` in UTF-8.
    /// Blocks until the deadline at most; `wake` ends it as it ends `wait`. More than `limit` bytes are a failure (retry,
    /// out-of-resources), as are a content or a format that is gone (retry, not-found).
    pub read: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            request: *const ClipboardRequest,
            sink: *const BytesSink,
        ) -> Status,
    >,
    /// `[control]` Makes one content that of a selection; applications that paste get it from then on, until another one
    /// copies. The plugin keeps a copy. No items: nothing is offered any more. A selection that the plugin does not have is
    /// a failure (retry, unsupported).
    pub offer: Option<unsafe extern "C" fn(instance: *mut Instance, offer: *const ClipboardOffer) -> Status>,
    /// `[any]` Ends the current or next `wait`, `formats` or `read`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
}
