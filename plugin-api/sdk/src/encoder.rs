//! Encoder: frames in, packets out.

mod table;

use std::ops::Deref;

use serde::de::DeserializeOwned;

use crate::{
    Error, FrameRef, Host, PacketSink, Result, abi,
    guard::{self, size32},
};

pub use table::{EncoderRateTable, EncoderTable};

/// One thing that an encoder can produce on this machine. Fields as in [`abi::EncoderCaps`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderCaps {
    /// Name that configuration uses, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// `ENCODER_*` flags.
    pub flags: u32,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// Mask of `1 << MEMORY_*`.
    pub memory_mask: u32,
    /// Formats that it reads, best first.
    pub fourccs: Vec<u32>,
    /// Mask of `CHROMA_*`.
    pub chroma_mask: u32,
    /// Mask of `1 << RATE_*`.
    pub rate_mask: u32,
    /// Frames it holds before the first packet, 1 for low latency.
    pub depth: u32,
    /// Frames it may retain at once.
    pub max_retained: u32,
    /// Widest frame.
    pub max_width: u32,
    /// Highest frame.
    pub max_height: u32,
    /// Lowest value of the quality scale.
    pub quality_min: u32,
    /// Highest value of the quality scale.
    pub quality_max: u32,
    /// Bit depths as a mask of `1 << bits`.
    pub bit_depth_mask: u32,
}

/// What to produce: the fields of [`abi::EncoderParams`], and the chosen caps entry's name as text. Functions of a
/// field's name answer `None` for [`abi::UNSET`].
#[derive(Clone, Debug)]
pub struct EncoderParams {
    /// Name of the caps entry.
    pub name: String,
    raw: abi::EncoderParams,
}

impl Deref for EncoderParams {
    type Target = abi::EncoderParams;

    fn deref(&self) -> &abi::EncoderParams {
        &self.raw
    }
}

impl EncoderParams {
    /// Quality of refinements in the caps' scale; `None` switches them off.
    #[must_use]
    pub fn refine_quality(&self) -> Option<u32> {
        set(self.raw.refine_quality)
    }

    /// Lowest quantiser; `None` leaves it to the plugin.
    #[must_use]
    pub fn min_qp(&self) -> Option<u32> {
        set(self.raw.min_qp)
    }

    /// Highest quantiser; `None` leaves it to the plugin.
    #[must_use]
    pub fn max_qp(&self) -> Option<u32> {
        set(self.raw.max_qp)
    }

    /// Width and height of the coded picture: the frame's, or others for encoders with [`abi::ENCODER_SCALES`].
    #[must_use]
    pub fn coded_size(&self) -> (u32, u32) {
        let or = |out: u32, frame: u32| if out == 0 { frame } else { out };
        (or(self.raw.out_width, self.raw.width), or(self.raw.out_height, self.raw.height))
    }

    /// # Safety
    /// `raw` is NULL or points to parameters that live for the call.
    unsafe fn from_raw(raw: *const abi::EncoderParams) -> Result<Self> {
        // SAFETY: the caller vouches for the pointer and the text in it.
        let (raw, name) = unsafe {
            let raw = guard::sized(raw, "params")?;
            (*raw, guard::text(raw.name)?.to_owned())
        };
        Ok(Self { name, raw: abi::EncoderParams { name: abi::Str::EMPTY, ..raw } })
    }
}

/// A number for which 0 is a value, unless it is [`abi::UNSET`].
fn set(value: u32) -> Option<u32> {
    (value != abi::UNSET).then_some(value)
}

/// How one frame is to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// Answer with a keyframe that covers the whole frame.
    pub keyframe: bool,
    /// Nothing changed: the frame is here again because the encoder asked for it.
    pub refine: bool,
    /// When the host gives the frame up, nanoseconds; 0 for never.
    pub deadline_ns: u64,
    /// A frame known to have arrived; 0 when unknown.
    pub known_frame_id: u64,
    /// Regions of interest.
    pub roi: &'a [abi::RoiRect],
}

/// How far a submit got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All packets were committed.
    Done {
        /// When to submit this frame again for refinement if nothing changes, nanoseconds.
        refine_at_ns: Option<u64>,
    },
    /// The frame was retained; [`Completion::done`] follows from any thread.
    InFlight,
}

/// Reports frames that were [`Progress::InFlight`].
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    host: Host,
    table: &'static abi::HostEncoderV1,
}

impl Completion {
    fn new(host: Host) -> Result<Self> {
        let table = host.table(abi::ids::HOST_ENCODER_V1);
        Ok(Self {
            host,
            table: table.ok_or_else(|| Error::fatal("the host offers no selkies.host.encoder/1"))?,
        })
    }

    /// The frame's packets were committed, or it failed. From any thread, once per frame.
    pub fn done(&self, frame_id: u64, outcome: Result<Option<u64>>) {
        let (status, refine_at_ns) = match outcome {
            Ok(refine) => (abi::OK, refine.unwrap_or(0)),
            Err(error) => {
                self.host.fail(error.status(), error.text());
                (error.status(), 0)
            }
        };
        let done = abi::FrameDone {
            struct_size: size32::<abi::FrameDone>(),
            status,
            frame_id,
            refine_at_ns,
            reserved: [0; 2],
        };
        if let Some(call) = self.table.done {
            // SAFETY: the function belongs to this context; `done` lives for the call.
            unsafe { call(self.host.ctx(), &raw const done) }
        }
    }
}

/// An encoder. One instance is never called concurrently.
pub trait Encoder: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// What this machine can encode. Opens what it needs and closes it again; an error says why there is nothing.
    /// `[control]`
    ///
    /// # Errors
    /// [`Error::device_lost`] when there is nothing to offer on this machine, with the reason: that is no failure of the
    /// plugin. Any other when it cannot be told.
    fn probe(host: Host, config: Self::Config) -> Result<Vec<EncoderCaps>>;

    /// Makes an encoder. `[control]`
    ///
    /// # Errors
    /// [`Error::unsupported`] for parameters it cannot serve.
    fn create(
        host: Host,
        config: Self::Config,
        params: &EncoderParams,
        packets: PacketSink,
        completion: Completion,
    ) -> Result<Self>;

    /// Changes parameters between frames. `[media]`
    ///
    /// # Errors
    /// [`Error::reconfigure`] when a new instance is needed.
    fn configure(&mut self, params: &EncoderParams) -> Result<()>;

    /// Encodes a frame. `[media]`
    ///
    /// # Errors
    /// The frame will have no packets then.
    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress>;

    /// Finishes every frame in flight. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn drain(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Changes of rate; `None` leaves a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Target, kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// Maximum, kbit/s.
    pub max_bitrate_kbps: Option<u32>,
    /// Quality in the caps' scale.
    pub quality: Option<u32>,
    /// Frames per second, numerator and denominator.
    pub fps: Option<(u32, u32)>,
    /// Buffer of the rate control, milliseconds.
    pub vbv_ms: Option<u32>,
}

/// An encoder whose rate changes without a new instance.
pub trait EncoderRate: Encoder {
    /// Takes effect with the next frame. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn set_rate(&mut self, rate: Rate) -> Result<()>;
}
