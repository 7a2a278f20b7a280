//! `selkies.gamepad/1`: game controllers that programs of the desktop see.

use crate::{Host, Instance, Status, Str};

/// Slots of a gamepad instance, 0 to 3.
pub const MAX_GAMEPADS: u32 = 4;
/// Longest name of a gamepad, in bytes.
pub const MAX_GAMEPAD_NAME: usize = 254;
/// Most buttons of a gamepad.
pub const MAX_GAMEPAD_BUTTONS: usize = 512;
/// Most axes of a gamepad.
pub const MAX_GAMEPAD_AXES: usize = 64;

/// Identity flag: what drives the pad can rumble.
pub const GAMEPAD_RUMBLES: u32 = 1;

/// Event: button `index` of the identity's list; `value` 1 pressed, 0 released.
pub const GAMEPAD_BUTTON: u32 = 1;
/// Event: axis `index` of the identity's list moves to `value`, within its range.
pub const GAMEPAD_AXIS: u32 = 2;
/// Event: every button is released and every axis goes to its rest; `index` and `value` are zero.
pub const GAMEPAD_REST: u32 = 3;

/// An axis of a gamepad, as in Linux' `struct input_absinfo`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct GamepadAxis {
    /// The evdev code, `ABS_*`.
    pub code: u32,
    /// Least value.
    pub minimum: i32,
    /// Greatest value.
    pub maximum: i32,
    /// The value when nobody touches it.
    pub rest: i32,
    /// Noise that is to be ignored.
    pub fuzz: i32,
    /// Values around the rest that count as rest.
    pub flat: i32,
    /// Units per millimetre or radian; 0 when unknown.
    pub resolution: i32,
    /// Zero.
    pub reserved: u32,
}

/// What a gamepad is to programs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct GamepadIdentity {
    /// `sizeof(GamepadIdentity)`.
    pub struct_size: u32,
    /// `GAMEPAD_RUMBLES` or 0.
    pub flags: u32,
    /// At most [`MAX_GAMEPAD_NAME`] bytes without a NUL.
    pub name: Str,
    /// The bus, as in Linux' `struct input_id` (`BUS_*`), 16 bits.
    pub bus: u32,
    /// USB vendor, 16 bits.
    pub vendor: u32,
    /// USB product, 16 bits.
    pub product: u32,
    /// Version, 16 bits.
    pub version: u32,
    /// Evdev codes (`BTN_*`) in the order of their indices.
    pub buttons: *const u16,
    /// Axes in the order of their indices.
    pub axes: *const GamepadAxis,
    /// At most [`MAX_GAMEPAD_BUTTONS`].
    pub button_count: u32,
    /// At most [`MAX_GAMEPAD_AXES`].
    pub axis_count: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// One change of a gamepad.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct GamepadEvent {
    /// `sizeof(GamepadEvent)`.
    pub struct_size: u32,
    /// Below [`MAX_GAMEPADS`].
    pub slot: u32,
    /// One of `GAMEPAD_BUTTON`, `GAMEPAD_AXIS`, `GAMEPAD_REST`.
    pub kind: u32,
    /// See the kind.
    pub index: u32,
    /// See the kind.
    pub value: i32,
    /// Zero.
    pub reserved32: u32,
    /// When the host received it, nanoseconds; 0 when unknown.
    pub timestamp_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What a program lets a gamepad do.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct GamepadRumble {
    /// `sizeof(GamepadRumble)`, set by the host.
    pub struct_size: u32,
    /// Below [`MAX_GAMEPADS`].
    pub slot: u32,
    /// The heavy motor, 0 to 65535.
    pub strong: u32,
    /// The light motor, 0 to 65535; both 0: stop.
    pub weak: u32,
    /// Milliseconds; 0 with both motors at 0.
    pub duration_ms: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.gamepad/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct GamepadV1 {
    /// `sizeof(GamepadV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the way to programs, with no gamepad plugged. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Unplugs everything and ends the instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[media]` Plugs a gamepad, at rest, into a slot; one that is there already is replaced.
    pub plug: Option<
        unsafe extern "C" fn(instance: *mut Instance, slot: u32, identity: *const GamepadIdentity) -> Status,
    >,
    /// `[media]` Brings a slot's gamepad to rest and unplugs it. Success when there is none.
    pub unplug: Option<unsafe extern "C" fn(instance: *mut Instance, slot: u32) -> Status>,
    /// `[media]` Applies events (at most 4096) in order and hands them to programs before it returns. Those of a slot without a
    /// gamepad are left out; programs that do not read are not waited for.
    pub inject: Option<
        unsafe extern "C" fn(instance: *mut Instance, events: *const GamepadEvent, count: u32) -> Status,
    >,
    /// `[media]` Blocks until a program lets a gamepad rumble, `timeout_ns` passed or `wake` was called; the last two
    /// answer [`NOTHING`](crate::NOTHING).
    pub wait: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut GamepadRumble) -> Status,
    >,
    /// `[any]` Ends the current or next `wait`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
}
