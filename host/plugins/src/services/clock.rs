//! `selkies.host.clock/1`.

use core::ffi::c_void;

use selkies_plugin_abi as abi;

pub(crate) static CLOCK: abi::ClockV1 =
    abi::ClockV1 { struct_size: size_of::<abi::ClockV1>() as u32, reserved: 0, now_ns: Some(now) };

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of every timestamp between host and plugins.
#[must_use]
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Needs nothing of the instance, so any context will do.
unsafe extern "C" fn now(_ctx: *mut c_void) -> u64 {
    now_ns()
}
