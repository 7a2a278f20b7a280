//! What an encoder is to produce.

use selkies_plugin_abi::{self as abi, Color, EncoderParams, Str};
use serde::{Deserialize, Serialize};

use super::EncoderOffer;
use crate::size::size_field;

/// Parameters of an encoder; the safe form of the ABI's `EncoderParams`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderSettings {
    /// Frame width in pixels.
    pub width: u32,
    /// Frame height in pixels.
    pub height: u32,
    /// Format of the frames.
    pub fourcc: u32,
    /// One of the ABI's `MEMORY_*`. Mapped memfd frames serve encoders that read `MEMORY_CPU`, too.
    pub memory: u32,
    /// Frames per second that come at most: numerator and denominator.
    pub fps: (u32, u32),
    /// One of the ABI's `CHROMA_*`.
    pub chroma: u32,
    /// Bits per sample.
    pub bit_depth: u32,
    /// One of the ABI's `RATE_*`.
    pub rate: u32,
    /// Quality in the offer's scale.
    pub quality: u32,
    /// Quality of refinements in the offer's scale; the ABI's `UNSET` switches them off.
    pub refine_quality: u32,
    /// Frames a refinement is spread over.
    pub refine_frames: u32,
    /// Target bit rate, kbit/s.
    pub bitrate_kbps: u32,
    /// Maximum bit rate, kbit/s; 0 leaves it to the plugin.
    pub max_bitrate_kbps: u32,
    /// Buffer of the rate control in milliseconds; 0 leaves it to the plugin.
    pub vbv_ms: u32,
    /// Frames from one keyframe to the next; 0 for none but those asked for.
    pub keyframe_interval: u32,
    /// Threads; 0 leaves it to the plugin.
    pub threads: u32,
    /// Rows of a stripe; 0 leaves it to the plugin.
    pub stripe_height: u32,
    /// Lowest quantiser; the ABI's `UNSET` leaves it to the plugin.
    pub min_qp: u32,
    /// Highest quantiser; the ABI's `UNSET` leaves it to the plugin.
    pub max_qp: u32,
    /// Encode every frame whole, whatever the damage says.
    pub ignore_damage: bool,
    /// Colour description of the frames.
    #[serde(with = "crate::child::wire::color")]
    pub color: Color,
}

impl EncoderSettings {
    /// Settings that `offer` allows: its best format, shared memory if it reads that, 60 frames per second, constant
    /// quality if it has that, in the middle of its scale.
    #[must_use]
    pub fn new(offer: &EncoderOffer, width: u32, height: u32) -> Self {
        let lowest = |mask: u32| 1 << mask.trailing_zeros().min(31);
        let reads_memfd = offer.memory_mask & (1 << abi::MEMORY_MEMFD) != 0;
        Self {
            width,
            height,
            fourcc: offer.fourccs.first().copied().unwrap_or(abi::FOURCC_XRGB8888),
            memory: if reads_memfd { abi::MEMORY_MEMFD } else { offer.memory_mask.trailing_zeros() },
            fps: (60, 1),
            chroma: lowest(offer.chroma_mask),
            bit_depth: offer.bit_depth_mask.trailing_zeros(),
            rate: offer.rate_mask.trailing_zeros(),
            quality: offer.quality_min + (offer.quality_max - offer.quality_min) / 2,
            refine_quality: abi::UNSET,
            refine_frames: 0,
            bitrate_kbps: 8000,
            max_bitrate_kbps: 0,
            vbv_ms: 0,
            keyframe_interval: 0,
            threads: 0,
            stripe_height: 0,
            min_qp: abi::UNSET,
            max_qp: abi::UNSET,
            ignore_damage: false,
            color: Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 },
        }
    }

    /// What `offer` does not allow, if anything.
    pub(super) fn conflict(&self, offer: &EncoderOffer) -> Option<String> {
        let has = |mask: u32, bit: u32| bit < 32 && mask & (1 << bit) != 0;
        let name = &offer.name;
        if self.width == 0
            || self.height == 0
            || self.width > offer.max_width
            || self.height > offer.max_height
        {
            let (w, h, mw, mh) = (self.width, self.height, offer.max_width, offer.max_height);
            return Some(format!("{w}x{h} is not within {name}'s {mw}x{mh}"));
        }
        if !offer.fourccs.contains(&self.fourcc) || !has(offer.memory_mask, self.memory) {
            let (fourcc, memory) = (self.fourcc, self.memory);
            return Some(format!("{name} does not read format {fourcc:#010x} in memory kind {memory}"));
        }
        if !self.chroma.is_power_of_two() || self.chroma & offer.chroma_mask == 0 {
            return Some(format!("{name} does not do the chroma sampling {}", self.chroma));
        }
        if !has(offer.rate_mask, self.rate) || !has(offer.bit_depth_mask, self.bit_depth) {
            return Some(format!("{name} does not do rate control {} at {} bits", self.rate, self.bit_depth));
        }
        if !(offer.quality_min..=offer.quality_max).contains(&self.quality) {
            let (low, high) = (offer.quality_min, offer.quality_max);
            return Some(format!("quality {} is not within {name}'s {low} to {high}", self.quality));
        }
        if self.refine_quality != abi::UNSET
            && !(offer.quality_min..=offer.quality_max).contains(&self.refine_quality)
        {
            let (low, high) = (offer.quality_min, offer.quality_max);
            let refined = self.refine_quality;
            return Some(format!("refinement at {refined} is not within {name}'s {low} to {high}"));
        }
        if self.fps.0 == 0 || self.fps.1 == 0 {
            return Some("the frame rate is 0".into());
        }
        None
    }

    /// The parameters, borrowing `name`.
    pub(super) fn to_abi(&self, name: &str, codec: u32) -> EncoderParams {
        EncoderParams {
            struct_size: size_field::<EncoderParams>(),
            codec,
            name: Str::new(name),
            width: self.width,
            height: self.height,
            fourcc: self.fourcc,
            memory: self.memory,
            fps_num: self.fps.0,
            fps_den: self.fps.1,
            chroma: self.chroma,
            bit_depth: self.bit_depth,
            rate: self.rate,
            quality: self.quality,
            refine_quality: self.refine_quality,
            refine_frames: self.refine_frames,
            bitrate_kbps: self.bitrate_kbps,
            max_bitrate_kbps: self.max_bitrate_kbps,
            vbv_ms: self.vbv_ms,
            keyframe_interval: self.keyframe_interval,
            threads: self.threads,
            stripe_height: self.stripe_height,
            min_qp: self.min_qp,
            max_qp: self.max_qp,
            ignore_damage: self.ignore_damage.into(),
            reserved32: 0,
            color: self.color,
            out_width: 0,
            out_height: 0,
            reserved: [0; 5],
        }
    }
}
