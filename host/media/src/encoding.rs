//! The encoder in use: choosing it, feeding it, and taking its packets.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_abi::{
    CHROMA_444, CODEC_JPEG, ENCODER_INTRA_ONLY, ENCODER_REFINES, RATE_CBR, RATE_QUALITY, UNSET,
};
use selkies_plugin_host::{
    CaptureInfo, EncodedPacket, EncoderInstance, EncoderOffer, EncoderSettings, FaultClass, FrameFinished,
    HostServices, PluginError, RateChange, SubmitOptions, VideoFrame,
};
use selkies_session::{
    fallback::Severity,
    pacing::{BitrateSteps, QualitySteps},
};
use tracing::debug;

use crate::{
    Backend, EncoderBackend,
    basket::Basket,
    farewell::{Farewells, UNENDED},
    making::HUNG,
    polish::{Allowance, Polish},
};

/// How long an encoder may take for one frame before it counts as hung.
const FRAME_DEADLINE: Duration = Duration::from_secs(2);

/// What one frame became.
pub(crate) struct Encoded {
    pub(crate) packets: Vec<EncodedPacket>,
    /// When the encoder would like to see the frame again, nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) refine_at_ns: Option<u64>,
    /// Nanoseconds that went into converting its colours, where the encoder tells.
    pub(crate) convert_ns: Option<u64>,
}

/// An encoder with its packets.
pub(crate) struct Encoding {
    instance: EncoderInstance,
    basket: Arc<Basket>,
    chosen: usize,
    /// What it was made from, which a new version may have taken the place of.
    backend: Backend,
    /// What a constant bit rate is lowered to.
    steps: Option<BitrateSteps>,
    /// The same for a constant quality.
    quality: Option<QualitySteps>,
    polish: Polish,
    /// It asked for what rests to be refined.
    refines: bool,
}

/// What new settings mean for a running encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The picture looks as before.
    Unseen,
    /// The picture has another quality from the next frame on.
    Seen,
}

/// Encoders that are not used any more, with their places in the list of encoders and what they were made from.
pub(crate) type Departures = Farewells<(usize, Backend)>;

/// Why there is no frame.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// The plugin failed.
    Plugin(PluginError),
    /// The frame was not done in time.
    Hung(String),
    /// The encoder was not made in time.
    Unmade(String),
    /// The encoder did not end in time when it was not used any more.
    Unended(String),
}

impl EncodeError {
    /// What it means for the encoder; `None` when it only wants to be made anew.
    pub(crate) fn severity(&self) -> Option<Severity> {
        match self {
            Self::Plugin(error) => severity(error),
            Self::Hung(_) | Self::Unmade(_) => Some(Severity::Broken),
            // Its frames were good.
            Self::Unended(_) => None,
        }
    }
}

/// What an error means for the encoder; `None` for one that only says "make me anew".
pub(crate) fn severity(error: &PluginError) -> Option<Severity> {
    match error.class {
        // The host lacked what it takes to hear it.
        _ if error.is_final() && error.is_shortage() => None,
        _ if error.is_final() => Some(Severity::Broken),
        FaultClass::Reconfigure => None,
        _ => Some(Severity::Passing),
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
            Self::Unmade(plugin) => write!(
                f,
                "MD014 {plugin} did not make its encoder within {} s. Use another encoder or report it to its vendor",
                HUNG.as_secs()
            ),
            Self::Unended(plugin) => write!(
                f,
                "MD015 {plugin} did not end its encoder within {} s; what it has is lost until the host ends. Report it to \
                 its vendor, or let it run in a child (plugins.isolation)",
                UNENDED.as_secs()
            ),
        }
    }
}

impl Encoding {
    /// Makes the encoder with the number `chosen`.
    pub(crate) fn create(
        services: &HostServices,
        encoder: &EncoderBackend,
        settings: &StreamSettings,
        capture: &CaptureInfo,
        chosen: usize,
    ) -> Result<Self, PluginError> {
        let basket = Arc::new(Basket::default());
        let wanted = wanted(&encoder.offer, settings, capture);
        let (steps, quality) = (steps(&wanted), quality_steps(&encoder.offer, &wanted));
        let origin = encoder.backend.origin(services);
        let instance = EncoderInstance::create(&origin, &encoder.offer, wanted, basket.clone())?;
        Ok(Self {
            instance,
            basket,
            chosen,
            backend: encoder.backend.clone(),
            steps,
            quality,
            polish: Polish::default(),
            refines: false,
        })
    }

