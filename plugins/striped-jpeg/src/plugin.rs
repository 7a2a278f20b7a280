//! The encoder as a plugin.

use schemars::JsonSchema;
use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, EncoderRate, Error, FrameRef, Host, PacketInfo,
    PacketSink, Progress, Rate, Result, SlabGuard, Submit, abi,
};
use serde::Deserialize;

use crate::{
    Area, BAND_ROWS, Chroma, Damage, MAX_SIDE, MAX_THREADS, Order, Output, Picture, Settings, SettingsError,
    StripePacket, StripedEncoder, SubmitError,
};

/// Name by which the host's configuration chooses the encoder.
pub const ENCODER_NAME: &str = "jpeg";

/// Configuration of the JPEG encoder. Quality, chroma and the like come with each pipeline; where that names threads
/// or stripe height too, it goes before what stands here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Threads that encode; 0 takes the cores there are, at most 4.
    #[schemars(range(min = 0, max = 64))]
    pub threads: u32,
    /// Rows of a stripe, a multiple of 16.
    #[schemars(range(min = 16, max = 16384), extend("multipleOf" = 16))]
    pub stripe_height: u32,
    /// Send a stripe whole even where only a part of it changed. Parts are cheaper, but they overlap at different
    /// rows, and a client that decodes several at a time must then paint them in the order of their frames.
    pub whole_stripes: bool,
    /// Where colours have the picture's full resolution (4:4:4 instead of 4:2:0). Motion hides the difference and costs
    /// about a third less without; coloured text at rest shows it.
    pub full_colour: FullColour,
    /// How long content must be at rest before it is sent once at the higher quality, in milliseconds.
    #[schemars(range(min = 0, max = 60000))]
    pub refine_delay_ms: u32,
    /// Most stripes that are sent at the higher quality at once.
    #[schemars(range(min = 1, max = 1024))]
    pub refine_stripes: u32,
}

/// Where colours have the picture's full resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FullColour {
    /// Nowhere.
    Never,
    /// Where content came to rest and is sent at the higher quality.
    AtRest,
    /// Everywhere.
    Always,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 0,
            stripe_height: Settings::DEFAULT_STRIPE_HEIGHT,
            whole_stripes: true,
            full_colour: FullColour::AtRest,
            refine_delay_ms: Settings::DEFAULT_REFINE_DELAY_MS,
            refine_stripes: Settings::DEFAULT_REFINE_STRIPES,
        }
    }
}

impl Config {
    /// The settings that this configuration and a pipeline's parameters make together.
    fn settings(&self, params: &EncoderParams) -> Result<Settings> {
        let fits = params.codec == abi::CODEC_JPEG
            && matches!(params.fourcc, abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888)
            && matches!(params.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD)
            && params.rate == abi::RATE_QUALITY
            && params.bit_depth == 8
            && params.coded_size() == (params.width, params.height);
        if !fits {
            return Err(Error::unsupported(
                "only JPEG from 32-bit BGRX or BGRA in readable memory, 8 bits, by quality, unscaled",
            ));
        }
        let chroma = match params.chroma {
            abi::CHROMA_420 => Chroma::Half,
            abi::CHROMA_444 => Chroma::Full,
            other => return Err(Error::unsupported(format!("chroma {other}; 4:2:0 and 4:4:4 are possible"))),
        };
        let full = |wanted: bool| if wanted { Chroma::Full } else { chroma };
        let first = |one: u32, other: u32| if one == 0 { other } else { one };
        let threads = match first(params.threads, self.threads) {
            0 => Settings::default_threads(),
            count => (count as usize).min(MAX_THREADS),
        };
        let stripe_height = first(params.stripe_height, self.stripe_height).min(MAX_SIDE);
        Ok(Settings {
            width: params.width,
            height: params.height,
            chroma: full(self.full_colour == FullColour::Always),
            refine_chroma: full(self.full_colour != FullColour::Never),
            quality: quality(params.quality)?,
            // The engine's 0, which is no quality, switches refinement off.
            refine_quality: params.refine_quality().map_or(Ok(0), quality)?,
            refine_delay_ns: u64::from(self.refine_delay_ms) * 1_000_000,
            refine_stripes: self.refine_stripes,
            threads,
            stripe_height: stripe_height.next_multiple_of(BAND_ROWS),
            whole_stripes: self.whole_stripes,
            ignore_damage: params.ignore_damage != 0,
        })
    }
}

fn quality(value: u32) -> Result<u8> {
    u8::try_from(value)
        .ok()
        .filter(|value| (1..=100).contains(value))
        .ok_or_else(|| Error::unsupported(format!("quality {value}; 1 to 100 are possible")))
}

/// The encoder plugin.
#[derive(Debug)]
pub struct StripedJpeg {
    host: Host,
    config: Config,
    packets: PacketSink,
    encoder: StripedEncoder,
    /// Width and height of the frames.
    size: (u32, u32),
    /// The frame before, to notice gaps; none of this size when the next one is to be a keyframe.
    last_frame: Option<u64>,
    /// Kept for its memory.
    areas: Vec<Area>,
}

