//! `selkies.encoder/1` and `selkies.encoder.rate/1`.

use std::sync::Arc;

use selkies_plugin_abi::{self as abi, EncoderRate, EncoderRateV1, EncoderV1, Instance, RoiRect, Status};

use super::core::{Core, required, sized_table};
use super::{EncoderOffer, EncoderSettings, FaultClass, FaultDetail, Origin, PluginError, VideoFrame, frame};
use crate::services::{Context, EncoderDesk, EncoderSink, Flight, Role, now_ns};
use crate::size::{count_field, size_field};

/// Regions of interest of one submit.
const MAX_ROI: usize = 64;

/// How one frame is to be encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitOptions<'a> {
    /// Answer with a keyframe that covers the whole frame.
    pub keyframe: bool,
    /// Nothing changed; the encoder asked to see the frame again.
    pub refine: bool,
    /// When the host gives the frame up, nanoseconds of `CLOCK_MONOTONIC`.
    pub deadline_ns: Option<u64>,
    /// A frame known to have arrived: predict from it or an older anchor.
    pub known_frame_id: Option<u64>,
    /// Regions of interest, at most 64, within the frame.
    pub roi: &'a [RoiRect],
}

/// A change of rate that needs no new encoder. `None` leaves a value as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateChange {
    /// Target, kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// Maximum, kbit/s.
    pub max_bitrate_kbps: Option<u32>,
    /// Quality in the offer's scale.
    pub quality: Option<u32>,
    /// Frames per second, numerator and denominator.
    pub fps: Option<(u32, u32)>,
    /// Buffer of the rate control, milliseconds.
    pub vbv_ms: Option<u32>,
}

#[derive(Clone, Copy)]
struct Functions {
    configure: unsafe extern "C" fn(*mut Instance, *const abi::EncoderParams) -> Status,
    submit: unsafe extern "C" fn(*mut Instance, *const abi::Frame, *const abi::SubmitParams) -> Status,
    drain: unsafe extern "C" fn(*mut Instance) -> Status,
    set_rate: Option<unsafe extern "C" fn(*mut Instance, *const EncoderRate) -> Status>,
}

/// An encoder. Packets and finished frames go to its [`EncoderSink`].
pub struct EncoderInstance {
    core: Core,
    functions: Functions,
    offer: EncoderOffer,
    settings: EncoderSettings,
    /// After the core, so that frames outlive `destroy`.
    _leftovers: Leftovers,
}

impl EncoderInstance {
    /// Makes an encoder for one of the offers of [`probe_encoder`](super::probe_encoder). `[control]`
    ///
    /// # Errors
    /// Class reconfigure when the offer does not allow the settings; else what the plugin answers, or a table that is
    /// missing or incomplete.
    pub fn create(
        origin: &Origin<'_>,
        offer: &EncoderOffer,
        settings: EncoderSettings,
        sink: Arc<dyn EncoderSink>,
    ) -> Result<Self, PluginError> {
        let plugin = origin.plugin.id();
        let table: &EncoderV1 = origin.plugin.table("encoder")?;
        let rate: Option<&EncoderRateV1> = origin.plugin.table("encoder.rate").ok();
        sized_table::<EncoderV1>(plugin, "encoder", table.struct_size)?;
        let create = required(plugin, "encoder.create", table.create)?;
        let destroy = required(plugin, "encoder.destroy", table.destroy)?;
        if let Some(rate) = rate {
            sized_table::<EncoderRateV1>(plugin, "encoder.rate", rate.struct_size)?;
        }
        let functions = Functions {
            configure: required(plugin, "encoder.configure", table.configure)?,
            submit: required(plugin, "encoder.submit", table.submit)?,
            drain: required(plugin, "encoder.drain", table.drain)?,
            set_rate: rate.map(|rate| required(plugin, "encoder.rate.set", rate.set)).transpose()?,
        };
        if let Some(conflict) = settings.conflict(offer) {
            let (class, detail) = (FaultClass::Reconfigure, FaultDetail::Unsupported);
            let account = origin.services.account(plugin);
            return Err(PluginError::caller(&account, "encoder.create", class, detail, conflict));
        }
        let role = Role::Encoder(EncoderDesk::new(sink, offer.codec, offer.max_retained));
        let params = settings.to_abi(&offer.name, offer.codec);
        let core = Core::create(origin, role, "encoder.create", destroy, |host, config, out| {
            // SAFETY: host, text, parameters and place are valid for the call, the host until `destroy` returned.
            unsafe { create(host, config, &raw const params, out) }
        })?;
        let leftovers = Leftovers(Arc::clone(core.context()));
        Ok(Self { core, functions, offer: offer.clone(), settings, _leftovers: leftovers })
    }

