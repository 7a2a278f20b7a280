//! Encoder: frames in, packets out.

use std::{marker::PhantomData, ops::Deref};

use serde::de::DeserializeOwned;

use crate::{
    Error, FrameRef, Host, PacketSink, Result, abi,
    guard::{self, size32},
    slot::Slot,
};

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

/// What to produce: the fields of [`abi::EncoderParams`], and the chosen caps entry's name as text.
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
    /// When there is nothing to offer.
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

/// Builds the table of an encoder.
#[derive(Debug)]
pub struct EncoderTable<T>(PhantomData<T>);

impl<T: Encoder> EncoderTable<T> {
    /// The table.
    pub const TABLE: &'static abi::EncoderV1 = &abi::EncoderV1 {
        struct_size: size32::<abi::EncoderV1>(),
        reserved: 0,
        probe: Some(probe::<T>),
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        configure: Some(configure::<T>),
        submit: Some(submit::<T>),
        drain: Some(drain::<T>),
    };
}

/// Builds the rate table of an encoder.
#[derive(Debug)]
pub struct EncoderRateTable<T>(PhantomData<T>);

impl<T: EncoderRate> EncoderRateTable<T> {
    /// The table.
    pub const TABLE: &'static abi::EncoderRateV1 = &abi::EncoderRateV1 {
        struct_size: size32::<abi::EncoderRateV1>(),
        reserved: 0,
        set: Some(set_rate::<T>),
    };
}

unsafe extern "C" fn probe<T: Encoder>(
    host: *const abi::Host,
    config: abi::Str,
    sink: *const abi::CapsSink,
) -> abi::Status {
    // SAFETY: the ABI's contract for `probe`: the host, configuration and sink live for the call.
    unsafe {
        let host = Host::from_raw(host);
        guard::guarded(host, || {
            let host = host.ok_or_else(|| Error::invalid("host is NULL or too small"))?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            for caps in T::probe(host, crate::slot::parse_config(config)?)? {
                let fourcc_count = u32::try_from(caps.fourccs.len())
                    .ok()
                    .filter(|count| (1..=32).contains(count))
                    .ok_or_else(|| {
                        Error::fatal(format!("{}: a caps entry has 1 to 32 formats", caps.name))
                    })?;
                let raw = abi::EncoderCaps {
                    struct_size: size32::<abi::EncoderCaps>(),
                    flags: caps.flags,
                    name: abi::Str::new(&caps.name),
                    codec: caps.codec,
                    memory_mask: caps.memory_mask,
                    fourccs: caps.fourccs.as_ptr(),
                    fourcc_count,
                    chroma_mask: caps.chroma_mask,
                    rate_mask: caps.rate_mask,
                    depth: caps.depth,
                    max_retained: caps.max_retained,
                    max_width: caps.max_width,
                    max_height: caps.max_height,
                    quality_min: caps.quality_min,
                    quality_max: caps.quality_max,
                    bit_depth_mask: caps.bit_depth_mask,
                    reserved: [0; 4],
                };
                emit(sink.ctx, &raw const raw);
            }
            Ok(abi::OK)
        })
    }
}

type EncoderSlot<T> = Slot<T, Completion>;

unsafe extern "C" fn create<T: Encoder>(
    host: *const abi::Host,
    config: abi::Str,
    params: *const abi::EncoderParams,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        EncoderSlot::<T>::create(host, config, out, |host, config| {
            let params = EncoderParams::from_raw(params)?;
            let completion = Completion::new(host)?;
            let encoder = T::create(host, config, &params, PacketSink::new(host)?, completion)?;
            Ok((encoder, completion))
        })
    }
}

unsafe extern "C" fn destroy<T: Encoder>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { EncoderSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn configure<T: Encoder>(
    instance: *mut abi::Instance,
    params: *const abi::EncoderParams,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, _| {
            encoder.configure(&EncoderParams::from_raw(params)?)?;
            Ok(abi::OK)
        })
    }
}

/// Most regions of interest of one frame.
const MAX_ROI: usize = 64;

unsafe extern "C" fn submit<T: Encoder>(
    instance: *mut abi::Instance,
    frame: *const abi::Frame,
    params: *const abi::SubmitParams,
) -> abi::Status {
    // SAFETY: as in `configure`; frame and parameters live for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, host| {
            let frame = FrameRef::new(frame, host)?;
            let params = guard::sized(params, "params")?;
            let submit = Submit {
                keyframe: params.flags & abi::SUBMIT_KEYFRAME != 0,
                refine: params.flags & abi::SUBMIT_REFINE != 0,
                deadline_ns: params.deadline_ns,
                known_frame_id: params.known_frame_id,
                roi: guard::array(params.roi, params.roi_count, MAX_ROI, "roi")?,
            };
            let progress = encoder.submit(frame, submit)?;
            if let Progress::Done { refine_at_ns } = progress {
                Completion::new(host)?.done(frame.frame_id(), Ok(refine_at_ns));
            }
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn drain<T: Encoder>(instance: *mut abi::Instance) -> abi::Status {
    // SAFETY: as in `configure`.
    unsafe { EncoderSlot::<T>::with(instance, |encoder, _| encoder.drain().map(|()| abi::OK)) }
}

unsafe extern "C" fn set_rate<T: EncoderRate>(
    instance: *mut abi::Instance,
    rate: *const abi::EncoderRate,
) -> abi::Status {
    // SAFETY: as in `configure`; the rate lives for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, _| {
            let raw: &abi::EncoderRate = guard::sized(rate, "rate")?;
            let given = |value: u32| (value != 0).then_some(value);
            encoder.set_rate(Rate {
                bitrate_kbps: given(raw.bitrate_kbps),
                max_bitrate_kbps: given(raw.max_bitrate_kbps),
                quality: given(raw.quality),
                fps: given(raw.fps_num).zip(given(raw.fps_den)),
                vbv_ms: given(raw.vbv_ms),
            })?;
            Ok(abi::OK)
        })
    }
}
