//! What the host offers to a plugin.

use core::ffi::c_void;

use crate::{Packet, Slab, Status, Str};

/// The host as one instance sees it. Passed to every `create`; valid until that instance's `destroy` returned.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Host {
    /// `sizeof(Host)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// First argument of every function of the host's tables.
    pub ctx: *mut c_void,
    /// `[any]` Answers the host's table with this id, or NULL. Tables live as long as the process.
    pub query: Option<unsafe extern "C" fn(ctx: *mut c_void, id: Str) -> *const c_void>,
}

/// Log level: something is broken and it is a defect.
pub const LEVEL_ERROR: u32 = 1;
/// Log level: bad, but possible.
pub const LEVEL_WARN: u32 = 2;
/// Log level: for the operator; must not annoy.
pub const LEVEL_INFO: u32 = 3;
/// Log level: hidden by default.
pub const LEVEL_DEBUG: u32 = 4;
/// Log level: the most verbose.
pub const LEVEL_TRACE: u32 = 5;
/// Log level: the host broke the contract. Shown as an error that names the host.
pub const LEVEL_HOST_MISBEHAVING: u32 = 6;
/// Log level: the SDK caught the plugin breaking the contract. Shown as an error that names the plugin.
pub const LEVEL_PLUGIN_MISBEHAVING: u32 = 7;

/// `selkies.host.log/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct LogV1 {
    /// `sizeof(LogV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` The most verbose level that the host keeps.
    pub max_level: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u32>,
    /// `[any]` Logs one line. `target` is at most 128 bytes, `message` 8 KiB, `fields_json` 8 KiB (an object, or
    /// empty); more is cut. The host limits the rate per plugin.
    pub log: Option<
        unsafe extern "C" fn(ctx: *mut c_void, level: u32, target: Str, message: Str, fields_json: Str),
    >,
    /// `[any]` Says why the function running on this thread is about to answer `status`. At most 1 KiB.
    pub fail: Option<unsafe extern "C" fn(ctx: *mut c_void, status: Status, text: Str)>,
}

/// `selkies.host.clock/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct ClockV1 {
    /// `sizeof(ClockV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` `CLOCK_MONOTONIC` in nanoseconds. Every timestamp of this ABI is in this clock.
    pub now_ns: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u64>,
}

/// `selkies.host.metrics/1`. Names match `[a-z][a-z0-9_]{0,63}`; a plugin may use 64 of them. Others are dropped
/// with one warning. The host adds the plugin's id as a label.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct MetricsV1 {
    /// `sizeof(MetricsV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` Adds to a counter.
    pub counter_add: Option<unsafe extern "C" fn(ctx: *mut c_void, name: Str, value: u64)>,
    /// `[any]` Sets a gauge. Values that are not finite are dropped.
    pub gauge_set: Option<unsafe extern "C" fn(ctx: *mut c_void, name: Str, value: f64)>,
    /// `[any]` Adds one observation to a histogram, in seconds for durations. Values that are not finite are dropped.
    pub observe: Option<unsafe extern "C" fn(ctx: *mut c_void, name: Str, value: f64)>,
}

/// `selkies.host.memory/1`: packet slabs and the life of frames.
///
/// A plugin writes a packet once, into memory of the host; from there it goes to the socket, or to the host's
/// process when the plugin runs in a child.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct MemoryV1 {
    /// `sizeof(MemoryV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` Gives a slab of at least `min_len` bytes. The slab stays the caller's until `commit` or `abandon`.
    /// Fails with class retry, detail out-of-resources when `min_len` is over 64 MiB or too many slabs are out.
    pub slab: Option<unsafe extern "C" fn(ctx: *mut c_void, min_len: usize, out: *mut Slab) -> Status>,
    /// `[any]` Hands a filled slab over as a packet. After the call the slab belongs to the host, whatever the status.
    /// Packets of one frame may be committed from several threads, before the frame's `done`.
    pub commit:
        Option<unsafe extern "C" fn(ctx: *mut c_void, slab: *const Slab, packet: *const Packet) -> Status>,
    /// `[any]` Gives a slab back unused.
    pub abandon: Option<unsafe extern "C" fn(ctx: *mut c_void, slab: *const Slab)>,
    /// `[media]` Keeps the frame of the current call (its `token`) past the call. At most the caps' `max_retained`.
    pub retain: Option<unsafe extern "C" fn(ctx: *mut c_void, token: u64) -> Status>,
    /// `[any]` Ends one `retain`.
    pub release: Option<unsafe extern "C" fn(ctx: *mut c_void, token: u64)>,
}
