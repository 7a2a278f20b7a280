//! A correct encoder (each changed picture is one JPEG) that panics at frame `after` of each instance.

#[path = "../../agreement.rs"]
mod agreement;

use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, Error, FrameRef, Host, PacketSink, Progress, Result,
    Submit, abi,
};
use serde::Deserialize;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp, compressed_buf_len};

const MAX_EDGE: u32 = 8192;
/// Formats of frames.
const FORMATS: [u32; 2] = [abi::FOURCC_XRGB8888, abi::FOURCC_ARGB8888];

/// Configuration, as in the manifest.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    after: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { after: 300 }
    }
}

/// The encoder.
#[derive(Debug)]
pub struct Panicking {
    after: u32,
    packets: PacketSink,
    compressor: Compressor,
    wanted: Wanted,
    frames: u64,
}

#[derive(Debug)]
struct Wanted {
    width: u32,
    height: u32,
    fourcc: u32,
    subsamp: Subsamp,
    /// Every picture is sent whatever changed.
    streaming: bool,
    /// The next one is.
    whole: bool,
}

impl Panicking {
    fn take(&mut self, params: &EncoderParams) -> Result<()> {
        self.wanted = Wanted::new(params)?;
        let quality = i32::try_from(params.quality).unwrap_or(100);
        let set = self.compressor.set_quality(quality);
        set.and_then(|()| self.compressor.set_subsamp(self.wanted.subsamp)).map_err(failed)
    }
}

impl Wanted {
    fn new(params: &EncoderParams) -> Result<Self> {
        let edges = [1..=MAX_EDGE, 1..=MAX_EDGE];
        let possible = agreement::is_readable(params, abi::CODEC_JPEG, &FORMATS, edges)
            && params.rate == abi::RATE_QUALITY
            && (1..=100).contains(&params.quality);
        let subsamp = match params.chroma {
            abi::CHROMA_420 => Some(Subsamp::Sub2x2),
            abi::CHROMA_444 => Some(Subsamp::None),
            _ => None,
        };
        match subsamp.filter(|_| possible) {
            Some(subsamp) => Ok(Self {
                width: params.width,
                height: params.height,
                fourcc: params.fourcc,
                subsamp,
                streaming: params.ignore_damage != 0,
                whole: true,
            }),
            None => {
                Err(Error::unsupported("only 8-bit JPEG by quality from 32-bit pixels, up to 8192 an edge"))
            }
        }
    }
}

fn failed(error: turbojpeg::Error) -> Error {
    Error::fatal(error.to_string())
}

impl Encoder for Panicking {
    type Config = Config;

    fn probe(_host: Host, _config: Config) -> Result<Vec<EncoderCaps>> {
        Ok(vec![EncoderCaps {
            name: "jpeg".into(),
            flags: abi::ENCODER_INTRA_ONLY,
            codec: abi::CODEC_JPEG,
            memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
            fourccs: FORMATS.into(),
            chroma_mask: abi::CHROMA_420 | abi::CHROMA_444,
            rate_mask: 1 << abi::RATE_QUALITY,
            depth: 1,
            max_retained: 0,
            max_width: MAX_EDGE,
            max_height: MAX_EDGE,
            quality_min: 1,
            quality_max: 100,
            bit_depth_mask: 1 << 8,
        }])
    }

    fn create(
        _host: Host,
        config: Config,
        params: &EncoderParams,
        packets: PacketSink,
        _completion: Completion,
    ) -> Result<Self> {
        let compressor = Compressor::new().map_err(failed)?;
        let wanted = Wanted::new(params)?;
        let mut encoder = Self { after: config.after, packets, compressor, wanted, frames: 0 };
        encoder.take(params)?;
        Ok(encoder)
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        self.take(params)
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        agreement::check(frame, (self.wanted.width, self.wanted.height), self.wanted.fourcc)?;
        self.frames += 1;
        assert!(self.frames < u64::from(self.after), "frame {} is the one to panic at", self.frames);
        let changed = self.wanted.streaming || frame.damage().is_none_or(|rects| !rects.is_empty());
        if changed || self.wanted.whole || params.keyframe {
            self.wanted.whole = true;
            let (pixels, pitch) = frame.plane(0)?;
            let (width, height) = (frame.width() as usize, frame.height() as usize);
            let image = Image { pixels, width, pitch, height, format: PixelFormat::BGRX };
            let room = compressed_buf_len(width, height, self.wanted.subsamp).map_err(failed)?;
            let mut slab = self.packets.slab(room)?;
            let len = self.compressor.compress_to_slice(image, &mut slab).map_err(failed)?;
            slab.commit(len, agreement::packet(frame, abi::CODEC_JPEG, true, 0, frame.height()))?;
            self.wanted.whole = false;
        }
        Ok(Progress::Done { refine_at_ns: None })
    }
}

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: Panicking,
}
