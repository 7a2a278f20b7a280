//! What the tables of sound share: formats and blocks of samples.

/// Sample format: 32 bit floating point of this machine, full scale from -1.0 to 1.0. Every plugin of sound takes it.
pub const AUDIO_SAMPLE_F32: u32 = 1;

/// Speaker, as a bit of a channel mask (those of WAVE_FORMAT_EXTENSIBLE): front left.
pub const SPEAKER_FRONT_LEFT: u32 = 1;
/// Speaker: front right.
pub const SPEAKER_FRONT_RIGHT: u32 = 1 << 1;
/// Speaker: front center; alone, it is mono.
pub const SPEAKER_FRONT_CENTER: u32 = 1 << 2;
/// Speaker: low frequencies.
pub const SPEAKER_LOW_FREQUENCY: u32 = 1 << 3;
/// Speaker: back left.
pub const SPEAKER_BACK_LEFT: u32 = 1 << 4;
/// Speaker: back right.
pub const SPEAKER_BACK_RIGHT: u32 = 1 << 5;
/// Speaker: side left.
pub const SPEAKER_SIDE_LEFT: u32 = 1 << 9;
/// Speaker: side right.
pub const SPEAKER_SIDE_RIGHT: u32 = 1 << 10;

/// Channels of mono.
pub const CHANNELS_MONO: u32 = 0x4;
/// Channels of stereo.
pub const CHANNELS_STEREO: u32 = 0x3;
/// Channels of 5.1: front left, front right, center, low frequencies, back left, back right.
pub const CHANNELS_5_1: u32 = 0x3f;
/// Channels of 7.1: those of 5.1, then side left, side right.
pub const CHANNELS_7_1: u32 = 0x63f;

/// Most channels of a format.
pub const MAX_AUDIO_CHANNELS: u32 = 8;
/// Highest sample rate of a format in Hz.
pub const MAX_AUDIO_RATE: u32 = 192_000;
/// Most samples of a block, of all channels together: 40 ms of eight channels at 48 kHz.
pub const MAX_AUDIO_BLOCK_SAMPLES: u32 = 15_360;

/// Block flag: samples are missing before this block; it does not continue the one before.
pub const AUDIO_BLOCK_GAP: u32 = 1;

/// The form of samples. Blocks are interleaved: one sample of each channel, in the ascending order of the mask's bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioFormat {
    /// One of `AUDIO_SAMPLE_*`.
    pub sample: u32,
    /// Samples of a channel in a second, at most [`MAX_AUDIO_RATE`].
    pub rate: u32,
    /// `SPEAKER_*` bits, 1 to [`MAX_AUDIO_CHANNELS`] of them.
    pub channel_mask: u32,
    /// Zero.
    pub reserved: u32,
}

/// Samples of one stretch of time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioBlock {
    /// `sizeof(AudioBlock)`.
    pub struct_size: u32,
    /// `AUDIO_BLOCK_*` bits.
    pub flags: u32,
    /// The samples, in the format that was agreed on, aligned to 4 bytes. Valid for the call, or from a capture until the
    /// next call on the instance.
    pub samples: *const core::ffi::c_void,
    /// Samples of each channel, at least 1; times the channels, at most [`MAX_AUDIO_BLOCK_SAMPLES`].
    pub frames: u32,
    /// Zero.
    pub reserved32: u32,
    /// When the first sample was captured or is to be heard, nanoseconds; 0 when unknown.
    pub timestamp_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}