    /// Changes parameters between frames. `[media]`
    ///
    /// # Errors
    /// Class reconfigure: create anew, the settings in use are the old ones. Else what the plugin answers.
    pub fn configure(&mut self, settings: EncoderSettings) -> Result<(), PluginError> {
        if let Some(conflict) = settings.conflict(&self.offer) {
            let class = FaultClass::Reconfigure;
            return Err(self.refusal("encoder.configure", class, FaultDetail::Unsupported, conflict));
        }
        let params = settings.to_abi(&self.offer.name, self.offer.codec);
        let configure = self.functions.configure;
        self.core.call("encoder.configure", |instance| {
            // SAFETY: a live instance; the parameters are valid for the call.
            unsafe { configure(instance, &raw const params) }
        })?;
        self.settings = settings;
        Ok(())
    }

    /// Encodes a frame, which stays unchanged until the call returned and the plugin released it. `frame_id` counts
    /// up by one per frame, from 1. `[media]`
    ///
    /// # Errors
    /// A failure means that the frame will not be done, and is not in flight. Detail wrong-state when as many frames
    /// as the offer's depth are in flight; class reconfigure when the frame is not of the settings' shape.
    pub fn submit(
        &mut self,
        frame: &VideoFrame,
        frame_id: u64,
        options: &SubmitOptions<'_>,
    ) -> Result<(), PluginError> {
        const SUBMIT: &str = "encoder.submit";
        let shape = frame.shape();
        let EncoderSettings { width, height, fourcc, memory, .. } = self.settings;
        if (shape.width, shape.height, shape.fourcc) != (width, height, fourcc) {
            let text = format!(
                "the frame is {}x{} in format {:#010x}, the encoder has {width}x{height} in {fourcc:#010x}",
                shape.width, shape.height, shape.fourcc
            );
            return Err(self.refusal(SUBMIT, FaultClass::Reconfigure, FaultDetail::InvalidArgument, text));
        }
        let outside = |roi: &RoiRect| !frame::within(&roi.rect, width, height);
        if options.roi.len() > MAX_ROI || options.roi.iter().any(outside) {
            let text = "the regions of interest are more than 64 or outside the frame".to_owned();
            return Err(self.refusal(SUBMIT, FaultClass::Retry, FaultDetail::InvalidArgument, text));
        }
        let desk = self.desk()?;
        let busy = {
            let frames = desk.frames();
            frames.in_flight() >= self.offer.depth as usize || frames.flight(frame_id).is_some()
        };
        if busy || frame_id == 0 {
            let text = format!("frame {frame_id} is 0 or in flight, or {} frames are", self.offer.depth);
            return Err(self.refusal(SUBMIT, FaultClass::Retry, FaultDetail::WrongState, text));
        }
        // The token is not known before the frame is entered, and entering needs a frame that fits.
        let Some(mut raw) = frame.to_abi(memory, frame_id, 0) else {
            let text = format!("the frame is in memory kind {}, the encoder reads {memory}", shape.memory);
            return Err(self.refusal(SUBMIT, FaultClass::Reconfigure, FaultDetail::InvalidArgument, text));
        };
        let flight =
            Flight { frame_id, width, height, timestamp_ns: frame.timestamp_ns(), submitted_ns: now_ns() };
        raw.token = desk.begin(flight, frame.keep());
        let params = submit_params(options);
        let submit = self.functions.submit;
        let outcome = self.core.call(SUBMIT, |instance| {
            // SAFETY: a live instance; frame and parameters are valid for the call, the frame's memory until it is
            // released.
            unsafe { submit(instance, &raw const raw, &raw const params) }
        });
        let mut frames = desk.frames();
        let free = frames.end_call(raw.token);
        let unfinished = outcome.is_err() && frames.finish(frame_id).is_none();
        drop(frames);
        drop(free);
        if unfinished && outcome.as_ref().is_err_and(|error| error.origin == super::FaultOrigin::Reported) {
            self.core.account().misbehaving(SUBMIT, "failed for a frame that it had reported as done");
        }
        match (outcome, desk.broken()) {
            (Err(_), Some(what)) => Err(self.core.noted_contract("memory.commit", what)),
            (outcome, _) => outcome.map(|_| ()),
        }
    }

