//! The one exported symbol.

use core::ffi::c_void;

use crate::{Host, Status, Str};

/// First eight bytes of [`PluginEntry`]: `SELKPLUG` read as a little-endian number.
pub const PLUGIN_MAGIC: u64 = 0x4755_4c50_4b4c_4553;
/// The epoch of this ABI. It is independent of the host's version and moves only if the entry itself must change.
pub const ABI_EPOCH: u32 = 1;
/// Name of the exported data symbol, a [`PluginEntry`].
pub const ENTRY_SYMBOL: &str = "selkies_plugin_entry";
/// Longest manifest text, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// The exported data symbol `selkies_plugin_entry`. Constant for the life of the process.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct PluginEntry {
    /// [`PLUGIN_MAGIC`].
    pub magic: u64,
    /// [`ABI_EPOCH`] the plugin was built with.
    pub abi_epoch: u32,
    /// `sizeof(PluginEntry)` the plugin was built with.
    pub struct_size: u32,
    /// The manifest as JSON; must agree with `selkies-plugin.json` beside the library. Static.
    pub manifest_json: Str,
    /// `[any]` Answers the table with this id, or NULL. The table is static and never changes.
    /// Must be callable before anything else and must not have side effects.
    pub query: Option<unsafe extern "C" fn(id: Str) -> *const c_void>,
}

/// `selkies.lifecycle/1`: what a library wants to know once, independent of instances.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct LifecycleV1 {
    /// `sizeof(LifecycleV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Called once, before any `probe` or `create`, with a host that lives as long as the process.
    pub init: Option<unsafe extern "C" fn(host: *const Host) -> Status>,
    /// `[any]` The most verbose level that the host keeps, see [`LEVEL_ERROR`](crate::LEVEL_ERROR). Called after `init` and on change.
    pub set_log_level: Option<unsafe extern "C" fn(level: u32)>,
}

// SAFETY: the entry is constant and `query` may be called from any thread.
unsafe impl Sync for PluginEntry {}