    /// Takes new settings over.
    ///
    /// # Errors
    /// Of class reconfigure when another encoder must be made; else a fault.
    pub(crate) fn configure(
        &mut self,
        settings: &StreamSettings,
        capture: &CaptureInfo,
    ) -> Result<Change, PluginError> {
        let wanted = wanted(self.instance.offer(), settings, capture);
        let before = self.instance.settings();
        if wanted == *before {
            return Ok(Change::Unseen);
        }
        let same = EncoderSettings { fps: wanted.fps, bitrate_kbps: wanted.bitrate_kbps, ..before.clone() };
        let seen = if wanted == same { Change::Unseen } else { Change::Seen };
        let rate = |settings: &EncoderSettings| (settings.rate, settings.bitrate_kbps);
        let same_rate = rate(before) == rate(&wanted);
        let qualities =
            |settings: &EncoderSettings| (settings.rate, settings.quality, settings.refine_quality);
        let same_quality = qualities(before) == qualities(&wanted);
        self.instance.configure(wanted.clone())?;
        self.refines = false;
        if !same_rate || self.steps.is_none() {
            self.steps = steps(&wanted);
        } else if let Some(kbps) = self.steps.as_ref().map(BitrateSteps::target) {
            self.set_bitrate(kbps)?;
        }
        if !same_quality || self.quality.is_none() {
            self.quality = quality_steps(self.instance.offer(), &wanted);
        } else if let Some(quality) = self.quality.as_ref().map(QualitySteps::target) {
            self.set_quality(quality)?;
        }
        Ok(seen)
    }

    /// Lowers a constant bit rate or quality to what the lead's path takes, or raises it again; `wait` is how much longer than
    /// at best frames are on the way to it, `estimate` what its transport says that it takes, kbit/s.
    ///
    /// # Errors
    /// What the plugin answers.
    pub(crate) fn steer(
        &mut self,
        now: Instant,
        wait: Option<Duration>,
        estimate: Option<u32>,
    ) -> Result<(), PluginError> {
        let (fps, per) = self.instance.settings().fps;
        let period = Duration::from_secs(per.into()) / fps.max(1);
        if let Some(steps) = self.quality.as_mut()
            && let Some(quality) = match (estimate, wait) {
                (Some(estimate), _) => steps.follow(now, estimate),
                (None, Some(wait)) => steps.look(now, wait, period),
                (None, None) => None,
            }
        {
            debug!(quality, of = steps.finest(), "the quality follows the path");
            self.set_quality(quality)?;
        }
        let Some(steps) = self.steps.as_mut() else { return Ok(()) };
        let changed = match (estimate, wait) {
            (Some(estimate), _) => steps.follow(now, estimate),
            (None, Some(wait)) => steps.look(now, wait, period),
            (None, None) => None,
        };
        let Some(kbps) = changed else { return Ok(()) };
        debug!(kbps, of = steps.ceiling(), "the bit rate follows the path");
        self.set_bitrate(kbps)
    }

    /// The bit rate in use, kbit/s, where it is constant.
    pub(crate) fn bitrate(&self) -> Option<u32> {
        self.steps.as_ref().map(BitrateSteps::target)
    }

    /// The quality in use, in the encoder's own scale, where it is constant.
    pub(crate) fn quality(&self) -> Option<u32> {
        let settings = self.instance.settings();
        let constant = (settings.rate == RATE_QUALITY).then_some(settings.quality);
        self.quality.as_ref().map(QualitySteps::target).or(constant)
    }

    fn set_quality(&mut self, quality: u32) -> Result<(), PluginError> {
        if !self.instance.set_rate(RateChange { quality: Some(quality), ..RateChange::default() })? {
            // It cannot: the quality of the settings stays.
            self.quality = None;
        } else if let Some(steps) = &mut self.quality {
            steps.takes(quality);
        }
        Ok(())
    }

    fn set_bitrate(&mut self, kbps: u32) -> Result<(), PluginError> {
        let change = RateChange { bitrate_kbps: Some(kbps), ..RateChange::default() };
        if !self.instance.set_rate(change)? {
            // It cannot: the rate of the settings stays.
            self.steps = None;
        }
        Ok(())
    }

    /// It keeps a bit rate and does not refine what rests by itself, although that is wanted.
    pub(crate) fn polishes(&self) -> bool {
        let settings = self.instance.settings();
        settings.rate == RATE_CBR && settings.refine_quality != UNSET && !self.refines
    }

    /// A picture took so many bytes; answers after how long the content is to be coded again, where it [`Self::polishes`].
    /// `again`: it showed nothing new.
    pub(crate) fn polish(&mut self, again: bool, bytes: u64) -> Option<Duration> {
        if !self.polishes() {
            return None;
        }
        let settings = self.instance.settings();
        let blocks = u64::from(settings.width.div_ceil(16)) * u64::from(settings.height.div_ceil(16));
        if !again {
            return Some(self.polish.begin(blocks));
        }
        let period = Duration::from_secs(settings.fps.1.into()) / settings.fps.0.max(1);
        let kbps = self.bitrate().unwrap_or(settings.bitrate_kbps);
        self.polish.next(bytes, &Allowance { blocks, kbps, period })
    }

