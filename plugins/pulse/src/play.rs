//! A stream that plays into the microphone, on the thread of libpulse.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use libpulse_binding::{
    context::subscribe::Facility,
    def::BufferAttr,
    stream::{FlagSet, SeekMode, State, Stream},
};
use selkies_plugin_sdk::{AudioFormat, AudioSinkParams, Error, Result, abi};

use crate::{
    config::Config,
    cushion::{Cushion, shorten},
    engine::Work,
    layout,
    modules::Modules,
    record::await_stream,
    server::{PATIENCE, Server},
    usage::Usage,
};

/// What the server has of it at the most; no more than there is.
const SERVED: Duration = Duration::from_millis(40);
/// What waits at most where the host names no measure.
const MOST: Duration = Duration::from_millis(200);
/// What is left out is faded over for so long.
const FADE: Duration = Duration::from_millis(5);
/// How long a server that is given up has for removing what was made.
const FAREWELL: Duration = Duration::from_millis(300);

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    Info(SyncSender<Result<AudioFormat>>),
    Start(AudioSinkParams, SyncSender<Result<()>>),
    Write(Vec<f32>),
    Stop,
}

/// The stream that runs, if one does, and the modules behind it.
pub(crate) struct Playing {
    config: Config,
    modules: Modules,
    running: Option<Running>,
    usage: Arc<Usage>,
}

struct Running {
    stream: Stream,
    waiting: VecDeque<f32>,
    /// Most samples that may wait here.
    limit: usize,
    format: AudioFormat,
    /// What the server takes when it has nothing, samples of all channels.
    served: usize,
    /// Where the host leaves the measure to us.
    cushion: Option<Cushion>,
}

impl Playing {
    pub(crate) fn new(server: &mut Server, config: Config, usage: Arc<Usage>) -> Result<Self> {
        let modules = Modules::make(server, &config)?;
        server.watch(Facility::SourceOutput);
        let mut playing = Self { config, modules, running: None, usage };
        let counted = playing.count(server);
        if counted.is_err() {
            playing.modules.remove(server, FAREWELL);
        }
        counted.map(|()| playing)
    }

    fn info(&self, server: &mut Server) -> Result<AudioFormat> {
        match server.sink(&self.config.sink)? {
            Some((_, format)) => Ok(format),
            None => Err(server.failure("the microphone's sink is gone")),
        }
    }

    /// Who records: from the source, and from the monitor below it.
    fn count(&self, server: &mut Server) -> Result<()> {
        let mut sources = Vec::new();
        sources.extend(server.source(&self.config.source)?);
        if let Some((monitor, _)) = server.sink(&self.config.sink)? {
            sources.extend(server.source(&monitor)?);
        }
        self.usage.counted(server.recorders(sources)?);
        Ok(())
    }

    fn start(&mut self, server: &mut Server, params: AudioSinkParams) -> Result<()> {
        let AudioSinkParams { format, buffer } = params;
        let (spec, map) = layout::spec(format)?;
        let mut stream = Stream::new(server.context(), "microphone", &spec, Some(&map))
            .ok_or_else(|| server.failure("no stream"))?;
        let bytes =
            |time| u32::try_from(samples(format, time).saturating_mul(size_of::<f32>())).unwrap_or(u32::MAX);
        let attributes = BufferAttr {
            maxlength: bytes(2 * SERVED),
            tlength: bytes(SERVED),
            prebuf: bytes(SERVED / 4),
            minreq: bytes(SERVED / 4),
            fragsize: u32::MAX,
        };
        let flags = FlagSet::ADJUST_LATENCY | FlagSet::DONT_MOVE;
        let name = self.config.sink.clone();
        if stream.connect_playback(Some(&name), Some(&attributes), flags, None, None).is_err() {
            return Err(server.failure(&name));
        }
        await_stream(server, &stream, &name)?;
        server.heard();
        self.running = Some(Running {
            // Nothing was written yet: the server wants as much as it takes.
            served: stream.writable_size().unwrap_or(0) / size_of::<f32>(),
            stream,
            waiting: VecDeque::new(),
            limit: samples(format, buffer.unwrap_or(MOST)),
            format,
            cushion: buffer.is_none().then(|| Cushion::new(Instant::now())),
        });
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.stream.disconnect();
        }
        self.usage.queued(Duration::ZERO);
    }
}

