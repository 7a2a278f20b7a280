//! `selkies.display/1`: the size and layout of the display.

use core::ffi::c_void;

use crate::{Host, Instance, Status, Str};

/// Output flag: part of the picture now.
pub const OUTPUT_ENABLED: u32 = 1;
/// Output flag: the primary one.
pub const OUTPUT_PRIMARY: u32 = 1 << 1;

/// One output of the display.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct DisplayOutput {
    /// `sizeof(DisplayOutput)`.
    pub struct_size: u32,
    /// `OUTPUT_*` flags.
    pub flags: u32,
    /// Its name, unique on the display.
    pub name: Str,
    /// Left edge in the display.
    pub x: i32,
    /// Top edge in the display.
    pub y: i32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Refresh rate in millihertz, 0 when it has none.
    pub refresh_mhz: u32,
    /// Dots per inch.
    pub dpi: u32,
    /// Widest mode that can be set.
    pub max_width: u32,
    /// Highest mode that can be set.
    pub max_height: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What one output is to become.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct DisplayRequest {
    /// `sizeof(DisplayRequest)`.
    pub struct_size: u32,
    /// `OUTPUT_*` flags wanted.
    pub flags: u32,
    /// The output's name; empty for the primary one. A name that does not exist asks for a virtual output.
    pub name: Str,
    /// Left edge wanted.
    pub x: i32,
    /// Top edge wanted.
    pub y: i32,
    /// Width wanted in pixels.
    pub width: u32,
    /// Height wanted in pixels.
    pub height: u32,
    /// Refresh rate wanted in millihertz; 0 leaves it to the plugin.
    pub refresh_mhz: u32,
    /// Dots per inch; 0 leaves it as it is.
    pub dpi: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Where [`DisplayV1::outputs`] delivers, within its call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct OutputSink {
    /// First argument of `emit`.
    pub ctx: *mut c_void,
    /// Receives one output, which is valid for the call only.
    pub emit: Option<unsafe extern "C" fn(ctx: *mut c_void, output: *const DisplayOutput)>,
}

/// `selkies.display/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct DisplayV1 {
    /// `sizeof(DisplayV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens the display. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Reports every output through `sink`, within the call.
    pub outputs: Option<unsafe extern "C" fn(instance: *mut Instance, sink: *const OutputSink) -> Status>,
    /// `[control]` Applies all requests (at most 32) together, or none. Outputs that no request names stay. A size over the limits
    /// fails with class retry, detail invalid-argument, and a text that names the limit.
    pub apply: Option<
        unsafe extern "C" fn(instance: *mut Instance, requests: *const DisplayRequest, count: u32) -> Status,
    >,
}
