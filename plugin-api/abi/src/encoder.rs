//! `selkies.encoder/1` and `selkies.encoder.rate/1`.

use core::ffi::c_void;

use crate::{Frame, Host, Instance, Rect, Status, Str};

/// Encoder flag: runs on a device, not on the CPU.
pub const ENCODER_HARDWARE: u32 = 1;
/// Encoder flag: a frame becomes several packets, each a stripe with its own `area`.
pub const ENCODER_STRIPES: u32 = 1 << 1;
/// Encoder flag: encodes only what the damage list names; unchanged areas make no packets.
pub const ENCODER_DAMAGE: u32 = 1 << 2;
/// Encoder flag: every packet stands alone; losing one harms no other (JPEG).
pub const ENCODER_INTRA_ONLY: u32 = 1 << 3;
/// Encoder flag: makes use of refining submits ([`SUBMIT_REFINE`]).
pub const ENCODER_REFINES: u32 = 1 << 4;
/// Encoder flag: honours [`SubmitParams::roi`].
pub const ENCODER_ROI: u32 = 1 << 5;
/// Encoder flag: keeps long-term references ([`PACKET_ANCHOR`](crate::PACKET_ANCHOR)).
pub const ENCODER_ANCHORS: u32 = 1 << 6;
/// Encoder flag: codes a picture of another size than the frame's ([`EncoderParams::out_width`]).
pub const ENCODER_SCALES: u32 = 1 << 7;

/// Chroma sampling 4:2:0, as a bit of a mask and as a value.
pub const CHROMA_420: u32 = 1;
/// Chroma sampling 4:2:2.
pub const CHROMA_422: u32 = 1 << 1;
/// Chroma sampling 4:4:4.
pub const CHROMA_444: u32 = 1 << 2;

/// Rate control: constant quality, `quality` in the codec's own scale.
pub const RATE_QUALITY: u32 = 1;
/// Rate control: constant bit rate.
pub const RATE_CBR: u32 = 2;
/// Rate control: variable bit rate under a maximum.
pub const RATE_VBR: u32 = 3;

/// Submit flag: answer with a keyframe that covers the whole frame.
pub const SUBMIT_KEYFRAME: u32 = 1;
/// Submit flag: nothing changed; the frame is the one before, sent again because the encoder asked for it with
/// [`FrameDone::refine_at_ns`]. It may make packets of higher quality, or none.
pub const SUBMIT_REFINE: u32 = 1 << 1;

/// One thing an encoder can produce on this machine. Reported by `probe`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct EncoderCaps {
    /// `sizeof(EncoderCaps)`.
    pub struct_size: u32,
    /// `ENCODER_*` flags.
    pub flags: u32,
    /// Name that configuration uses (`jpeg`, `x264enc`), `[a-z0-9-]{1,32}`.
    pub name: Str,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// Mask of `1 << MEMORY_*` that it reads.
    pub memory_mask: u32,
    /// Formats it reads, best first.
    pub fourccs: *const u32,
    /// Entries in `fourccs`, 1 to 32.
    pub fourcc_count: u32,
    /// Mask of `CHROMA_*`.
    pub chroma_mask: u32,
    /// Mask of `1 << RATE_*`.
    pub rate_mask: u32,
    /// Frames it holds before the first packet, 1 for low latency. The host keeps no more in flight.
    pub depth: u32,
    /// Frames it may `retain` at once; 0 when it never does.
    pub max_retained: u32,
    /// Widest frame.
    pub max_width: u32,
    /// Highest frame.
    pub max_height: u32,
    /// Lowest value of the quality scale (best or worst, as the codec has it).
    pub quality_min: u32,
    /// Highest value of the quality scale, below [`UNSET`](crate::UNSET).
    pub quality_max: u32,
    /// Bit depths as a mask of `1 << bits`; 8 bits is `1 << 8`.
    pub bit_depth_mask: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Where [`EncoderV1::probe`] delivers, within its call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct CapsSink {
    /// First argument of `emit`.
    pub ctx: *mut c_void,
    /// Receives one entry, which is valid for the call only.
    pub emit: Option<unsafe extern "C" fn(ctx: *mut c_void, caps: *const EncoderCaps)>,
}

