//! What an encoder is made for.

use schemars::JsonSchema;
use serde::Deserialize;

/// Widest and highest picture: what decoders of H.264 take. The product has a limit, too.
pub const MAX_SIDE: u32 = 8192;
/// Most threads.
pub const MAX_THREADS: u32 = 16;
/// Macroblocks of a picture of level 6.2, the highest (H.264 table A-1).
pub(crate) const MAX_BLOCKS: u32 = 139_264;
/// Best quality: 0 means lossless, which only a profile for 4:4:4 has.
pub const MIN_CRF: u32 = 1;
/// Worst quality of H.264, 8 bits.
pub const MAX_CRF: u32 = 51;

/// Buffer of a bit rate where none is named, milliseconds.
const BUFFER_MS: u32 = 100;

/// How much work libx264 puts into a picture; its own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Least CPU.
    #[default]
    Ultrafast,
    /// About a fifth fewer bytes for about half more CPU.
    Superfast,
    /// Fewer bytes still, for twice the CPU.
    Veryfast,
    /// For machines with cores to spare.
    Faster,
}

impl Preset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
        }
    }
}

/// What bounds the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Constant quality.
    Quality {
        /// 1 to 51.
        crf: u32,
    },
    /// A bit rate.
    Bits {
        /// Target, kbit/s.
        kbps: u32,
        /// Maximum, kbit/s; 0 for the target.
        max_kbps: u32,
        /// Buffer in milliseconds; 0 for 100.
        buffer_ms: u32,
    },
}

impl Rate {
    /// The constant quality, if it is one.
    pub(crate) fn crf(self) -> Option<u32> {
        match self {
            Self::Quality { crf } => Some(crf),
            Self::Bits { .. } => None,
        }
    }

    /// The target, kbit/s; 0 for a constant quality.
    pub(crate) fn kbps(self) -> u32 {
        match self {
            Self::Quality { .. } => 0,
            Self::Bits { kbps, .. } => kbps,
        }
    }

    /// The rate that gives each frame at `real` frames per second its bytes, for somebody who counts with `counted`;
    /// both numerator and denominator.
    pub(crate) fn paced(self, real: (u32, u32), counted: (u32, u32)) -> Self {
        let (more, less) = (
            u64::from(counted.0) * u64::from(real.1.max(1)),
            (u64::from(counted.1.max(1)) * u64::from(real.0)).max(1),
        );
        let scaled = |value: u32, up: u64, down: u64| match value {
            0 => 0,
            value => u32::try_from(u64::from(value) * up / down).unwrap_or(u32::MAX).max(1),
        };
        match self {
            Self::Bits { kbps, max_kbps, buffer_ms } if more != less => Self::Bits {
                kbps: scaled(kbps, more, less),
                max_kbps: scaled(max_kbps, more, less),
                buffer_ms: scaled(if buffer_ms == 0 { BUFFER_MS } else { buffer_ms }, less, more),
            },
            same => same,
        }
    }

    /// The share of a part of `rows` rows of a picture of `height`.
    pub(crate) fn share(self, rows: u32, height: u32) -> Self {
        let part = |kbps: u32| match kbps {
            0 => 0,
            kbps => u32::try_from(u64::from(kbps) * u64::from(rows) / u64::from(height.max(1)))
                .unwrap_or(kbps)
                .max(1),
        };
        match self {
            Self::Quality { .. } => self,
            Self::Bits { kbps, max_kbps, buffer_ms } => {
                Self::Bits { kbps: part(kbps), max_kbps: part(max_kbps), buffer_ms }
            }
        }
    }
}

/// What a picture is and how it is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 4:4:4 instead of 4:2:0.
    pub full_chroma: bool,
    /// Threads together.
    pub threads: u32,
    /// Rows of a stripe, a multiple of 16; the height and more for one stripe.
    pub stripe_height: u32,
    /// Most frames per second, numerator and denominator.
    pub fps: (u32, u32),
    /// Pictures from one key frame to the next; 0 for none but those asked for.
    pub keyframe_interval: u32,
    /// Lowest quantiser.
    pub min_qp: Option<u32>,
    /// Highest quantiser.
    pub max_qp: Option<u32>,
    /// Work per picture.
    pub preset: Preset,
    /// Rate of changing content.
    pub rate: Rate,
    /// Quality of content at rest, 1 to 51, if that is better than the rate's; `None` takes that.
    pub refine_crf: Option<u32>,
    /// How long content must rest before it is refined, nanoseconds.
    pub refine_delay_ns: u64,
    /// Take every frame as changed all over.
    pub ignore_damage: bool,
    /// Remember pictures for those who miss the newest.
    pub anchors: bool,
}

impl Settings {
    /// Whole frames of this size, 4:2:0, CRF 25 without refinement, one thread.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            full_chroma: false,
            threads: 1,
            stripe_height: height,
            fps: (60, 1),
            keyframe_interval: 0,
            min_qp: None,
            max_qp: None,
            preset: Preset::default(),
            rate: Rate::Quality { crf: 25 },
            refine_crf: None,
            refine_delay_ns: 0,
            ignore_damage: false,
            anchors: true,
        }
    }

    /// The quantiser of content at rest beside the quality `crf` of changing content.
    pub(crate) fn fine(&self, crf: u32) -> u32 {
        self.clip(self.refine_crf.map_or(crf, |fine| fine.min(crf)))
    }

    /// The quantiser nearest to `qp` that the limits allow.
    pub(crate) fn clip(&self, qp: u32) -> u32 {
        qp.min(self.max_qp.unwrap_or(MAX_CRF)).max(self.min_qp.unwrap_or(MIN_CRF)).clamp(MIN_CRF, MAX_CRF)
    }
}
