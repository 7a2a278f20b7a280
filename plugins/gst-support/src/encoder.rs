//! An encoder of the SDK, made of a description.

use std::{marker::PhantomData, time::Duration};

use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, EncoderRate, Error, FrameRef, Host, PacketInfo,
    PacketSink, Progress, Rate, Result, Submit, abi,
};
use serde::de::DeserializeOwned;

use crate::{
    Description, Device, Library, Tuning,
    chain::Chain,
    exchange::{Answer, Pending},
    picture, probe,
    request::Request,
    tether,
};

/// How long `drain` waits for a frame.
const DRAIN: Duration = Duration::from_secs(3);
/// How long a frame waits for the pipeline to let go of the one before; then it is copied.
const RELEASE: Duration = Duration::from_millis(4);
/// How long a picture rests before it is shown finer.
const REFINE_DELAY: Duration = Duration::from_millis(250);

/// A plugin: its description and its configuration.
pub trait Family: Send + 'static {
    /// What it encodes with.
    const DESCRIPTION: &'static Description;
    /// What operators may set: [`SoftwareConfig`](crate::SoftwareConfig) or [`HardwareConfig`](crate::HardwareConfig).
    type Config: DeserializeOwned + Into<Tuning>;
}

/// The encoder of a plugin.
#[derive(Debug)]
pub struct GstEncoder<F> {
    request: Request,
    tuning: Tuning,
    to_host: ToHost,
    chain: Chain,
    /// The element is set to the quality of what rests.
    fine: bool,
    /// What decoders have is coarser than what rests is to be.
    is_coarse: bool,
    /// The frame before, to notice gaps; none before the first.
    last_frame: Option<u64>,
    family: PhantomData<fn() -> F>,
}

/// Tells the host.
#[derive(Clone, Copy, Debug)]
struct ToHost {
    host: Host,
    codec: u32,
    packets: PacketSink,
    completion: Completion,
}

impl ToHost {
    /// When what is shown now is to be shown finer, if it rests.
    fn refine_at(&self) -> u64 {
        self.host.now_ns().saturating_add(REFINE_DELAY.as_nanos() as u64)
    }
}

impl Answer for ToHost {
    fn converted(&self, took: Duration) {
        self.host.observe("convert_seconds", took.as_secs_f64());
    }

    fn packet(&self, frame: &Pending, bytes: &[u8], is_key: bool) -> Result<()> {
        let mut slab = self.packets.slab(bytes.len())?;
        slab[..bytes.len()].copy_from_slice(bytes);
        let info = PacketInfo {
            codec: self.codec,
            flags: if is_key { abi::PACKET_KEY } else { 0 }
                | if frame.refines { abi::PACKET_REFINEMENT } else { 0 },
            layer: 0,
            frame_id: frame.frame_id,
            reference_frame_id: 0,
            timestamp_ns: frame.timestamp_ns,
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0, width: frame.width, height: frame.height },
        };
        slab.commit(bytes.len(), info)
    }

    fn done(&self, frame: &Pending, outcome: Result<()>) {
        let refine_at = frame.is_coarse.then(|| self.refine_at());
        self.completion.done(frame.frame_id, outcome.map(|()| refine_at));
    }
}

impl<F: Family> Encoder for GstEncoder<F> {
    type Config = F::Config;

    fn probe(_: Host, config: F::Config) -> Result<Vec<EncoderCaps>> {
        let (what, tuning) = (F::DESCRIPTION, config.into());
        let library = Library::start()?;
        probe::attempt(library, what, &tuning).map_err(|error| {
            // An operator's mistake is one; whatever else keeps a picture from being encoded is this machine's.
            let mistaken = abi::detail_of(error.status()) == abi::DETAIL_CONFIG;
            if mistaken { error } else { Error::device_lost(error.text()) }
        })?;
        Ok(vec![EncoderCaps {
            name: what.name.to_owned(),
            flags: abi::ENCODER_DAMAGE
                | if what.device == Device::Cpu { 0 } else { abi::ENCODER_HARDWARE }
                | if what.quality.live { abi::ENCODER_REFINES } else { 0 },
            codec: what.codec,
            memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
            fourccs: vec![abi::FOURCC_XRGB8888, abi::FOURCC_ARGB8888],
            chroma_mask: abi::CHROMA_420,
            rate_mask: 1 << abi::RATE_QUALITY | 1 << abi::RATE_CBR,
            depth: 1,
            max_retained: 1,
            max_width: what.max_size.0,
            max_height: what.max_size.1,
            quality_min: what.quality.best,
            quality_max: what.quality.worst,
            bit_depth_mask: 1 << 8,
        }])
    }

