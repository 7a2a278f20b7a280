//! `selkies.audio-encoder/1`: samples in, packets out.

use core::ffi::c_void;

use crate::{AudioBlock, AudioFormat, Bytes, Host, Instance, Status, Str};

/// Flag of sound encoders: can leave out packets of silence ([`AUDIO_ENCODE_DTX`]).
pub const AUDIO_ENCODER_DTX: u32 = 1;
/// Flag of sound encoders: can repair losses from the packet after ([`AUDIO_ENCODE_FEC`]).
pub const AUDIO_ENCODER_FEC: u32 = 1 << 1;

/// Parameter flag: mark packets of silence ([`AUDIO_PACKET_DTX`]).
pub const AUDIO_ENCODE_DTX: u32 = 1;
/// Parameter flag: packets carry what repairs the one before, as far as the loss that is expected asks for it.
pub const AUDIO_ENCODE_FEC: u32 = 1 << 1;

/// Packet flag of sound: nothing but silence; it need not be sent, and a decoder goes on without it.
pub const AUDIO_PACKET_DTX: u32 = 1;

/// Longest packet of sound in bytes.
pub const MAX_AUDIO_PACKET_BYTES: usize = 16 * 1024;
/// Longest description of a stream of sound in bytes.
pub const MAX_AUDIO_DESCRIPTION_BYTES: usize = 1024;
/// Most entries of each list in [`AudioEncoderCaps`].
pub const MAX_AUDIO_CHOICES: usize = 16;

/// One thing that a sound encoder can produce. Reported by `probe`.
///
/// It takes each of its rates with each of its channel masks and each of its lengths of a block; what is over
/// [`MAX_AUDIO_BLOCK_SAMPLES`](crate::MAX_AUDIO_BLOCK_SAMPLES) is not asked for. An encoder whose lengths are others at another
/// rate reports an entry for each rate, under one name, the best first: Opus has 480 samples of a channel in 10 ms at 48000 Hz
/// and 240 at 24000 Hz, AAC 1024 at every rate.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioEncoderCaps {
    /// `sizeof(AudioEncoderCaps)`.
    pub struct_size: u32,
    /// `AUDIO_ENCODER_*` flags.
    pub flags: u32,
    /// Name that configuration uses (`opus`), `[a-z0-9-]{1,32}`.
    pub name: Str,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// Mask of `1 << AUDIO_SAMPLE_*` that it reads, [`AUDIO_SAMPLE_F32`](crate::AUDIO_SAMPLE_F32) among them.
    pub sample_mask: u32,
    /// Sample rates in Hz, at most [`MAX_AUDIO_RATE`](crate::MAX_AUDIO_RATE), each once, the best first.
    pub rates: *const u32,
    /// Masks of `SPEAKER_*` bits, each of 1 to [`MAX_AUDIO_CHANNELS`](crate::MAX_AUDIO_CHANNELS) channels and each once.
    pub channel_masks: *const u32,
    /// Samples of each channel in a block and a packet, ascending.
    pub block_frames: *const u32,
    /// Entries in `rates`, 1 to [`MAX_AUDIO_CHOICES`].
    pub rate_count: u32,
    /// Entries in `channel_masks`, 1 to [`MAX_AUDIO_CHOICES`].
    pub channel_mask_count: u32,
    /// Entries in `block_frames`, 1 to [`MAX_AUDIO_CHOICES`].
    pub block_frames_count: u32,
    /// Lowest bit rate, bit/s, of all channels together.
    pub min_bitrate: u32,
    /// Highest bit rate, bit/s, of all channels together.
    pub max_bitrate: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Where [`AudioEncoderV1::probe`] delivers, within its call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioCapsSink {
    /// First argument of `emit`.
    pub ctx: *mut c_void,
    /// Receives one entry, which is valid for the call only.
    pub emit: Option<unsafe extern "C" fn(ctx: *mut c_void, caps: *const AudioEncoderCaps)>,
}

