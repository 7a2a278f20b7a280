//! `selkies.audio-sink/1`: sound into the desktop, as from a microphone.

use crate::{AudioBlock, AudioFormat, Host, Instance, Status, Str};

/// What a sink of sound is like.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioSinkInfo {
    /// `sizeof(AudioSinkInfo)`.
    pub struct_size: u32,
    /// Mask of `1 << AUDIO_SAMPLE_*` that it takes, [`AUDIO_SAMPLE_F32`](crate::AUDIO_SAMPLE_F32) among them.
    pub sample_mask: u32,
    /// What the device itself has; what differs from it, the plugin converts.
    pub native: AudioFormat,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What will be written.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioSinkParams {
    /// `sizeof(AudioSinkParams)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved32: u32,
    /// The form of the samples. Mono and stereo at 24000 and 48000 Hz are always served; what cannot be is answered with
    /// class reconfigure, detail unsupported.
    pub format: AudioFormat,
    /// How much the plugin is to keep against an uneven arrival, nanoseconds; 0 leaves it to the plugin, which keeps as little as
    /// the arrival lets it.
    pub buffer_ns: u64,
    /// Zero.
    pub reserved: [u64; 4],
}

/// How a sink of sound is used.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioSinkState {
    /// `sizeof(AudioSinkState)`, set by the host.
    pub struct_size: u32,
    /// How many record from the source now; [`UNSET`](crate::UNSET) where that cannot be told.
    pub recorders: u32,
    /// What was written and was not heard yet, nanoseconds; 0 also where that cannot be told.
    pub queued_ns: u64,
    /// Zero.
    pub reserved: [u64; 4],
}

/// `selkies.audio-sink/1`.
///
/// Order: `create`, `info`, (`start`, `write`*, `stop`)*, `destroy`, with `wait` anywhere between. The source that applications
/// record from is there from `create` to `destroy`, silent while nothing is written. A server that is not there, or goes away, is class device-lost from
/// any of them: the host destroys the instance and creates another one after a pause. A plugin neither starts a server nor
/// waits for one to come.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioSinkV1 {
    /// `sizeof(AudioSinkV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Makes the source, within two seconds. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance and removes what it made; `start`ed or not.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Describes the device.
    pub info: Option<unsafe extern "C" fn(instance: *mut Instance, out: *mut AudioSinkInfo) -> Status>,
    /// `[media]` Begins to play, within two seconds.
    pub start:
        Option<unsafe extern "C" fn(instance: *mut Instance, params: *const AudioSinkParams) -> Status>,
    /// `[media]` Takes samples, any number within the limits of a block, and does not wait until they are heard. Where more
    /// is written than is recorded, what is over the buffer's measure is dropped, the oldest first. What is written too late
    /// is heard after a gap.
    pub write: Option<unsafe extern "C" fn(instance: *mut Instance, block: *const AudioBlock) -> Status>,
    /// `[media]` Ends `start`: what was not heard yet is dropped.
    pub stop: Option<unsafe extern "C" fn(instance: *mut Instance) -> Status>,
    /// `[media]` Blocks until `recorders` is another number than the last answer said, `timeout_ns` passed (`u64::MAX`: no
    /// limit) or `wake` was called; the last two answer [`NOTHING`](crate::NOTHING). The first call is answered at once, and so is
    /// one with a timeout of 0, changed or not.
    pub wait: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut AudioSinkState) -> Status,
    >,
    /// `[any]` Ends the current or next `wait`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
}
