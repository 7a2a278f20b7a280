//! `selkies.capture/1`: where frames come from.

use crate::{Frame, FrameBuffer, Host, Instance, Rect, Status, Str};

/// Capture flag: writes into buffers of the host (`memfd`). Otherwise frames carry the plugin's own memory.
pub const CAPTURE_HOST_BUFFERS: u32 = 1;
/// Capture flag: damage lists are exact enough to encode by; without it every frame is full.
pub const CAPTURE_DAMAGE: u32 = 1 << 1;
/// Capture flag: the pointer is drawn into the frame and `selkies.cursor/1` need not be used.
pub const CAPTURE_DRAWS_CURSOR: u32 = 1 << 2;

/// Event of [`CaptureV1::wait`]: something changed since the last grab.
pub const CAPTURE_EVENT_DAMAGE: u32 = 1;
/// Event of [`CaptureV1::wait`]: the source has a new size (`width`, `height`); the host stops and starts anew.
pub const CAPTURE_EVENT_RESIZED: u32 = 2;

/// What a capture instance can do and how large its source is now.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CaptureInfo {
    /// `sizeof(CaptureInfo)`.
    pub struct_size: u32,
    /// `CAPTURE_*` flags.
    pub flags: u32,
    /// Width of the source in pixels.
    pub width: u32,
    /// Height of the source in pixels.
    pub height: u32,
    /// The format of its frames.
    pub fourcc: u32,
    /// Row alignment in bytes that host buffers need.
    pub stride_align: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What to capture.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CaptureParams {
    /// `sizeof(CaptureParams)`.
    pub struct_size: u32,
    /// Buffers in `buffers`, at most 16; 0 without [`CAPTURE_HOST_BUFFERS`].
    pub buffer_count: u32,
    /// The part of the source to capture; frames have this size.
    pub area: Rect,
    /// Buffers of the host; each fits `area` at the information's format and alignment. They outlive `stop`.
    pub buffers: *const FrameBuffer,
    /// Name of the output (`selkies.display/1`), or empty for the whole source.
    pub output: Str,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What ended a wait.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CaptureEvent {
    /// `sizeof(CaptureEvent)`.
    pub struct_size: u32,
    /// One of `CAPTURE_EVENT_*`.
    pub kind: u32,
    /// New width for [`CAPTURE_EVENT_RESIZED`].
    pub width: u32,
    /// New height for [`CAPTURE_EVENT_RESIZED`].
    pub height: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.capture/1`.
///
/// Order: `create`, `info`, (`start`, (`wait` | `grab`)*, `stop`)*, `destroy`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CaptureV1 {
    /// `sizeof(CaptureV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the source. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance; `start`ed or not.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Describes the source as it is now.
    pub info: Option<unsafe extern "C" fn(instance: *mut Instance, out: *mut CaptureInfo) -> Status>,
    /// `[media]` Begins to watch for damage. The first wait reports damage at once.
    pub start: Option<unsafe extern "C" fn(instance: *mut Instance, params: *const CaptureParams) -> Status>,
    /// `[media]` Blocks until there is something to grab, `timeout_ns` passed (`u64::MAX`: no limit) or `wake` was
    /// called; the last two answer [`NOTHING`](crate::NOTHING). Does not lose damage that arrives while nobody waits.
    pub wait: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut CaptureEvent) -> Status,
    >,
    /// `[any]` Ends the current or next `wait`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[media]` Takes a picture. With host buffers it goes into `buffers[buffer]`, where only the new damage and the
    /// `refresh` rectangles (at most 64: what the buffer missed while others were used) are written. `out` is filled except for
    /// `frame_id` and `token`; its damage list stays valid until the next call on the instance.
    pub grab: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            buffer: u32,
            refresh: *const Rect,
            refresh_count: u32,
            out: *mut Frame,
        ) -> Status,
    >,
    /// `[any]` The host has no more use for a frame of the plugin's own memory, which it names by `planes[0]`, unchanged
    /// since `grab`. Not called with host buffers.
    pub done_with: Option<unsafe extern "C" fn(instance: *mut Instance, frame: *const Frame)>,
    /// `[media]` Ends `start`. After it the host's buffers are not written any more.
    pub stop: Option<unsafe extern "C" fn(instance: *mut Instance) -> Status>,
}
