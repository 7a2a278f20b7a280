//! `selkies.input/1`: keyboard, pointer and text into the desktop.

use crate::{Host, Instance, Status, Str};

/// Event: a key by X keysym (`code`), `value` 1 pressed, 0 released.
pub const INPUT_KEYSYM: u32 = 1;
/// Event: a key by evdev code (`code`), `value` 1 pressed, 0 released.
pub const INPUT_KEYCODE: u32 = 2;
/// Event: the pointer moves to `x`, `y` (pixels of the display).
pub const INPUT_POINTER_ABSOLUTE: u32 = 3;
/// Event: the pointer moves by `x`, `y` (device units).
pub const INPUT_POINTER_RELATIVE: u32 = 4;
/// Event: a button of `BUTTON_*` (`code`), `value` 1 pressed, 0 released.
pub const INPUT_BUTTON: u32 = 5;
/// Event: the wheel turns by `x` right and `y` down, in 1/120 of a notch.
pub const INPUT_SCROLL: u32 = 6;
/// Event: `text` is typed.
pub const INPUT_TEXT: u32 = 7;
/// Event: everything held by this instance is released.
pub const INPUT_RELEASE_ALL: u32 = 8;
/// Event: a touch point (`code` is its number) at `x`, `y`; `value` 1 down, 2 moved, 0 up.
pub const INPUT_TOUCH: u32 = 9;

/// Button: left.
pub const BUTTON_LEFT: u32 = 1;
/// Button: middle.
pub const BUTTON_MIDDLE: u32 = 2;
/// Button: right.
pub const BUTTON_RIGHT: u32 = 3;
/// Button: back.
pub const BUTTON_BACK: u32 = 8;
/// Button: forward.
pub const BUTTON_FORWARD: u32 = 9;

/// Longest text of one event, in bytes.
pub const MAX_INPUT_TEXT: usize = 4096;

/// One input event. Fields that a kind does not name are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct InputEvent {
    /// `sizeof(InputEvent)`.
    pub struct_size: u32,
    /// One of `INPUT_*`.
    pub kind: u32,
    /// See the kind.
    pub code: u32,
    /// See the kind.
    pub value: u32,
    /// See the kind.
    pub x: i32,
    /// See the kind.
    pub y: i32,
    /// For [`INPUT_TEXT`], at most [`MAX_INPUT_TEXT`] bytes.
    pub text: Str,
    /// When the host received it, nanoseconds; 0 when unknown.
    pub timestamp_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.input/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct InputV1 {
    /// `sizeof(InputV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the device. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Releases everything held and ends the instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[any]` The kinds it understands, as a mask of `1 << INPUT_*`. The host routes others to the next input plugin.
    pub kinds: Option<unsafe extern "C" fn(instance: *mut Instance) -> u64>,
    /// `[media]` Injects events (at most 4096) in order and flushes them before it returns.
    pub inject: Option<
        unsafe extern "C" fn(instance: *mut Instance, events: *const InputEvent, count: u32) -> Status,
    >,
}
