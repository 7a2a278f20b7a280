//! Drives an encoder through its table, as the host does, and judges what comes of each frame.

mod offer;
mod verify;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;

use crate::{
    call::{self, Failure, Site, control, media},
    decode::Streams,
    fence::{Access, Backing},
    host::{Agreed, Context, Flight, Role, size32},
    journal,
    picture::{Picture, color_of},
    rules::encoder::{ENC_008, ENC_026},
};

pub(crate) use offer::{Offer, Params, probe};
pub(crate) use verify::verify;

static CREATE: Site = control("encoder.create");
static DESTROY: Site = control("encoder.destroy");
static CONFIGURE: Site = media("encoder.configure");
static SUBMIT: Site = media("encoder.submit");
static DRAIN: Site = media("encoder.drain");
static SET: Site = media("encoder.rate.set");

/// How long a frame may take to be done, when time is not what is judged.
const PATIENCE: Duration = Duration::from_secs(5);

/// What changed in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Full,
    Rects(Vec<abi::Rect>),
}

/// The two tables of an encoder plugin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    pub(crate) encoder: &'static abi::EncoderV1,
    pub(crate) rate: Option<&'static abi::EncoderRateV1>,
}

/// An instance. Dropping it destroys it.
#[derive(Debug)]
pub(crate) struct Encoder {
    tables: Tables,
    pub(crate) context: Arc<Context>,
    raw: *mut abi::Instance,
    pub(crate) params: Params,
    pub(crate) offer: Offer,
    frame_id: u64,
    /// The picture that was judged last.
    seen: Option<Picture>,
    /// Decoders of what it made.
    streams: Streams,
    /// The newest frame whose packets they saw.
    decoded: u64,
    /// The clock of the frames' timestamps.
    timestamp_ns: u64,
}

// SAFETY: an instance is called by one thread at a time, whichever it is.
unsafe impl Send for Encoder {}

/// A submitted frame.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) frame_id: u64,
    pub(crate) flags: u32,
    pub(crate) damage: Damage,
}

impl Encoder {
    /// Calls `create`.
    pub(crate) fn create(
        tables: Tables,
        offer: &Offer,
        params: &Params,
        config: &str,
    ) -> Result<Self, Failure> {
        let context = Context::new(Role::Encoder);
        let max_retained = usize::try_from(offer.max_retained).unwrap_or(0);
        context.state().agreed = Some(Agreed { codec: params.raw.codec, max_retained });
        let raw_params = abi::EncoderParams { name: abi::Str::new(&params.name), ..params.raw };
        let raw = call::create(&CREATE, &context, |out| {
            tables.encoder.create.map_or(abi::OK, |create| {
                // SAFETY: the arguments live for the call, the host for ever.
                unsafe { create(context.raw(), abi::Str::new(config), &raw const raw_params, out) }
            })
        })?;
        let timestamp_ns = call::now_ns();
        let (params, offer) = (params.clone(), offer.clone());
        let streams = Streams::default();
        Ok(Self {
            tables,
            context,
            raw,
            params,
            offer,
            frame_id: 0,
            seen: None,
            streams,
            decoded: 0,
            timestamp_ns,
        })
    }

    /// Calls `submit` with this picture in the agreed memory.
    pub(crate) fn submit(
        &mut self,
        picture: &Picture,
        damage: &Damage,
        flags: u32,
    ) -> Result<Shown, Failure> {
        let (fourcc, backing) = (self.params.raw.fourcc, self.params.backing);
        self.submit_as(picture, fourcc, backing, damage, flags)
    }

