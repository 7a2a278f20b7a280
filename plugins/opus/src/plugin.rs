//! The encoder.

use schemars::JsonSchema;
use selkies_plugin_sdk::{
    AudioBlock, AudioEncoder, AudioEncoderCaps, AudioEncoderParams, AudioPacket, AudioRate, AudioStreamInfo,
    Error, Host, Result, abi,
};
use serde::Deserialize;

use crate::{coder::Coder, layout::Layout};

/// Bit rates that libopus takes for one stream.
const MIN_BITRATE: u32 = 6000;
const MAX_BITRATE: u32 = 510_000;
/// Sample rates that Opus is coded at, the best first.
const RATES: [u32; 5] = [48_000, 24_000, 16_000, 12_000, 8000];
/// The rate that the header counts at.
const RATE: u32 = 48_000;
/// Durations of a packet, microseconds: whole samples at each of the rates.
const DURATIONS: [u32; 6] = [2500, 5000, 10_000, 20_000, 40_000, 60_000];
/// Packets of so many bytes say nothing but that there is silence (RFC 6716, section 3.2.1: a packet without a frame's data).
const DTX_BYTES: usize = 2;

/// What an encoder is tuned for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Application {
    /// The least delay: 2.5 ms of lookahead, no speech coder.
    #[default]
    LowDelay,
    /// Better at low bit rates, with 6.5 ms of lookahead; silence can be left out.
    Audio,
}

/// Configuration of the Opus encoder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What it is tuned for: `low-delay` (2.5 ms of lookahead), or `audio` (6.5 ms), which is better below 64 kbit/s.
    pub application: Application,
    /// Effort, when the host does not say: 0 to 10.
    #[schemars(range(max = 10))]
    pub complexity: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { application: Application::default(), complexity: 9 }
    }
}

/// The encoder.
pub struct Opus {
    coder: Coder,
    layout: &'static Layout,
    rate: u32,
    dtx: bool,
}

impl std::fmt::Debug for Opus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opus").field("layout", &self.layout).finish_non_exhaustive()
    }
}

fn failed(error: opus::Error) -> Error {
    Error::fatal(format!("libopus: {error}"))
}

/// Whole percents, not less than was said.
fn percent(loss_ppm: u32) -> u32 {
    loss_ppm.div_ceil(10_000).min(100)
}

/// Samples of each channel in the packets of a rate, ascending.
fn block_frames(rate: u32) -> [u32; DURATIONS.len()] {
    DURATIONS.map(|duration| rate / 100 * (duration / 100) / 100)
}

fn known_bitrate(bitrate: u32) -> Result<u32> {
    if (MIN_BITRATE..=MAX_BITRATE).contains(&bitrate) {
        return Ok(bitrate);
    }
    Err(Error::invalid(format!("{bitrate} bit/s are not within {MIN_BITRATE} to {MAX_BITRATE}")))
}

impl AudioEncoder for Opus {
    type Config = Config;

    fn probe(_: Host, config: Config) -> Result<Vec<AudioEncoderCaps>> {
        let dtx = if config.application == Application::Audio { abi::AUDIO_ENCODER_DTX } else { 0 };
        let fec = if config.application == Application::Audio { abi::AUDIO_ENCODER_FEC } else { 0 };
        // An entry for each rate: ten milliseconds are another number of samples at each.
        let entry = |rate| AudioEncoderCaps {
            name: "opus".into(),
            flags: dtx | fec,
            codec: abi::CODEC_OPUS,
            rates: vec![rate],
            channel_masks: Layout::MASKS.to_vec(),
            block_frames: block_frames(rate).to_vec(),
            min_bitrate: MIN_BITRATE,
            max_bitrate: MAX_BITRATE,
        };
        Ok(RATES.map(entry).to_vec())
    }

    fn create(_: Host, config: Config, params: &AudioEncoderParams) -> Result<Self> {
        let format = params.format;
        if params.name != "opus"
            || !RATES.contains(&format.rate)
            || !block_frames(format.rate).contains(&params.block_frames)
        {
            return Err(Error::unsupported(format!(
                "{} at {} Hz in packets of {} samples",
                params.name, format.rate, params.block_frames
            )));
        }
        let layout = Layout::of(format.channel_mask)
            .ok_or_else(|| Error::unsupported("Opus is mono, stereo, 5.1 or 7.1 here"))?;
        let application = match config.application {
            Application::LowDelay => opus::Application::LowDelay,
            Application::Audio => opus::Application::Audio,
        };
        let bitrate = known_bitrate(params.bitrate)?;
        let mut coder = Coder::new(layout, format.rate, application).map_err(failed)?;
        let configure = |coder: &mut Coder| {
            coder.set_bitrate(bitrate)?;
            coder.set_complexity(params.complexity.unwrap_or(config.complexity))?;
            coder.set_loss(percent(params.loss_ppm))?;
            coder.set_silence(params.dtx, params.fec)
        };
        configure(&mut coder).map_err(failed)?;
        Ok(Self { coder, layout, rate: format.rate, dtx: params.dtx })
    }

    fn info(&mut self) -> Result<AudioStreamInfo> {
        let lookahead_frames = self.coder.lookahead().map_err(failed)?;
        // The header counts at 48 kHz, whatever went in.
        let pre_skip = lookahead_frames * (RATE / self.rate);
        let description = self.layout.header(u16::try_from(pre_skip).unwrap_or(u16::MAX), self.rate);
        Ok(AudioStreamInfo { lookahead_frames, description })
    }

    fn adjust(&mut self, rate: AudioRate) -> Result<()> {
        if let Some(bitrate) = rate.bitrate {
            self.coder.set_bitrate(known_bitrate(bitrate)?).map_err(failed)?;
        }
        if let Some(loss_ppm) = rate.loss_ppm {
            self.coder.set_loss(percent(loss_ppm)).map_err(failed)?;
        }
        Ok(())
    }

    fn encode(&mut self, block: AudioBlock<'_>, out: &mut [u8]) -> Result<Option<AudioPacket>> {
        let len = self.coder.encode(block.samples, out).map_err(failed)?;
        Ok(Some(AudioPacket { len, dtx: self.dtx && len <= DTX_BYTES }))
    }
}