    fn create(
        host: Host,
        config: F::Config,
        params: &EncoderParams,
        packets: PacketSink,
        completion: Completion,
    ) -> Result<Self> {
        let (what, tuning) = (F::DESCRIPTION, config.into());
        let request = Request::new(what, &tuning, params)?;
        let to_host = ToHost { host, codec: what.codec, packets, completion };
        let chain = Chain::start(Library::start()?, what, &tuning, &request, Box::new(to_host))?;
        let (fine, is_coarse) = (false, false);
        Ok(Self { request, tuning, to_host, chain, fine, is_coarse, last_frame: None, family: PhantomData })
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        let request = Request::new(F::DESCRIPTION, &self.tuning, params)?;
        self.adopt(request)
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        let id = frame.frame_id();
        let wants_key = params.keyframe || self.last_frame.is_none() || self.chain.exchange().starts_anew();
        let rests = frame.damage_since(self.last_frame).is_some_and(<[abi::Rect]>::is_empty);
        let fits = picture::fits(frame, &self.request);
        let refines = rests && !wants_key && fits && params.refine && self.is_coarse;
        if rests && !wants_key && !refines && !self.request.ignore_damage && fits {
            self.last_frame = Some(id);
            let refine_at_ns = self.is_coarse.then(|| self.to_host.refine_at());
            return Ok(Progress::Done { refine_at_ns });
        }
        if wants_key && fits && !F::DESCRIPTION.forces_keys && !self.chain.is_fresh() {
            let to_host = Box::new(self.to_host);
            self.chain =
                Chain::start(Library::start()?, F::DESCRIPTION, &self.tuning, &self.request, to_host)?;
            self.fine = false;
        }
        self.look(refines)?;
        self.is_coarse = !refines && self.request.refine.is_some();
        let is_free = self.chain.tether().is_empty_within(RELEASE);
        let buffer = picture::buffer(
            frame,
            &self.request,
            F::DESCRIPTION.even,
            is_free.then_some(self.chain.tether()),
        )?;
        let pending = Pending {
            frame_id: id,
            timestamp_ns: frame.timestamp_ns(),
            width: frame.width(),
            height: frame.height(),
            wants_key,
            refines,
            is_coarse: self.is_coarse,
        };
        self.chain.exchange().begin(pending)?;
        if wants_key {
            self.chain.force_key();
        }
        match self.chain.push(buffer) {
            // It was answered, with what broke the pipeline.
            Err(error) if self.chain.exchange().withdraw() => Err(error),
            _ => {
                self.last_frame = Some(id);
                Ok(Progress::InFlight)
            }
        }
    }

    fn drain(&mut self) -> Result<()> {
        if self.chain.exchange().is_idle_within(DRAIN) && self.chain.tether().is_empty_within(DRAIN) {
            Ok(())
        } else {
            Err(tether::stuck(F::DESCRIPTION.name))
        }
    }
}

impl<F: Family> GstEncoder<F> {
    /// Sets the quality of the next frame: that of what rests, or of what changes.
    fn look(&mut self, fine: bool) -> Result<()> {
        if std::mem::replace(&mut self.fine, fine) == fine {
            return Ok(());
        }
        let refined = self.request.refined().filter(|_| fine);
        self.chain.control(refined.as_ref().unwrap_or(&self.request))
    }

    fn adopt(&mut self, request: Request) -> Result<()> {
        if !self.request.can_become(&request, F::DESCRIPTION) {
            return Err(Error::reconfigure(format!("{}: this needs another instance", F::DESCRIPTION.name)));
        }
        if !self.request.same_rate(&request) || self.fine {
            self.chain.control(&request)?;
            self.fine = false;
        }
        self.is_coarse = request.refine.is_some() && self.last_frame.is_some();
        self.request = request;
        Ok(())
    }
}

impl<F: Family> EncoderRate for GstEncoder<F> {
    fn set_rate(&mut self, rate: Rate) -> Result<()> {
        let request = self.request.changed(F::DESCRIPTION, rate)?;
        self.adopt(request)
    }
}