impl Encoder for StripedJpeg {
    type Config = Config;

    fn probe(_host: Host, _config: Config) -> Result<Vec<EncoderCaps>> {
        Ok(vec![EncoderCaps {
            name: ENCODER_NAME.to_owned(),
            flags: abi::ENCODER_STRIPES
                | abi::ENCODER_DAMAGE
                | abi::ENCODER_INTRA_ONLY
                | abi::ENCODER_REFINES,
            codec: abi::CODEC_JPEG,
            memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
            fourccs: vec![abi::FOURCC_XRGB8888, abi::FOURCC_ARGB8888],
            chroma_mask: abi::CHROMA_420 | abi::CHROMA_444,
            rate_mask: 1 << abi::RATE_QUALITY,
            depth: 1,
            max_retained: 0,
            max_width: MAX_SIDE,
            max_height: MAX_SIDE,
            quality_min: 1,
            quality_max: 100,
            bit_depth_mask: 1 << 8,
        }])
    }

    fn create(
        host: Host,
        config: Config,
        params: &EncoderParams,
        packets: PacketSink,
        _completion: Completion,
    ) -> Result<Self> {
        let encoder = StripedEncoder::new(config.settings(params)?).map_err(refused)?;
        let size = (params.width, params.height);
        Ok(Self { host, config, packets, encoder, size, last_frame: None, areas: Vec::new() })
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        self.encoder.configure(self.config.settings(params)?).map_err(refused)?;
        let size = (params.width, params.height);
        if std::mem::replace(&mut self.size, size) != size {
            self.last_frame = None;
        }
        Ok(())
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        if !matches!(frame.fourcc(), abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888) {
            return Err(Error::reconfigure("the frame has another format than was agreed"));
        }
        let (bytes, stride) = frame.plane(0)?;
        let picture = Picture::new(bytes, stride, frame.width(), frame.height())
            .map_err(|error| Error::invalid(error.to_string()))?;
        let id = frame.frame_id();
        let damage = match frame.damage_since(self.last_frame) {
            Some(rects) => {
                self.areas.clear();
                self.areas.extend(rects.iter().map(area));
                Damage::Areas(&self.areas)
            }
            None => Damage::Full,
        };
        let order = match params {
            Submit { keyframe: true, .. } => Order::Keyframe,
            // Whoever sees it can start with it, asked for or not.
            _ if self.last_frame.is_none() => Order::Keyframe,
            // Only the frame of the submit before is known to be unchanged.
            Submit { refine: true, .. } if self.last_frame == Some(id) => Order::Refine,
            _ => Order::Changes,
        };
        let output = FrameOutput { packets: &self.packets, frame_id: id, timestamp_ns: frame.timestamp_ns() };
        let result = self.encoder.submit(&picture, damage, order, self.host.now_ns(), &output);
        // After a picture that was refused its damage is missing.
        self.last_frame = (!matches!(result, Err(SubmitError::Picture(_)))).then_some(id);
        match result {
            Ok(done) => {
                Ok(Progress::Done { refine_at_ns: (done.refine_at_ns != 0).then_some(done.refine_at_ns) })
            }
            Err(SubmitError::Output(error)) => Err(error),
            Err(error @ SubmitError::Picture(_)) => Err(Error::reconfigure(error.to_string())),
            Err(error @ SubmitError::Codec(_)) => Err(Error::fatal(error.to_string())),
        }
    }
}

impl EncoderRate for StripedJpeg {
    /// Only quality means something here; the rest is left.
    fn set_rate(&mut self, rate: Rate) -> Result<()> {
        let Some(value) = rate.quality else { return Ok(()) };
        self.encoder.set_quality(quality(value)?).map_err(refused)
    }
}

fn refused(error: SettingsError) -> Error {
    Error::unsupported(error.to_string())
}

fn area(rect: &abi::Rect) -> Area {
    Area { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}

/// Where the packets of one frame go.
#[derive(Debug)]
struct FrameOutput<'a> {
    packets: &'a PacketSink,
    frame_id: u64,
    timestamp_ns: u64,
}

impl Output for FrameOutput<'_> {
    type Slab = SlabGuard;
    type Error = Error;

    fn slab(&self, min_len: usize) -> Result<SlabGuard> {
        self.packets.slab(min_len)
    }

    fn commit(&self, slab: SlabGuard, packet: StripePacket) -> Result<()> {
        let start = if packet.keyframe { abi::PACKET_KEY } else { abi::PACKET_INTRA };
        let repeats = if packet.refinement { abi::PACKET_REFINEMENT } else { 0 };
        let info = PacketInfo {
            codec: abi::CODEC_JPEG,
            flags: start | repeats,
            layer: 0,
            frame_id: self.frame_id,
            reference_frame_id: 0,
            timestamp_ns: self.timestamp_ns,
            duration_ns: 0,
            area: abi::Rect { x: 0, y: packet.top, width: packet.width, height: packet.rows },
        };
        slab.commit(packet.len, info)
    }
}
