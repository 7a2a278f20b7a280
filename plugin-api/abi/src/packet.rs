//! Encoded packets and the slabs that carry them.

/// Codec: JPEG (`jpeg` in texts), one complete image per packet.
pub const CODEC_JPEG: u32 = 1;
/// Codec: H.264 (`h264`), Annex B, one access unit per packet.
pub const CODEC_H264: u32 = 2;
/// Codec: H.265 (`h265`), Annex B, one access unit per packet.
pub const CODEC_H265: u32 = 3;
/// Codec: VP8 (`vp8`), one frame per packet.
pub const CODEC_VP8: u32 = 4;
/// Codec: VP9 (`vp9`), one superframe per packet.
pub const CODEC_VP9: u32 = 5;
/// Codec: AV1 (`av1`), one temporal unit (low-overhead OBU format) per packet.
pub const CODEC_AV1: u32 = 6;
/// Codec: Opus (`opus`), one packet.
pub const CODEC_OPUS: u32 = 64;
/// Codec of the null encoder: the payload means nothing. Never offered to browsers.
pub const CODEC_NULL: u32 = 255;

/// Packet flag: decoding may start here.
pub const PACKET_KEY: u32 = 1;
/// Packet flag: all intra, but not a point to start at (H.264 I slices without IDR).
pub const PACKET_INTRA: u32 = 1 << 1;
/// Packet flag: a long-term reference that later frames may name (`reference_frame_id`).
pub const PACKET_ANCHOR: u32 = 1 << 2;
/// Packet flag: nothing refers to it; it may be dropped without harm.
pub const PACKET_DISCARDABLE: u32 = 1 << 3;
/// Packet flag: repeats unchanged content at a higher quality.
pub const PACKET_REFINEMENT: u32 = 1 << 4;
/// Packet flag: the lowest packet of its frame; none of the same frame follows. Set by the host for transports, zero
/// from encoders.
pub const PACKET_LAST: u32 = 1 << 5;

/// Bytes before [`Slab::ptr`] that belong to the host, where a transport's header goes without moving the payload.
pub const SLAB_HEADROOM: usize = 64;

/// Writable memory of the host for one packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Slab {
    /// First writable byte, 64-byte aligned.
    pub ptr: *mut u8,
    /// Writable bytes.
    pub capacity: usize,
    /// The host's name for it.
    pub token: u64,
}

/// What a slab contains.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Packet {
    /// `sizeof(Packet)`.
    pub struct_size: u32,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// `PACKET_*` bits.
    pub flags: u32,
    /// Quality layer for streams with several (simulcast, SVC); 0 is the base.
    pub layer: u32,
    /// Bytes written to the slab; 1 up to its capacity.
    pub len: usize,
    /// The frame's `frame_id` (video), or a running number (audio). Counts per stream: ids of two streams say nothing
    /// about each other.
    pub frame_id: u64,
    /// The `frame_id` of the anchor this packet predicts from; 0 when it predicts from the frame before.
    pub reference_frame_id: u64,
    /// The frame's timestamp (video), or that of the first sample (audio), nanoseconds.
    pub timestamp_ns: u64,
    /// Duration in nanoseconds; 0 when unknown. Audio must give it.
    pub duration_ns: u64,
    /// The area of the frame that the picture covers; the whole frame or a stripe. In pixels of the frame, also when the
    /// coded picture has another size. Zero for audio.
    pub area: crate::Rect,
    /// Which of a client's streams it belongs to (its displays, counted from 0), for transports. Zero from encoders.
    pub stream: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 3],
}

// SAFETY: a slab is a unique claim on memory that the host keeps alive until commit or abandon.
unsafe impl Send for Slab {}
