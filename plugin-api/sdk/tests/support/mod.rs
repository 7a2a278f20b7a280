//! Plugins that the tests drive, and what several tests need.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, EncoderRate, Error, FrameRef, Host, PacketInfo,
    PacketSink, Progress, Rate, Result, RetainedFrame, SlabGuard, Submit, abi,
};
use serde::Deserialize;

/// What the encoder below does with a frame.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One packet with the frame's number.
    #[default]
    Packet,
    /// Panics.
    Panic,
    /// Takes a slab and lets it go.
    DropSlab,
    /// Commits more than the slab has.
    Overrun,
    /// Answers from another thread.
    Thread,
    /// Keeps the frame until the next.
    Keep,
    /// Fails with class device-lost.
    Lost,
    /// Keeps slabs until the host has none.
    Hoard,
    /// Reports done itself, and then again by its answer.
    Twice,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub mode: Mode,
    pub panic_in_create: bool,
    pub panic_in_drop: bool,
}

/// An encoder whose packets hold the frame's number, or that misbehaves as told.
#[derive(Debug)]
pub struct Example {
    config: Config,
    packets: PacketSink,
    completion: Completion,
    kept: Option<RetainedFrame>,
    hoard: Vec<SlabGuard>,
    worker: Option<std::thread::JoinHandle<()>>,
    rate: Rate,
}

pub fn caps() -> EncoderCaps {
    EncoderCaps {
        name: "example".into(),
        flags: abi::ENCODER_INTRA_ONLY,
        codec: abi::CODEC_NULL,
        memory_mask: 1 << abi::MEMORY_CPU,
        fourccs: vec![abi::FOURCC_XRGB8888],
        chroma_mask: abi::CHROMA_444,
        rate_mask: 1 << abi::RATE_QUALITY,
        depth: 1,
        max_retained: 1,
        max_width: 4096,
        max_height: 4096,
        quality_min: 1,
        quality_max: 100,
        bit_depth_mask: 1 << 8,
    }
}

fn packet(sink: PacketSink, frame: FrameRef<'_>, layer: u32) -> Result<()> {
    let mut slab = sink.slab(8)?;
    slab[..8].copy_from_slice(&frame.frame_id().to_le_bytes());
    slab.commit(8, info(frame, layer))
}

fn info(frame: FrameRef<'_>, layer: u32) -> PacketInfo {
    PacketInfo {
        codec: abi::CODEC_NULL,
        flags: abi::PACKET_KEY,
        layer,
        frame_id: frame.frame_id(),
        reference_frame_id: 0,
        timestamp_ns: frame.timestamp_ns(),
        duration_ns: 0,
        area: abi::Rect { x: 0, y: 0, width: frame.width(), height: frame.height() },
    }
}

impl Encoder for Example {
    type Config = Config;

    fn probe(_: Host, config: Config) -> Result<Vec<EncoderCaps>> {
        match config.mode {
            Mode::Lost => Err(Error::device_lost("no device")),
            _ => Ok(vec![caps(), EncoderCaps { name: "second".into(), ..caps() }]),
        }
    }

    fn create(
        _: Host,
        config: Config,
        params: &EncoderParams,
        packets: PacketSink,
        completion: Completion,
    ) -> Result<Self> {
        assert!(!config.panic_in_create, "told to panic in create");
        if params.codec != abi::CODEC_NULL || params.name != "example" {
            return Err(Error::unsupported("only the null codec"));
        }
        let (kept, worker, rate) = (None, None, Rate::default());
        Ok(Self { config, packets, completion, kept, hoard: Vec::new(), worker, rate })
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        if params.width > 4096 { Err(Error::reconfigure("too wide")) } else { Ok(()) }
    }

    fn submit(&mut self, frame: FrameRef<'_>, params: Submit<'_>) -> Result<Progress> {
        match self.config.mode {
            Mode::Packet => packet(self.packets, frame, self.rate.quality.unwrap_or(9))?,
            Mode::Panic => panic!("told to panic at frame {}", frame.frame_id()),
            Mode::DropSlab => drop(self.packets.slab(100)?),
            Mode::Overrun => self.packets.slab(8)?.commit(1 << 20, info(frame, 0))?,
            Mode::Lost => return Err(Error::device_lost("the device fell off the bus")),
            Mode::Keep => self.kept = Some(frame.retain()?),
            Mode::Hoard => loop {
                self.hoard.push(self.packets.slab(8)?);
            },
            Mode::Twice => {
                packet(self.packets, frame, 0)?;
                self.completion.done(frame.frame_id(), Ok(None));
            }
            Mode::Thread => {
                let (kept, sink, completion) = (frame.retain()?, self.packets, self.completion);
                self.worker = Some(std::thread::spawn(move || {
                    let frame = kept.frame();
                    let outcome = packet(sink, frame, 0).map(|()| Some(7));
                    let id = frame.frame_id();
                    drop(kept);
                    completion.done(id, outcome);
                }));
                return Ok(Progress::InFlight);
            }
        }
        Ok(Progress::Done { refine_at_ns: params.refine.then_some(99) })
    }

    fn drain(&mut self) -> Result<()> {
        match self.worker.take().map(std::thread::JoinHandle::join) {
            Some(Err(_)) => Err(Error::fatal("the worker panicked")),
            _ => Ok(()),
        }
    }
}

impl EncoderRate for Example {
    fn set_rate(&mut self, rate: Rate) -> Result<()> {
        self.rate = rate;
        Ok(())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
        assert!(!self.config.panic_in_drop, "told to panic in drop");
    }
}
