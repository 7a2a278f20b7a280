//! An encoder in this process.

use std::sync::Arc;

use selkies_plugin_abi::{self as abi, EncoderRate, EncoderRateV1, EncoderV1, Instance, Status};

use super::{RateChange, SubmitOptions};
use crate::instance::core::{Core, required, sized_table};
use crate::instance::{EncoderOffer, EncoderSettings, FaultOrigin, Origin, PluginError, VideoFrame};
use crate::services::{Context, EncoderDesk, EncoderSink, Flight, PluginAccount, Role};
use crate::size::{count_field, size_field};

#[derive(Clone, Copy)]
struct Functions {
    configure: unsafe extern "C" fn(*mut Instance, *const abi::EncoderParams) -> Status,
    submit: unsafe extern "C" fn(*mut Instance, *const abi::Frame, *const abi::SubmitParams) -> Status,
    drain: unsafe extern "C" fn(*mut Instance) -> Status,
    set_rate: Option<unsafe extern "C" fn(*mut Instance, *const EncoderRate) -> Status>,
}

/// Calls the plugin's tables.
#[derive(Debug)]
pub(super) struct HereEncoder {
    core: Core,
    functions: Functions,
    /// After the core, so that frames outlive `destroy`.
    leftovers: Leftovers,
}

impl HereEncoder {
    pub(super) fn create(
        origin: &Origin<'_>,
        offer: &EncoderOffer,
        settings: &EncoderSettings,
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
        let role = Role::Encoder(EncoderDesk::new(sink, offer.codec, offer.max_retained));
        let params = settings.to_abi(&offer.name, offer.codec);
        let core = Core::create(origin, role, "encoder.create", destroy, |host, config, out| {
            // SAFETY: host, text, parameters and place are valid for the call, the host until `destroy` returned.
            unsafe { create(host, config, &raw const params, out) }
        })?;
        let leftovers = Leftovers(Arc::clone(core.context()));
        Ok(Self { core, functions, leftovers })
    }

    pub(super) fn configure(
        &mut self,
        offer: &EncoderOffer,
        settings: &EncoderSettings,
    ) -> Result<(), PluginError> {
        let params = settings.to_abi(&offer.name, offer.codec);
        let configure = self.functions.configure;
        self.core.call("encoder.configure", |instance| {
            // SAFETY: a live instance; the parameters are valid for the call.
            unsafe { configure(instance, &raw const params) }
        })?;
        Ok(())
    }

    /// Submits a frame that fits; `None` when its memory is not of the kind that the encoder reads.
    pub(super) fn submit(
        &mut self,
        frame: &VideoFrame,
        flight: Flight,
        memory: u32,
        options: &SubmitOptions<'_>,
    ) -> Option<Result<(), PluginError>> {
        const SUBMIT: &str = "encoder.submit";
        // The token is not known before the frame is entered, and entering needs a frame that fits.
        let mut raw = frame.to_abi(memory, flight.frame_id, 0)?;
        let Some(desk) = self.desk() else { return Some(Err(PluginError::poisoned(self.account(), SUBMIT))) };
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
        let unfinished = outcome.is_err() && frames.finish(flight.frame_id).is_none();
        drop(frames);
        drop(free);
        if unfinished && outcome.as_ref().is_err_and(|error| error.origin == FaultOrigin::Reported) {
            self.core.account().misbehaving(SUBMIT, "failed for a frame that it had reported as done");
        }
        Some(match (outcome, desk.broken()) {
            (Err(_), Some(what)) => Err(self.core.noted_contract("memory.commit", what)),
            (outcome, _) => outcome.map(|_| ()),
        })
    }

    pub(super) fn drain(&mut self) -> Result<(), PluginError> {
        let drain = self.functions.drain;
        // SAFETY: a live instance.
        self.core.call("encoder.drain", |instance| unsafe { drain(instance) })?;
        match self.desk().map_or(0, |desk| desk.frames().in_flight()) {
            0 => Ok(()),
            left => Err(self.core.contract("encoder.drain", format!("{left} frames were not done"))),
        }
    }

    /// False when the plugin has no table for it.
    pub(super) fn set_rate(&mut self, change: RateChange) -> Result<bool, PluginError> {
        let Some(set) = self.functions.set_rate else { return Ok(false) };
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

    pub(super) fn desk(&self) -> Option<&EncoderDesk> {
        self.leftovers.0.encoder()
    }

    pub(super) fn account(&self) -> &Arc<PluginAccount> {
        self.core.account()
    }
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Functions").finish_non_exhaustive()
    }
}

/// Gives the memory of frames free that the encoder still had. Its `destroy` ran just before, with the core.
struct Leftovers(Arc<Context>);

impl std::fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leftovers").finish_non_exhaustive()
    }
}

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
