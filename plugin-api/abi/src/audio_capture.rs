//! `selkies.audio-capture/1`: where sound comes from.

use crate::{AudioBlock, AudioFormat, Host, Instance, Status, Str};

/// What a source of sound is like.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioCaptureInfo {
    /// `sizeof(AudioCaptureInfo)`.
    pub struct_size: u32,
    /// Mask of `1 << AUDIO_SAMPLE_*` that it can deliver, [`AUDIO_SAMPLE_F32`](crate::AUDIO_SAMPLE_F32) among them.
    pub sample_mask: u32,
    /// What the device itself has; what differs from it, the plugin converts.
    pub native: AudioFormat,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What to capture.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioCaptureParams {
    /// `sizeof(AudioCaptureParams)`.
    pub struct_size: u32,
    /// Samples of each channel in every block.
    pub block_frames: u32,
    /// The form of the samples. Rates of 48000 Hz are always served; another that cannot be, and channels that cannot, are
    /// answered with class reconfigure, detail unsupported.
    pub format: AudioFormat,
    /// The plugin's name of the device, or empty for what the desktop plays.
    pub device: Str,
    /// Zero.
    pub reserved: [u64; 4],
}

/// `selkies.audio-capture/1`.
///
/// Order: `create`, `info`, (`start`, `read`*, `stop`)*, `destroy`. A server or device that is not there, or goes away, is
/// class device-lost from any of them, detail not-found when it is a device that was named: the host destroys the instance
/// and creates another one after a pause, again and again. A plugin neither starts a server nor waits for one to come.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioCaptureV1 {
    /// `sizeof(AudioCaptureV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Connects with the source of sound, within two seconds. `config_json` is the plugin's configuration, an
    /// object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the instance; `start`ed or not.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[control]` Describes what `start` without a device would capture.
    pub info: Option<unsafe extern "C" fn(instance: *mut Instance, out: *mut AudioCaptureInfo) -> Status>,
    /// `[media]` Begins to capture, within two seconds. Class reconfigure from `read`: the host stops and starts anew.
    pub start:
        Option<unsafe extern "C" fn(instance: *mut Instance, params: *const AudioCaptureParams) -> Status>,
    /// `[media]` Blocks until there is a block, which has exactly `block_frames` samples of each channel, `timeout_ns`
    /// passed (`u64::MAX`: no limit) or `wake` was called; the last two answer [`NOTHING`](crate::NOTHING). Blocks follow
    /// each other without a gap, or say that there is one ([`AUDIO_BLOCK_GAP`](crate::AUDIO_BLOCK_GAP)). Of what nobody
    /// reads, the newest 200 ms are kept. A source at rest may give silence, or nothing.
    pub read: Option<
        unsafe extern "C" fn(instance: *mut Instance, timeout_ns: u64, out: *mut AudioBlock) -> Status,
    >,
    /// `[any]` Ends the current or next `read`.
    pub wake: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[media]` Ends `start`.
    pub stop: Option<unsafe extern "C" fn(instance: *mut Instance) -> Status>,
}