    /// The same with a frame of any format and memory.
    pub(crate) fn submit_as(
        &mut self,
        picture: &Picture,
        fourcc: u32,
        backing: Backing,
        damage: &Damage,
        flags: u32,
    ) -> Result<Shown, Failure> {
        let Some(stored) = picture.store(fourcc, backing) else {
            let text = "the kit has no memory for the frame".into();
            return Err(Failure { call: SUBMIT.name, status: abi::OK, text, explained: true });
        };
        self.frame_id += 1;
        self.timestamp_ns += 16_666_667;
        let frame_id = self.frame_id;
        stored.memory.allow(Access::Read, &ENC_026);
        let no_plane = abi::Plane { ptr: std::ptr::null(), handle: 0, offset: 0, len: 0, stride: 0, fd: -1 };
        let mut planes = [no_plane; 4];
        for (plane, layout) in planes.iter_mut().zip(&stored.planes) {
            plane.ptr = stored.memory.pointer().wrapping_add(layout.offset);
            plane.len = layout.len as u64;
            plane.stride = u32::try_from(layout.stride).unwrap_or(u32::MAX);
            plane.fd = stored.memory.descriptor();
            plane.offset = if backing == Backing::Memfd { layout.offset as u64 } else { 0 };
        }
        let plane_count = u32::try_from(stored.planes.len()).unwrap_or(0);
        let memory = Arc::new(stored.memory);
        let token = self.begin(&memory, picture);
        let rects = match damage {
            Damage::Full => &[][..],
            Damage::Rects(rects) => rects,
        };
        let frame = abi::Frame {
            struct_size: size32::<abi::Frame>(),
            memory: if backing == Backing::Memfd { abi::MEMORY_MEMFD } else { abi::MEMORY_CPU },
            width: picture.width,
            height: picture.height,
            fourcc,
            plane_count,
            modifier: abi::MODIFIER_LINEAR,
            color: color_of(fourcc),
            flags: if *damage == Damage::Full { abi::FRAME_FULL_DAMAGE } else { 0 },
            timestamp_ns: self.timestamp_ns,
            frame_id,
            token,
            planes,
            acquire_fence_fd: -1,
            damage_count: u32::try_from(rects.len()).unwrap_or(0),
            damage: if rects.is_empty() { std::ptr::null() } else { rects.as_ptr() },
            reserved: [0; 4],
        };
        let submit_params = abi::SubmitParams {
            struct_size: size32::<abi::SubmitParams>(),
            flags,
            deadline_ns: 0,
            known_frame_id: 0,
            roi: std::ptr::null(),
            roi_count: 0,
            reserved32: 0,
            reserved: [0; 4],
        };
        let (submit, raw) = (self.tables.encoder.submit, self.raw);
        let call = || {
            // SAFETY: the instance lives; frame and parameters live for the call, retained memory until release.
            submit
                .map_or(abi::OK, |submit| unsafe { submit(raw, &raw const frame, &raw const submit_params) })
        };
        let answer = call::status(&SUBMIT, &self.context, Duration::ZERO, call);
        let mut state = self.context.state();
        state.frames.call_ended(token);
        if let Err(failure) = answer {
            if let Some(flight) = state.frames.flights.get_mut(&frame_id) {
                flight.refused = true;
                if flight.done.is_some() {
                    journal::fail(&ENC_008, format!("frame {frame_id} was reported although submit failed"));
                }
            }
            return Err(failure);
        }
        Ok(Shown { frame_id, flags, damage: damage.clone() })
    }

    fn begin(&self, memory: &Arc<crate::fence::Fenced>, picture: &Picture) -> u64 {
        let mut state = self.context.state();
        let flight = Flight {
            width: picture.width,
            height: picture.height,
            timestamp_ns: self.timestamp_ns,
            packets: Vec::new(),
            done: None,
            refused: false,
            submitted: Instant::now(),
        };
        state.frames.begin(self.frame_id, flight);
        state.frames.lend(Arc::clone(memory))
    }

    /// Waits until a frame is done and answers what came of it; tells when it never is. Encoders that hold frames back
    /// are given the same picture again.
    pub(crate) fn settle(&mut self, shown: &Shown, picture: &Picture) -> Option<Flight> {
        for _ in 1..self.offer.depth.min(64) {
            if self
                .context
                .state()
                .frames
                .flights
                .get(&shown.frame_id)
                .is_some_and(|flight| flight.done.is_some())
            {
                break;
            }
            self.submit(picture, &Damage::Rects(Vec::new()), 0).ok()?;
        }
        let id = shown.frame_id;
        let done = self.context.wait_for(PATIENCE, |state| {
            state.frames.flights.get(&id).filter(|flight| flight.done.is_some()).cloned()
        });
        if done.is_none() {
            let seconds = PATIENCE.as_secs();
            journal::fail(&ENC_008, format!("frame {id} was not reported within {seconds} s"));
        }
        done
    }

    /// Calls `configure`.
    pub(crate) fn configure(&mut self, params: &Params) -> Result<(), Failure> {
        let raw_params = abi::EncoderParams { name: abi::Str::new(&params.name), ..params.raw };
        let (configure, raw) = (self.tables.encoder.configure, self.raw);
        let call = || {
            // SAFETY: the instance lives; the parameters live for the call.
            configure.map_or(abi::OK, |configure| unsafe { configure(raw, &raw const raw_params) })
        };
        call::status(&CONFIGURE, &self.context, Duration::ZERO, call)?;
        self.params = params.clone();
        Ok(())
    }

    /// Calls `set` of the rate table; `None` when there is none.
    pub(crate) fn set_rate(&mut self, rate: &abi::EncoderRate) -> Option<Result<(), Failure>> {
        let set = self.tables.rate?.set?;
        let raw = self.raw;
        // SAFETY: the instance lives; the rate lives for the call.
        let call = || unsafe { set(raw, std::ptr::from_ref(rate)) };
        Some(call::status(&SET, &self.context, Duration::ZERO, call).map(drop))
    }

    /// Calls `drain`.
    pub(crate) fn drain(&mut self) -> Result<(), Failure> {
        let (drain, raw) = (self.tables.encoder.drain, self.raw);
        // SAFETY: the instance lives.
        let call = || drain.map_or(abi::OK, |drain| unsafe { drain(raw) });
        call::status(&DRAIN, &self.context, Duration::ZERO, call).map(drop)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Some(destroy) = self.tables.encoder.destroy {
            // SAFETY: made by `create` of the same table; the last use.
            call::watched(&DESTROY, Duration::ZERO, || unsafe { destroy(self.raw) });
        }
        self.context.end();
    }
}
