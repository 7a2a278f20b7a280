//! The encoder as a plugin.

use schemars::JsonSchema;
use selkies_plugin_sdk::{
    Completion, Encoder as EncoderPlugin, EncoderCaps, EncoderParams, EncoderRate, Error, FrameRef, Host,
    PacketInfo, PacketSink, Progress, Result, Submit, abi,
};
use serde::Deserialize;

use crate::{
    Area, EncodeError, Encoder, MAX_CRF, MAX_SIDE, MAX_THREADS, MIN_CRF, Order, Picture, Preset, Rate,
    Settings, Unit, settings::MAX_BLOCKS,
};

/// Name of the encoder of whole frames.
pub const FULL_NAME: &str = "x264enc";
/// Name of the encoder of stripes.
pub const STRIPED_NAME: &str = "x264enc-striped";

/// Each stripe is a decoder of its own in the browser: the picture has this many unless told otherwise …
const STRIPES: u32 = 4;
/// … at most this many …
const MAX_STRIPES: u32 = 32;
/// … and none has fewer rows.
const LEAST_STRIPE: u32 = 64;

/// Configuration of the H.264 encoder. Quality, chroma, frame rate and the like come with each pipeline; where that names
/// threads or stripe height too, it goes before what stands here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads that encode; 0 takes the cores there are, at most 4.
    #[schemars(range(min = 0, max = 16))]
    pub threads: u32,
    /// Rows of a stripe of `x264enc-striped`, a multiple of 16; 0 for a quarter of the picture. There are at most 32
    /// stripes, of at least 64 rows.
    #[schemars(range(min = 0, max = 8192), extend("multipleOf" = 16))]
    pub stripe_height: u32,
    /// Work per picture, by libx264's names.
    pub preset: Preset,
    /// How long content must be at rest before it is repeated at the higher quality, in milliseconds.
    #[schemars(range(min = 0, max = 60000))]
    pub refine_delay_ms: u32,
    /// Remember pictures, so that viewers that missed some go on without a key frame. The stream then allows gaps, as the
    /// standard has them; for decoders that do not know that, switch it off.
    pub anchors: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { threads: 0, stripe_height: 0, preset: Preset::default(), refine_delay_ms: 250, anchors: true }
    }
}

impl Config {
    /// The settings that this configuration and a pipeline's parameters make together.
    fn settings(&self, params: &EncoderParams) -> Result<Settings> {
        let fits = params.codec == abi::CODEC_H264
            && matches!(params.fourcc, abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888)
            && matches!(params.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD)
            && matches!(params.chroma, abi::CHROMA_420 | abi::CHROMA_444)
            && params.bit_depth == 8
            && params.width.max(params.height) <= MAX_SIDE
            && params.coded_size() == (params.width, params.height);
        if !fits {
            return Err(Error::unsupported(
                "only H.264 in 4:2:0 or 4:4:4 from 32-bit BGRX or BGRA in readable memory, 8 bits, unscaled, sides of at \
                 most 8192",
            ));
        }
        let first = |one: u32, other: u32| if one == 0 { other } else { one };
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4) as u32);
        let full_chroma = params.chroma == abi::CHROMA_444;
        let stripe_height = match params.name.as_str() {
            STRIPED_NAME => {
                let wanted = first(params.stripe_height, self.stripe_height);
                let least = params.height.div_ceil(MAX_STRIPES).max(LEAST_STRIPE);
                first(wanted, params.height.div_ceil(STRIPES)).max(least)
            }
            _ => params.height,
        };
        let blocks = params.width.div_ceil(16) * stripe_height.min(params.height).div_ceil(16);
        if blocks > MAX_BLOCKS {
            return Err(Error::unsupported(format!(
                "{blocks} macroblocks in one picture; H.264 ends at {MAX_BLOCKS}, stripes have fewer"
            )));
        }
        Ok(Settings {
            width: params.width,
            height: params.height,
            full_chroma,
            threads: first(first(params.threads, self.threads), cores).min(MAX_THREADS),
            stripe_height: stripe_height.min(MAX_SIDE).next_multiple_of(16),
            fps: (params.fps_num.clamp(1, 1000), params.fps_den.clamp(1, 1001)),
            keyframe_interval: params.keyframe_interval,
            min_qp: params.min_qp(),
            max_qp: params.max_qp(),
            preset: self.preset,
            rate: rate(params)?,
            refine_crf: params.refine_quality().map(crf).transpose()?,
            refine_delay_ns: u64::from(self.refine_delay_ms) * 1_000_000,
            ignore_damage: params.ignore_damage != 0,
            anchors: self.anchors,
        })
    }
}

