//! The encoder in use: choosing it, feeding it, and taking its packets.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_abi::UNSET;
use selkies_plugin_host::{
    CaptureInfo, EncodedPacket, EncoderInstance, EncoderSettings, EncoderSink, FaultClass, FrameFinished,
    HostServices, PluginError, SubmitOptions, VideoFrame,
};

use crate::{EncoderBackend, faults::Faults};

/// How long an encoder may take for one frame before it counts as hung.
const FRAME_DEADLINE: Duration = Duration::from_secs(2);

/// What one frame became.
pub(crate) struct Encoded {
    pub(crate) packets: Vec<EncodedPacket>,
    /// When the encoder would like to see the frame again, nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) refine_at_ns: Option<u64>,
}

/// An encoder with its packets.
pub(crate) struct Encoding {
    instance: EncoderInstance,
    basket: Arc<Basket>,
    chosen: usize,
}

/// Why there is no frame.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// The plugin failed.
    Plugin(PluginError),
    /// The frame was not done in time.
    Hung(String),
}

/// What is said when every plugin is banned.
const NO_ENCODER: &str =
    "MD011 every encoder plugin declared itself unusable. Start the host again, or add another encoder";

impl EncodeError {
    /// True when nothing may be made from the plugin again in this process.
    pub(crate) fn bans_plugin(&self) -> bool {
        matches!(self, Self::Plugin(error) if error.class == FaultClass::FatalPlugin)
    }

    /// True when the same encoder may go on with the next frame.
    pub(crate) fn may_retry(&self) -> bool {
        matches!(self, Self::Plugin(error) if error.class == FaultClass::Retry && !error.is_final())
    }
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plugin(error) => error.fmt(f),
            Self::Hung(plugin) => write!(
                f,
                "MD010 {plugin} did not finish a frame within {} s. Use another encoder or report it to its vendor",
                FRAME_DEADLINE.as_secs()
            ),
        }
    }
}

impl Encoding {
    /// Makes the encoder that `settings` name, or the first in order that works; `faults` says what failed before.
    /// Answers the error of the last one tried when none works.
    pub(crate) fn choose(
        services: &HostServices,
        encoders: &[EncoderBackend],
        settings: &StreamSettings,
        capture: &CaptureInfo,
        faults: &[Faults],
    ) -> Result<Self, String> {
        let allowed = |at: &usize| !faults.get(*at).is_some_and(Faults::banned);
        let mut order: Vec<usize> = (0..encoders.len()).filter(allowed).collect();
        // Those that failed often come last; else the one asked for, then the configured order.
        let now = Instant::now();
        order.sort_by_key(|&at| {
            let avoided = faults.get(at).is_some_and(|faults| faults.many(now));
            (avoided, encoders[at].offer.name != settings.encoder, at)
        });
        let mut last = None;
        for at in order {
            match Self::create(services, &encoders[at], settings, capture, at) {
                Ok(encoding) => return Ok(encoding),
                Err(error) => {
                    tracing::warn!(%error, encoder = %encoders[at].offer.name, "encoder cannot be used");
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(|| NO_ENCODER.to_owned(), |error| error.to_string()))
    }

    fn create(
        services: &HostServices,
        encoder: &EncoderBackend,
        settings: &StreamSettings,
        capture: &CaptureInfo,
        chosen: usize,
    ) -> Result<Self, PluginError> {
        let plugin = &encoder.backend.plugin;
        let basket = Arc::new(Basket::default());
        let wanted = wanted(encoder, settings, capture);
        let origin = encoder.backend.origin(services);
        let tables = plugin.tables();
        let instance = match tables.encoder() {
            Some(table) => EncoderInstance::create(
                &origin,
                table,
                tables.encoder_rate(),
                &encoder.offer,
                wanted,
                basket.clone(),
            )?,
            None => unreachable!("an offer comes from an encoder table"),
        };
        Ok(Self { instance, basket, chosen })
    }

    /// Takes new settings over. False when another encoder must be made.
    pub(crate) fn configure(
        &mut self,
        encoder: &EncoderBackend,
        settings: &StreamSettings,
        capture: &CaptureInfo,
    ) -> bool {
        let wanted = wanted(encoder, settings, capture);
        wanted == *self.instance.settings() || self.instance.configure(wanted).is_ok()
    }

    /// Its place in the list of encoders.
    pub(crate) fn chosen(&self) -> usize {
        self.chosen
    }

    /// Encodes a frame and waits until it is done.
    pub(crate) fn encode(
        &mut self,
        frame: &VideoFrame,
        frame_id: u64,
        options: &SubmitOptions<'_>,
    ) -> Result<Encoded, EncodeError> {
        self.basket.lock().packets.clear();
        self.instance.submit(frame, frame_id, options).map_err(EncodeError::Plugin)?;
        let finished = self.basket.wait(frame_id, Instant::now() + FRAME_DEADLINE);
        let Some((packets, finished)) = finished else {
            return Err(EncodeError::Hung(self.instance.offer().name.clone()));
        };
        finished.outcome.map_err(EncodeError::Plugin)?;
        Ok(Encoded { packets, refine_at_ns: finished.refine_at_ns })
    }
}

fn wanted(encoder: &EncoderBackend, settings: &StreamSettings, capture: &CaptureInfo) -> EncoderSettings {
    let offer = &encoder.offer;
    let scale = |quality: u8| u32::from(quality).clamp(offer.quality_min, offer.quality_max);
    let mut wanted = EncoderSettings::new(offer, capture.width, capture.height);
    wanted.fourcc = capture.fourcc;
    wanted.fps = (settings.framerate.max(1), 1);
    wanted.quality = scale(settings.jpeg_quality);
    wanted.refine_quality =
        if settings.use_paint_over_quality { scale(settings.paint_over_jpeg_quality) } else { UNSET };
    wanted
}

#[derive(Default)]
struct Collected {
    packets: Vec<EncodedPacket>,
    finished: Option<FrameFinished>,
}

/// Where an encoder's threads put packets until the frame is done.
#[derive(Default)]
struct Basket {
    collected: Mutex<Collected>,
    done: Condvar,
}

impl Basket {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, frame_id: u64, limit: Instant) -> Option<(Vec<EncodedPacket>, FrameFinished)> {
        let mut collected = self.lock();
        loop {
            if let Some(finished) = collected.finished.take_if(|finished| finished.frame_id == frame_id) {
                return Some((std::mem::take(&mut collected.packets), finished));
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            collected = self.done.wait_timeout(collected, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl EncoderSink for Basket {
    fn packet(&self, packet: EncodedPacket) {
        self.lock().packets.push(packet);
    }

    fn done(&self, done: FrameFinished) {
        self.lock().finished = Some(done);
        self.done.notify_all();
    }
}