    /// Packets of it stand alone, so that a whole picture costs no more than any other frame.
    pub(crate) fn is_intra_only(&self) -> bool {
        self.instance.offer().flags & ENCODER_INTRA_ONLY != 0
    }

    /// What it was made from.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Frames that it may keep.
    pub(crate) fn max_retained(&self) -> u32 {
        self.instance.offer().max_retained
    }

    /// Its place in the list of encoders.
    pub(crate) fn chosen(&self) -> usize {
        self.chosen
    }

    /// Ends it elsewhere.
    pub(crate) fn part(self, departures: &Departures) {
        let owner = (self.chosen, self.backend.clone());
        departures.part(self, owner);
    }

    /// Encodes a frame and waits until it is done.
    pub(crate) fn encode(
        &mut self,
        frame: &VideoFrame,
        frame_id: u64,
        options: &SubmitOptions<'_>,
    ) -> Result<Encoded, EncodeError> {
        self.basket.clear();
        self.instance.submit(frame, frame_id, options).map_err(EncodeError::Plugin)?;
        let Some((packets, finished)) = self.wait(frame_id)? else {
            return Err(EncodeError::Hung(self.instance.offer().name.clone()));
        };
        let FrameFinished { outcome, refine_at_ns, convert_ns, .. } = finished;
        outcome.map_err(EncodeError::Plugin)?;
        self.refines |= refine_at_ns.is_some();
        if let Some(steps) = self.quality.as_mut().filter(|_| !options.refine) {
            steps.spends(packets.iter().map(|packet| packet.data.payload().len() as u64).sum());
        }
        Ok(Encoded { packets, refine_at_ns, convert_ns })
    }
}

impl Encoding {
    /// Waits until a frame is done. What a child says is heard by this thread; the threads of an encoder in this
    /// process fill the basket themselves.
    fn wait(&mut self, frame_id: u64) -> Result<Option<(Vec<EncodedPacket>, FrameFinished)>, EncodeError> {
        let limit = Instant::now() + FRAME_DEADLINE;
        loop {
            if let Some(done) = self.basket.take(frame_id) {
                return Ok(Some(done));
            }
            if Instant::now() >= limit {
                return Ok(None);
            }
            if !self.instance.pump(limit).map_err(EncodeError::Plugin)? {
                return Ok(self.basket.wait(frame_id, limit));
            }
        }
    }
}

fn steps(wanted: &EncoderSettings) -> Option<BitrateSteps> {
    (wanted.rate == RATE_CBR && wanted.bitrate_kbps > 0).then(|| BitrateSteps::new(wanted.bitrate_kbps))
}

/// Only where what rests is refined to what it would have otherwise: else it would stay as coarse as it was in motion.
fn quality_steps(offer: &EncoderOffer, wanted: &EncoderSettings) -> Option<QualitySteps> {
    // Without refinement, that is the highest number.
    let refines = offer.flags & ENCODER_REFINES != 0 && wanted.refine_quality <= wanted.quality;
    // A quantiser: JPEG's scale has its best at the other end.
    let quantiser = wanted.rate == RATE_QUALITY && offer.codec != CODEC_JPEG;
    (refines && quantiser).then(|| QualitySteps::new(wanted.quality, offer.quality_max))
}

fn wanted(offer: &EncoderOffer, settings: &StreamSettings, capture: &CaptureInfo) -> EncoderSettings {
    let scale = |quality: u8| u32::from(quality).clamp(offer.quality_min, offer.quality_max);
    let mut wanted = EncoderSettings::new(offer, capture.width, capture.height);
    wanted.fourcc = capture.fourcc;
    wanted.fps = (settings.framerate.max(1), 1);
    let (quality, refine_quality) = if offer.codec == CODEC_JPEG {
        (settings.jpeg_quality, settings.paint_over_jpeg_quality)
    } else {
        wanted.refine_frames = settings.h264_paintover_burst_frames;
        wanted.ignore_damage = settings.h264_streaming_mode;
        if settings.h264_fullcolor && offer.chroma_mask & CHROMA_444 != 0 {
            wanted.chroma = CHROMA_444;
        }
        if settings.is_constant_bitrate && offer.rate_mask & (1 << RATE_CBR) != 0 {
            wanted.rate = RATE_CBR;
            wanted.bitrate_kbps = settings.video_bitrate;
        }
        (settings.h264_crf, settings.h264_paintover_crf)
    };
    wanted.quality = scale(quality);
    wanted.refine_quality = if settings.use_paint_over_quality { scale(refine_quality) } else { UNSET };
    wanted
}