fn rate(params: &EncoderParams) -> Result<Rate> {
    match params.rate {
        abi::RATE_QUALITY => Ok(Rate::Quality { crf: crf(params.quality)? }),
        abi::RATE_CBR | abi::RATE_VBR if params.bitrate_kbps > 0 => Ok(Rate::Bits {
            kbps: params.bitrate_kbps,
            max_kbps: if params.rate == abi::RATE_CBR { 0 } else { params.max_bitrate_kbps },
            buffer_ms: params.vbv_ms,
        }),
        other => Err(Error::unsupported(format!(
            "rate control {other} with {} kbit/s; quality, constant and variable bit rate above 0 are possible",
            params.bitrate_kbps
        ))),
    }
}

fn crf(value: u32) -> Result<u32> {
    if (MIN_CRF..=MAX_CRF).contains(&value) {
        Ok(value)
    } else {
        Err(Error::unsupported(format!("CRF {value}; {MIN_CRF} to {MAX_CRF} are possible")))
    }
}

/// The encoder plugin.
#[derive(Debug)]
pub struct X264 {
    host: Host,
    config: Config,
    packets: PacketSink,
    encoder: Encoder,
    /// The frame before, to notice gaps; none when the next one is to be a key frame.
    last_frame: Option<u64>,
    /// Kept for its memory.
    areas: Vec<Area>,
}

impl EncoderPlugin for X264 {
    type Config = Config;

    fn probe(_host: Host, config: Config) -> Result<Vec<EncoderCaps>> {
        let anchors = if config.anchors { abi::ENCODER_ANCHORS } else { 0 };
        let caps = |name: &str, stripes: u32| EncoderCaps {
            name: name.to_owned(),
            flags: abi::ENCODER_DAMAGE | abi::ENCODER_REFINES | anchors | stripes,
            codec: abi::CODEC_H264,
            memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
            fourccs: vec![abi::FOURCC_XRGB8888, abi::FOURCC_ARGB8888],
            chroma_mask: abi::CHROMA_420 | abi::CHROMA_444,
            rate_mask: 1 << abi::RATE_QUALITY | 1 << abi::RATE_CBR | 1 << abi::RATE_VBR,
            depth: 1,
            max_retained: 0,
            max_width: MAX_SIDE,
            max_height: MAX_SIDE,
            quality_min: MIN_CRF,
            quality_max: MAX_CRF,
            bit_depth_mask: 1 << 8,
        };
        Ok(vec![caps(FULL_NAME, 0), caps(STRIPED_NAME, abi::ENCODER_STRIPES)])
    }

