//! `selkies.rtc-config/1`: where ICE servers and their credentials come from.

use crate::{Host, Instance, Status, Str, TextSink};

/// Longest answer in bytes.
pub const MAX_RTC_CONFIG_BYTES: usize = 64 * 1024;

/// For whom a configuration is wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct RtcConfigRequest {
    /// `sizeof(RtcConfigRequest)`.
    pub struct_size: u32,
    /// 1 when TURN over TLS is wanted.
    pub tls: u32,
    /// The user the credentials are for.
    pub user: Str,
    /// `udp` or `tcp`.
    pub protocol: Str,
    /// When the answer is given up, nanoseconds.
    pub deadline_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.rtc-config/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct RtcConfigV1 {
    /// `sizeof(RtcConfigV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Makes the source. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the source.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Gives a configuration through `sink`, within the call: the JSON of the W3C `RTCConfiguration` with
    /// `lifetimeDuration` ("86400s"). May block until the deadline.
    pub fetch: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            request: *const RtcConfigRequest,
            sink: *const TextSink,
        ) -> Status,
    >,
    /// `[control]` Blocks until the configuration changed, `timeout_ns` passed or `wake` was called; the last two
    /// answer [`NOTHING`](crate::NOTHING).
    pub wait: Option<unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64) -> Status>,
    /// `[any]` Ends the current or next `wait`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
}