    /// Finishes every frame in flight before it returns. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract: frames are still in flight.
    pub fn drain(&mut self) -> Result<(), PluginError> {
        let drain = self.functions.drain;
        // SAFETY: a live instance.
        self.core.call("encoder.drain", |instance| unsafe { drain(instance) })?;
        match self.in_flight() {
            0 => Ok(()),
            left => Err(self.core.contract("encoder.drain", format!("{left} frames were not done"))),
        }
    }

    /// Changes the rate with the next frame. Answers false when the plugin cannot without
    /// [`configure`](Self::configure). `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a quality outside the offer's scale.
    pub fn set_rate(&mut self, change: RateChange) -> Result<bool, PluginError> {
        let Some(set) = self.functions.set_rate else { return Ok(false) };
        let scale = self.offer.quality_min..=self.offer.quality_max;
        if change.quality.is_some_and(|quality| !scale.contains(&quality)) {
            let text = format!("the quality is not within {} to {}", scale.start(), scale.end());
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            return Err(self.refusal("encoder.rate.set", class, detail, text));
        }
        let fps = change.fps.filter(|(num, den)| *num > 0 && *den > 0);
        let rate = EncoderRate {
            struct_size: size_field::<EncoderRate>(),
            bitrate_kbps: change.bitrate_kbps.unwrap_or(0),
            max_bitrate_kbps: change.max_bitrate_kbps.unwrap_or(0),
            quality: change.quality.unwrap_or(abi::UNSET),
            fps_num: fps.map_or(0, |fps| fps.0),
            fps_den: fps.map_or(0, |fps| fps.1),
            vbv_ms: change.vbv_ms.unwrap_or(0),
            reserved32: 0,
            reserved: [0; 2],
        };
        // SAFETY: a live instance; the change is valid for the call.
        self.core.call("encoder.rate.set", |instance| unsafe { set(instance, &raw const rate) })?;
        Ok(true)
    }

    /// Frames that were submitted and are not done. Any thread.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.core.context().encoder().map_or(0, |desk| desk.frames().in_flight())
    }

    /// The frame that is in flight for longest and when it was submitted, nanoseconds of `CLOCK_MONOTONIC`: what a
    /// deadline is compared with. Any thread.
    #[must_use]
    pub fn oldest_in_flight(&self) -> Option<(u64, u64)> {
        let oldest = self.core.context().encoder()?.frames().oldest()?;
        Some((oldest.frame_id, oldest.submitted_ns))
    }

    /// What it was made from.
    #[must_use]
    pub fn offer(&self) -> &EncoderOffer {
        &self.offer
    }

    /// The settings in use.
    #[must_use]
    pub fn settings(&self) -> &EncoderSettings {
        &self.settings
    }

    fn desk(&self) -> Result<&EncoderDesk, PluginError> {
        let none = || PluginError::poisoned(self.core.account(), "encoder.submit");
        self.core.context().encoder().ok_or_else(none)
    }

    fn refusal(
        &self,
        function: &'static str,
        class: FaultClass,
        detail: FaultDetail,
        text: String,
    ) -> PluginError {
        PluginError::caller(self.core.account(), function, class, detail, text)
    }
}

/// Gives the memory of frames free that the encoder still had. Its `destroy` ran just before, with the core.
struct Leftovers(Arc<Context>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        if let Some(desk) = self.0.encoder() {
            let left = desk.frames().clear();
            drop(left);
        }
    }
}

fn submit_params(options: &SubmitOptions<'_>) -> abi::SubmitParams {
    let keyframe = if options.keyframe { abi::SUBMIT_KEYFRAME } else { 0 };
    let refine = if options.refine { abi::SUBMIT_REFINE } else { 0 };
    abi::SubmitParams {
        struct_size: size_field::<abi::SubmitParams>(),
        flags: keyframe | refine,
        deadline_ns: options.deadline_ns.unwrap_or(0),
        known_frame_id: options.known_frame_id.unwrap_or(0),
        roi: if options.roi.is_empty() { std::ptr::null() } else { options.roi.as_ptr() },
        roi_count: count_field(options.roi),
        reserved32: 0,
        reserved: [0; 4],
    }
}

impl std::fmt::Debug for EncoderInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncoderInstance")
            .field("offer", &self.offer.name)
            .field("settings", &self.settings)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