/// What to produce. A field that the caps do not allow is answered with class reconfigure, detail unsupported.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct EncoderParams {
    /// `sizeof(EncoderParams)`.
    pub struct_size: u32,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// Name of the caps entry chosen.
    pub name: Str,
    /// Frame width in pixels.
    pub width: u32,
    /// Frame height in pixels.
    pub height: u32,
    /// Format of the frames.
    pub fourcc: u32,
    /// One of `MEMORY_*`.
    pub memory: u32,
    /// Frames per second, numerator. The most that will come; damage decides how many do.
    pub fps_num: u32,
    /// Frames per second, denominator.
    pub fps_den: u32,
    /// One of `CHROMA_*`.
    pub chroma: u32,
    /// Bits per sample.
    pub bit_depth: u32,
    /// One of `RATE_*`.
    pub rate: u32,
    /// Quality in the caps' scale: JPEG 1-100, H.26x CRF.
    pub quality: u32,
    /// Quality of refinements in the same scale; [`UNSET`](crate::UNSET) switches them off.
    pub refine_quality: u32,
    /// Frames a refinement is spread over (codecs that predict); 0 leaves it to the plugin.
    pub refine_frames: u32,
    /// Target bit rate, kbit/s; 0 when the rate control has none.
    pub bitrate_kbps: u32,
    /// Maximum bit rate, kbit/s; 0 leaves it to the plugin.
    pub max_bitrate_kbps: u32,
    /// Buffer of the rate control in milliseconds; 0 leaves it to the plugin.
    pub vbv_ms: u32,
    /// Frames from one keyframe to the next; 0 for none but those asked for.
    pub keyframe_interval: u32,
    /// Threads it may use; 0 leaves it to the plugin.
    pub threads: u32,
    /// Rows of a stripe; 0 leaves it to the plugin.
    pub stripe_height: u32,
    /// Lowest quantiser; [`UNSET`](crate::UNSET) leaves it to the plugin.
    pub min_qp: u32,
    /// Highest quantiser; [`UNSET`](crate::UNSET) leaves it to the plugin.
    pub max_qp: u32,
    /// 1: encode every frame whole, whatever the damage says ("streaming mode").
    pub ignore_damage: u32,
    /// Zero.
    pub reserved32: u32,
    /// Colour description of the frames.
    pub color: crate::Color,
    /// Width of the coded picture; 0 for the frame's, always 0 without [`ENCODER_SCALES`].
    pub out_width: u32,
    /// Height of the coded picture; 0 for the frame's, always 0 without [`ENCODER_SCALES`].
    pub out_height: u32,
    /// Zero.
    pub reserved: [u32; 5],
}

/// How one frame is to be encoded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct SubmitParams {
    /// `sizeof(SubmitParams)`.
    pub struct_size: u32,
    /// `SUBMIT_*` flags.
    pub flags: u32,
    /// When the host gives the frame up, nanoseconds; 0 for never.
    pub deadline_ns: u64,
    /// A `frame_id` known to have arrived; predict from it or an older anchor. 0 when unknown.
    pub known_frame_id: u64,
    /// Regions of interest.
    pub roi: *const RoiRect,
    /// Entries in `roi`, at most 64.
    pub roi_count: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// A region that deserves more or fewer bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct RoiRect {
    /// The region.
    pub rect: Rect,
    /// Quantiser offset, negative for better.
    pub qp_delta: i32,
    /// Zero.
    pub reserved: u32,
}

/// A frame is finished: all its packets were committed. Exactly one for each successful `submit`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct FrameDone {
    /// `sizeof(FrameDone)`.
    pub struct_size: u32,
    /// How it went. A failure's class decides what follows.
    pub status: Status,
    /// The frame.
    pub frame_id: u64,
    /// When the encoder would like to see this frame again with [`SUBMIT_REFINE`] if nothing changes, nanoseconds;
    /// 0 for never.
    pub refine_at_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.host.encoder/1`: how an encoder answers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct HostEncoderV1 {
    /// `sizeof(HostEncoderV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` Reports a finished frame; from within `submit` or later.
    pub done: Option<unsafe extern "C" fn(ctx: *mut c_void, done: *const FrameDone)>,
}

/// `selkies.encoder/1`.
///
/// Order: `probe`* , `create`, (`configure` | `submit`)*, `drain`, `destroy`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct EncoderV1 {
    /// `sizeof(EncoderV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Opens what it needs, reports each caps entry through `sink` and closes it again. No entry, with
    /// success, means "not on this machine"; say why with `fail`. May take seconds.
    pub probe:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, sink: *const CapsSink) -> Status>,
    /// `[control]` Makes an encoder. `config_json` is the plugin's configuration, an object.
    pub create: Option<
        unsafe extern "C" fn(
            host: *const Host,
            config_json: Str,
            params: *const EncoderParams,
            out: *mut *mut Instance,
        ) -> Status,
    >,
    /// `[control]` Ends the encoder; frames in flight are dropped without `done`.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[media]` Changes parameters between frames. Class reconfigure: the host creates anew.
    pub configure:
        Option<unsafe extern "C" fn(instance: *mut Instance, params: *const EncoderParams) -> Status>,
    /// `[media]` Encodes a frame. May return before its packets exist, if the frame was retained. A failure means that
    /// the frame will not be `done`.
    pub submit: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            frame: *const Frame,
            params: *const SubmitParams,
        ) -> Status,
    >,
    /// `[media]` Finishes every frame in flight before it returns.
    pub drain: Option<unsafe extern "C" fn(instance: *mut Instance) -> Status>,
}

/// Changes of rate that need no new encoder.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct EncoderRate {
    /// `sizeof(EncoderRate)`.
    pub struct_size: u32,
    /// Target, kbit/s; 0 leaves it.
    pub bitrate_kbps: u32,
    /// Maximum, kbit/s; 0 leaves it.
    pub max_bitrate_kbps: u32,
    /// Quality in the caps' scale; [`UNSET`](crate::UNSET) leaves it.
    pub quality: u32,
    /// Frames per second, numerator; 0 leaves it.
    pub fps_num: u32,
    /// Frames per second, denominator.
    pub fps_den: u32,
    /// Buffer of the rate control, milliseconds; 0 leaves it.
    pub vbv_ms: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `selkies.encoder.rate/1`, on instances of `selkies.encoder/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct EncoderRateV1 {
    /// `sizeof(EncoderRateV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[media]` Takes effect with the next frame.
    pub set: Option<unsafe extern "C" fn(instance: *mut Instance, rate: *const EncoderRate) -> Status>,
}
