//! A correct H.264 encoder (whole frames, or stripes that are streams of their own) in which the configuration can place a
//! fault.

#[path = "../../agreement.rs"]
mod agreement;
mod picture;
mod stream;

use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, Error, FrameRef, Host, PacketSink, Progress, Result,
    Submit, abi,
};
use serde::Deserialize;

use crate::{picture::Source, stream::Stream};

/// OpenH264 encodes no more (its README).
const LONGEST: u32 = 3840;
const SHORTEST: u32 = 2160;
/// Rows of a stripe unless the parameters say, and the fewest that the codec takes.
const STRIPE_ROWS: u32 = 64;
const LEAST_ROWS: u32 = 16;
/// Formats of frames.
const FORMATS: [u32; 3] = [abi::FOURCC_XRGB8888, abi::FOURCC_ARGB8888, abi::FOURCC_YUV420];

/// Configuration, as in the manifest.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    fault: Fault,
    profile: Profile,
    stripes: bool,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fault {
    #[default]
    None,
    /// Encodes black instead of the picture that it was given.
    WrongPicture,
    /// Codes sixteen columns less than it was told to.
    WrongSize,
    /// Keyframes lack their second half.
    CutKeyframe,
    /// The first packet is a delta that says it is a keyframe.
    FalseKeyframe,
    /// The first packet is a delta.
    FirstDelta,
    /// Now and then a packet refers to one that was not sent.
    LostReference,
}

/// Which tools of the codec are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Profile {
    #[default]
    Baseline,
    High,
}

/// The encoder.
pub struct H264 {
    config: Config,
    packets: PacketSink,
    wanted: EncoderParams,
    /// First row, rows and stream of each stripe, from the top; one of them for whole frames.
    stripes: Vec<(u32, u32, Stream)>,
    frames: u64,
}

fn caps(name: &str, flags: u32) -> EncoderCaps {
    EncoderCaps {
        name: name.into(),
        flags: flags | abi::ENCODER_DAMAGE,
        codec: abi::CODEC_H264,
        memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
        fourccs: FORMATS.into(),
        chroma_mask: abi::CHROMA_420,
        rate_mask: 1 << abi::RATE_CBR,
        depth: 1,
        max_retained: 0,
        max_width: LONGEST,
        max_height: SHORTEST,
        quality_min: 0,
        quality_max: 0,
        bit_depth_mask: 1 << 8,
    }
}

fn possible(params: &EncoderParams) -> bool {
    let edges = [LEAST_ROWS..=LONGEST, LEAST_ROWS..=SHORTEST];
    agreement::is_readable(params, abi::CODEC_H264, &FORMATS, edges)
        && params.chroma == abi::CHROMA_420
        && params.rate == abi::RATE_CBR
        && params.bitrate_kbps > 0
}

impl H264 {
    /// Begins new streams for these parameters.
    fn take(&mut self, params: &EncoderParams) -> Result<()> {
        if !possible(params) {
            return Err(Error::unsupported("only 8-bit 4:2:0 by bit rate, from 16x16 to 3840x2160"));
        }
        let striped = params.name == "h264-striped";
        let rows = match (striped, params.stripe_height) {
            (false, _) => params.height,
            (true, 0) => STRIPE_ROWS,
            (true, rows) => rows.next_multiple_of(LEAST_ROWS),
        };
        let count = (params.height / rows).max(1);
        self.stripes = (0..count)
            .map(|number| {
                // The last one takes the rest, as a stripe of few rows cannot be coded.
                let top = number * rows;
                let rows = if number + 1 == count { params.height - top } else { rows };
                Ok((top, rows, Stream::begin(params, self.config.profile == Profile::High, count)?))
            })
            .collect::<Result<_>>()?;
        self.wanted = params.clone();
        Ok(())
    }

    fn send(&mut self, number: usize, frame: FrameRef<'_>, keyframe: bool) -> Result<()> {
        let fault = self.config.fault;
        let (top, rows, stream) = &mut self.stripes[number];
        let mut source = Source::read(frame, *top, *rows)?;
        let first = stream.is_new();
        match fault {
            Fault::WrongPicture => source.blacken(),
            Fault::WrongSize => source.narrow(LEAST_ROWS as usize),
            Fault::FalseKeyframe | Fault::FirstDelta if first => drop(stream.encode(&source, false)?),
            Fault::LostReference if self.frames.is_multiple_of(25) => drop(stream.encode(&source, false)?),
            _ => {}
        }
        let (mut bytes, mut key) = stream.encode(&source, keyframe)?;
        match fault {
            Fault::CutKeyframe if key => bytes.truncate(bytes.len() / 2),
            Fault::FalseKeyframe => key |= first,
            _ => {}
        }
        let mut slab = self.packets.slab(bytes.len())?;
        slab[..bytes.len()].copy_from_slice(&bytes);
        slab.commit(bytes.len(), agreement::packet(frame, abi::CODEC_H264, key, *top, *rows))
    }
}

impl Encoder for H264 {
    type Config = Config;

    fn probe(_host: Host, config: Config) -> Result<Vec<EncoderCaps>> {
        let mut offers = vec![caps("h264", 0), caps("h264-striped", abi::ENCODER_STRIPES)];
        if config.stripes {
            offers.reverse();
        }
        Ok(offers)
    }

    fn create(
        _host: Host,
        config: Config,
        params: &EncoderParams,
        packets: PacketSink,
        _completion: Completion,
    ) -> Result<Self> {
        let mut encoder = Self { config, packets, wanted: params.clone(), stripes: Vec::new(), frames: 0 };
        encoder.take(params)?;
        Ok(encoder)
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        self.take(params)
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        agreement::check(frame, (self.wanted.width, self.wanted.height), self.wanted.fourcc)?;
        self.frames += 1;
        for number in 0..self.stripes.len() {
            let (top, rows, stream) = &self.stripes[number];
            let (top, end) = (*top, top + rows);
            let touched = frame.damage().is_none_or(|rects| {
                rects
                    .iter()
                    .any(|rect| rect.height > 0 && rect.y < end && rect.y.saturating_add(rect.height) > top)
            });
            if touched || stream.is_new() || params.keyframe || self.wanted.ignore_damage != 0 {
                self.send(number, frame, params.keyframe)?;
            }
        }
        Ok(Progress::Done { refine_at_ns: None })
    }
}

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: H264,
}