/// What to produce. A field that the caps do not allow is answered with class reconfigure, detail unsupported.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioEncoderParams {
    /// `sizeof(AudioEncoderParams)`.
    pub struct_size: u32,
    /// `AUDIO_ENCODE_*` flags.
    pub flags: u32,
    /// Name of the caps entry chosen.
    pub name: Str,
    /// The form of the samples.
    pub format: AudioFormat,
    /// Samples of each channel in every block and packet, one of the caps'.
    pub block_frames: u32,
    /// Bit rate of all channels together, bit/s.
    pub bitrate: u32,
    /// Effort from 0 to 10; [`UNSET`](crate::UNSET) leaves it to the plugin.
    pub complexity: u32,
    /// Packets that are expected to be lost, parts per million.
    pub loss_ppm: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Changes that need no new encoder.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioRate {
    /// `sizeof(AudioRate)`.
    pub struct_size: u32,
    /// Bit rate of all channels together, bit/s; 0 leaves it.
    pub bitrate: u32,
    /// Packets that are expected to be lost, parts per million; [`UNSET`](crate::UNSET) leaves it.
    pub loss_ppm: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What a decoder must know of a stream.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioStreamInfo {
    /// `sizeof(AudioStreamInfo)`.
    pub struct_size: u32,
    /// Samples of each channel that come out of a decoder before the first that went in.
    pub lookahead_frames: u32,
    /// The codec's own description: of Opus, the identification header of RFC 7845, section 5.1. At most
    /// [`MAX_AUDIO_DESCRIPTION_BYTES`]; valid until the next call on the instance.
    pub description: Bytes,
    /// Zero.
    pub reserved: [u64; 2],
}

/// One packet, in the memory that the host named.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioPacket {
    /// `sizeof(AudioPacket)`.
    pub struct_size: u32,
    /// `AUDIO_PACKET_*` bits.
    pub flags: u32,
    /// Bytes that were written, at least 1.
    pub len: usize,
    /// When the first sample that went into this packet was captured, nanoseconds. What a decoder makes of it is
    /// `lookahead_frames` older.
    pub timestamp_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.audio-encoder/1`. Synchronous: sound is encoded in a fraction of its duration.
///
/// Order: `probe`*, `create`, (`info` | `adjust` | `encode`)*, `destroy`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct AudioEncoderV1 {
    /// `sizeof(AudioEncoderV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Reports each caps entry through `sink`. No entry, with success, means "not on this machine"; say why
    /// with `fail`.
    pub probe: Option<
        unsafe extern "C" fn(host: *const Host, config_json: Str, sink: *const AudioCapsSink) -> Status,
    >,
    /// `[control]` Makes an encoder. `config_json` is the plugin's configuration, an object.
    pub create: Option<
        unsafe extern "C" fn(
            host: *const Host,
            config_json: Str,
            params: *const AudioEncoderParams,
            out: *mut *mut Instance,
        ) -> Status,
    >,
    /// `[control]` Ends the encoder.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[media]` What a decoder must know.
    pub info: Option<unsafe extern "C" fn(instance: *mut Instance, out: *mut AudioStreamInfo) -> Status>,
    /// `[media]` Takes effect with the next block. A bit rate that the caps do not allow is refused with class retry, detail
    /// invalid-argument.
    pub adjust: Option<unsafe extern "C" fn(instance: *mut Instance, rate: *const AudioRate) -> Status>,
    /// `[media]` Encodes a block of the agreed length into `out`, where there are `capacity` bytes, at least
    /// [`MAX_AUDIO_PACKET_BYTES`]. [`NOTHING`](crate::NOTHING): the block was taken in, and there is no packet for it.
    pub encode: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            block: *const AudioBlock,
            out: *mut u8,
            capacity: usize,
            packet: *mut AudioPacket,
        ) -> Status,
    >,
}
