//! `selkies.encoder/1` and `selkies.encoder.rate/1`.

mod here;
mod remote;

use std::sync::Arc;
use std::time::Instant;

use selkies_plugin_abi::RoiRect;
use serde::{Deserialize, Serialize};

use super::{EncoderOffer, EncoderSettings, FaultClass, FaultDetail, Origin, PluginError, VideoFrame, frame};
use crate::services::{EncoderDesk, EncoderSink, Flight, PluginAccount, now_ns};
use here::HereEncoder;
use remote::RemoteEncoder;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// An encoder. Packets and finished frames go to its [`EncoderSink`].
pub struct EncoderInstance {
    arm: Arm,
    offer: EncoderOffer,
    settings: EncoderSettings,
}

/// Where it runs.
enum Arm {
    Here(Box<HereEncoder>),
    Child(Box<RemoteEncoder>),
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
        if let Some(conflict) = settings.conflict(offer) {
            let (class, detail) = (FaultClass::Reconfigure, FaultDetail::Unsupported);
            let account = origin.services.account(origin.plugin.id());
            return Err(PluginError::caller(&account, "encoder.create", class, detail, conflict));
        }
        let arm = match origin.plugin.child() {
            None => Arm::Here(Box::new(HereEncoder::create(origin, offer, &settings, sink)?)),
            Some(child) => {
                Arm::Child(Box::new(RemoteEncoder::create(origin, child, offer, &settings, sink)?))
            }
        };
        Ok(Self { arm, offer: offer.clone(), settings })
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
        match &mut self.arm {
            Arm::Here(here) => here.configure(&self.offer, &settings)?,
            Arm::Child(child) => child.configure(&settings)?,
        }
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
        let busy = self.desk().is_none_or(|desk| {
            let frames = desk.frames();
            frames.in_flight() >= self.offer.depth as usize || frames.flight(frame_id).is_some()
        });
        if busy || frame_id == 0 {
            let text = format!("frame {frame_id} is 0 or in flight, or {} frames are", self.offer.depth);
            return Err(self.refusal(SUBMIT, FaultClass::Retry, FaultDetail::WrongState, text));
        }
        let flight =
            Flight { frame_id, width, height, timestamp_ns: frame.timestamp_ns(), submitted_ns: now_ns() };
        let outcome = match &mut self.arm {
            Arm::Here(here) => here.submit(frame, flight, memory, options),
            Arm::Child(child) => child.submit(frame, flight, options),
        };
        outcome.unwrap_or_else(|| {
            let text = format!("the frame is in memory kind {}, the encoder reads {memory}", shape.memory);
            Err(self.refusal(SUBMIT, FaultClass::Reconfigure, FaultDetail::InvalidArgument, text))
        })
    }

    /// Takes part in what an encoder in a child does while frames are in flight: waits until the child said something,
    /// which went to the sink, or until `end`. False at once for an encoder in this process, whose own threads call the
    /// sink. `[media]`
    ///
    /// # Errors
    /// The child is gone, or did not finish a frame in its time and was ended.
    pub fn pump(&mut self, end: Instant) -> Result<bool, PluginError> {
        match &mut self.arm {
            Arm::Here(_) => Ok(false),
            Arm::Child(child) => child.pump(end).map(|()| true),
        }
    }

    /// Finishes every frame in flight before it returns. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract: frames are still in flight.
    pub fn drain(&mut self) -> Result<(), PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.drain(),
            Arm::Child(child) => child.drain(),
        }
    }

    /// Changes the rate with the next frame. Answers false when the plugin cannot without
    /// [`configure`](Self::configure). `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a quality outside the offer's scale.
    pub fn set_rate(&mut self, change: RateChange) -> Result<bool, PluginError> {
        let scale = self.offer.quality_min..=self.offer.quality_max;
        if change.quality.is_some_and(|quality| !scale.contains(&quality)) {
            let text = format!("the quality is not within {} to {}", scale.start(), scale.end());
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            return Err(self.refusal("encoder.rate.set", class, detail, text));
        }
        match &mut self.arm {
            Arm::Here(here) => here.set_rate(change),
            Arm::Child(child) => child.set_rate(change),
        }
    }

    /// Frames that were submitted and are not done. Any thread.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.desk().map_or(0, |desk| desk.frames().in_flight())
    }

    /// The frame that is in flight for longest and when it was submitted, nanoseconds of `CLOCK_MONOTONIC`: what a
    /// deadline is compared with. Any thread.
    #[must_use]
    pub fn oldest_in_flight(&self) -> Option<(u64, u64)> {
        let oldest = self.desk()?.frames().oldest()?;
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

    fn desk(&self) -> Option<&EncoderDesk> {
        match &self.arm {
            Arm::Here(here) => here.desk(),
            Arm::Child(child) => Some(child.desk()),
        }
    }

    fn account(&self) -> &Arc<PluginAccount> {
        match &self.arm {
            Arm::Here(here) => here.account(),
            Arm::Child(child) => child.account(),
        }
    }

    fn refusal(
        &self,
        function: &'static str,
        class: FaultClass,
        detail: FaultDetail,
        text: String,
    ) -> PluginError {
        PluginError::caller(self.account(), function, class, detail, text)
    }
}

impl std::fmt::Debug for EncoderInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("EncoderInstance");
        shown.field("offer", &self.offer.name).field("settings", &self.settings);
        match &self.arm {
            Arm::Here(here) => shown.field("here", here),
            Arm::Child(child) => shown.field("child", child),
        };
        shown.finish_non_exhaustive()
    }
}
