//! `selkies.host.clock/1`.

use core::ffi::c_void;

use selkies_plugin_abi as abi;

use crate::size::size_field;

pub(crate) static CLOCK: abi::ClockV1 =
    abi::ClockV1 { struct_size: size_field::<abi::ClockV1>(), reserved: 0, now_ns: Some(now) };

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of every timestamp between host and plugins.
#[must_use]
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The clock counts from the start of the machine; it is never negative.
    let whole = |part: i64| u64::try_from(part).unwrap_or_default();
    whole(now.tv_sec).wrapping_mul(1_000_000_000).wrapping_add(whole(now.tv_nsec))
}

/// Needs nothing of the instance, so any context will do.
unsafe extern "C" fn now(_ctx: *mut c_void) -> u64 {
    now_ns()
}