    fn create(
        host: Host,
        config: Config,
        params: &EncoderParams,
        packets: PacketSink,
        _completion: Completion,
    ) -> Result<Self> {
        let encoder = encoder(config.settings(params)?)?;
        Ok(Self { host, config, packets, encoder, last_frame: None, areas: Vec::new() })
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        self.adopt(self.config.settings(params)?)
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        if !matches!(frame.fourcc(), abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888) {
            return Err(Error::reconfigure("the frame has another format than was agreed"));
        }
        let (bytes, stride) = frame.plane(0)?;
        let picture = Picture::new(bytes, stride, frame.width(), frame.height())
            .map_err(|error| Error::invalid(error.to_string()))?;
        let id = frame.frame_id();
        let damage = frame.damage_since(self.last_frame).map(|rects| {
            self.areas.clear();
            self.areas.extend(rects.iter().map(area));
            &self.areas[..]
        });
        let order = match params {
            Submit { keyframe: true, .. } => Order::Keyframe,
            // Whoever sees it can start with it, asked for or not.
            _ if self.last_frame.is_none() => Order::Keyframe,
            // Only a frame that nothing changed since the submit before is the same.
            Submit { refine: true, .. } if damage.is_some_and(<[Area]>::is_empty) => Order::Refine,
            _ => Order::Changes,
        };
        self.encoder.begin(id, Some(params.known_frame_id).filter(|&known| known > 0));
        let (packets, timestamp_ns) = (&self.packets, frame.timestamp_ns());
        let width = frame.width();
        let commit = |unit: Unit<'_>| {
            let mut slab = packets.slab(unit.bytes.len())?;
            slab[..unit.bytes.len()].copy_from_slice(unit.bytes);
            let start = if unit.key { abi::PACKET_KEY } else { 0 };
            let repeats = if unit.refinement { abi::PACKET_REFINEMENT } else { 0 };
            let info = PacketInfo {
                codec: abi::CODEC_H264,
                flags: start | repeats,
                layer: 0,
                frame_id: id,
                reference_frame_id: unit.reference.unwrap_or(0),
                timestamp_ns,
                duration_ns: 0,
                area: abi::Rect { x: 0, y: unit.top, width, height: unit.rows },
            };
            slab.commit(unit.bytes.len(), info)
        };
        let result = self.encoder.submit(&picture, damage, order, self.host.now_ns(), commit);
        if let Some(converting) = self.encoder.converting().filter(|_| result.is_ok()) {
            // A stage of its own in the host's figures, when it is told before the frame is done.
            self.host.observe("convert_seconds", converting.as_secs_f64());
        }
        // After a frame that failed, streams may lack a picture: the next one starts anew.
        self.last_frame = result.is_ok().then_some(id);
        match result {
            Ok(refine_at_ns) => Ok(Progress::Done { refine_at_ns }),
            Err(EncodeError::Output(error)) => Err(error),
            Err(error @ EncodeError::Size { .. }) => Err(Error::reconfigure(error.to_string())),
            Err(error @ EncodeError::Lane(_)) => Err(Error::fatal(error.to_string())),
        }
    }
}

impl EncoderRate for X264 {
    fn set_rate(&mut self, change: selkies_plugin_sdk::Rate) -> Result<()> {
        let mut settings = self.encoder.settings().clone();
        settings.rate = match settings.rate {
            Rate::Quality { crf: now } => Rate::Quality { crf: change.quality.map_or(Ok(now), crf)? },
            Rate::Bits { kbps, max_kbps, buffer_ms } => Rate::Bits {
                kbps: change.bitrate_kbps.filter(|&kbps| kbps > 0).unwrap_or(kbps),
                max_kbps: change.max_bitrate_kbps.unwrap_or(max_kbps),
                buffer_ms: change.vbv_ms.unwrap_or(buffer_ms),
            },
        };
        self.adopt(settings)
    }
}

impl X264 {
    /// Takes over other settings, with another encoder where this one cannot.
    fn adopt(&mut self, settings: Settings) -> Result<()> {
        if !self.encoder.adopt(&settings) {
            self.encoder = encoder(settings)?;
            self.last_frame = None;
        }
        Ok(())
    }
}

fn encoder(settings: Settings) -> Result<Encoder> {
    Encoder::new(settings).map_err(|error| Error::unsupported(error.to_string()))
}

fn area(rect: &abi::Rect) -> Area {
    Area { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}