/// How many samples of all channels so long a time has.
fn samples(format: AudioFormat, time: Duration) -> usize {
    let frames = u128::from(format.rate) * time.as_micros() / 1_000_000;
    usize::try_from(frames).unwrap_or(usize::MAX).saturating_mul(format.channels())
}

impl Work for Playing {
    type Order = Order;

    fn obey(&mut self, server: &mut Server, order: Order) {
        match order {
            Order::Info(answer) => drop(answer.send(self.info(server))),
            Order::Start(params, answer) => {
                self.stop();
                drop(answer.send(self.start(server, params)));
            }
            Order::Write(samples) => {
                if let Some(running) = &mut self.running {
                    running.keep(samples);
                }
            }
            Order::Stop => self.stop(),
        }
    }

    fn tend(&mut self, server: &mut Server) -> Result<()> {
        if server.changed() {
            self.count(server)?;
        }
        let Some(running) = self.running.as_mut() else { return Ok(()) };
        if matches!(running.stream.get_state(), State::Failed | State::Terminated) {
            self.running = None;
            return Err(server.failure("the microphone's sink is gone"));
        }
        running.serve()?;
        self.usage.queued(running.queued());
        Ok(())
    }

    fn runs(&self) -> bool {
        self.running.is_some()
    }

    fn end(&mut self, server: &mut Server, reason: Option<&Error>) {
        if let Some(error) = reason {
            self.usage.fail(error.clone());
        }
        self.stop();
        self.modules.remove(server, if reason.is_some() { FAREWELL } else { PATIENCE });
    }
}

impl Running {
    /// What was not heard yet, as far as the server has said what it wants.
    fn queued(&self) -> Duration {
        let count = self.served.saturating_sub(self.room()) + self.waiting.len();
        let frames = (count / self.format.channels().max(1)) as u64;
        Duration::from_nanos(frames * 1_000_000_000 / u64::from(self.format.rate.max(1)))
    }

    /// Samples that the server wants.
    fn room(&self) -> usize {
        self.stream.writable_size().unwrap_or(0) / size_of::<f32>()
    }

    /// Keeps samples until the server wants them; the oldest go where there are too many.
    fn keep(&mut self, came: Vec<f32>) {
        let (format, queued) = (self.format, self.queued());
        if let Some(cushion) = &mut self.cushion {
            let advice = cushion.arrived(Instant::now(), queued);
            let frames = |time| samples(format, time) / format.channels().max(1);
            shorten(&mut self.waiting, format.channels(), frames(advice.drop), frames(FADE));
            self.waiting.extend(std::iter::repeat_n(0.0, samples(format, advice.silence)));
        }
        self.waiting.extend(came);
        let over = self.waiting.len().saturating_sub(self.limit);
        let over = over.next_multiple_of(format.channels().max(1)).min(self.waiting.len());
        self.waiting.drain(..over);
    }

    /// Gives the server what it has room for.
    fn serve(&mut self) -> Result<()> {
        let count = self.room().min(self.waiting.len());
        let count = count - count % self.format.channels().max(1);
        if count == 0 {
            return Ok(());
        }
        let bytes: Vec<u8> = self.waiting.drain(..count).flat_map(f32::to_ne_bytes).collect();
        self.stream.write_copy(&bytes, 0, SeekMode::Relative).map_err(|error| {
            Error::device_lost(format!("the microphone cannot be played: {error}"))
                .with_detail(abi::DETAIL_IO)
        })
    }
}
