//! A stream that plays into the microphone, on the thread of libpulse.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
    time::Duration,
};

use libpulse_binding::{
    def::BufferAttr,
    stream::{FlagSet, SeekMode, State, Stream},
};
use selkies_plugin_sdk::{AudioFormat, AudioSinkParams, Error, Result, abi};

use crate::{config::Config, engine::Work, layout, modules::Modules, record::await_stream, server::Server};

/// What the server has of it at the most: what is said is heard that much later, and what comes unevenly is bridged.
const SERVED: Duration = Duration::from_millis(40);
/// What is kept where the host names no measure.
const BUFFER: Duration = Duration::from_millis(200);

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    Info(SyncSender<Result<AudioFormat>>),
    Start(AudioSinkParams, SyncSender<Result<()>>),
    Write(Vec<f32>),
    Stop,
}

/// Why nothing is played any more; shared with the instance.
pub(crate) type Trouble = Arc<Mutex<Option<Error>>>;

/// The stream that runs, if one does, and the modules behind it.
pub(crate) struct Playing {
    config: Config,
    modules: Modules,
    running: Option<Running>,
    trouble: Trouble,
}

struct Running {
    stream: Stream,
    waiting: VecDeque<f32>,
    /// Most samples that may wait here.
    limit: usize,
    channels: usize,
}

impl Playing {
    pub(crate) fn new(server: &mut Server, config: Config, trouble: Trouble) -> Result<Self> {
        let modules = Modules::make(server, &config)?;
        Ok(Self { config, modules, running: None, trouble })
    }

    fn info(&self, server: &mut Server) -> Result<AudioFormat> {
        match server.sink(&self.config.sink)? {
            Some((_, format)) => Ok(format),
            None => Err(server.failure("the microphone's sink is gone")),
        }
    }

    fn start(&mut self, server: &mut Server, params: AudioSinkParams) -> Result<()> {
        let AudioSinkParams { format, buffer } = params;
        let (spec, map) = layout::spec(format)?;
        let mut stream = Stream::new(server.context(), "microphone", &spec, Some(&map))
            .ok_or_else(|| server.failure("no stream"))?;
        let samples = |time: Duration| {
            let frames = u128::from(format.rate) * time.as_micros() / 1_000_000;
            usize::try_from(frames).unwrap_or(usize::MAX).saturating_mul(format.channels())
        };
        let bytes = |time| u32::try_from(samples(time).saturating_mul(size_of::<f32>())).unwrap_or(u32::MAX);
        let attributes = BufferAttr {
            maxlength: bytes(2 * SERVED),
            tlength: bytes(SERVED),
            prebuf: bytes(SERVED / 2),
            minreq: bytes(SERVED / 4),
            fragsize: u32::MAX,
        };
        let flags = FlagSet::ADJUST_LATENCY | FlagSet::DONT_MOVE;
        let name = self.config.sink.clone();
        if stream.connect_playback(Some(&name), Some(&attributes), flags, None, None).is_err() {
            return Err(server.failure(&name));
        }
        await_stream(server, &stream, &name)?;
        let limit = samples(buffer.unwrap_or(BUFFER).saturating_sub(SERVED).max(SERVED));
        self.running = Some(Running { stream, waiting: VecDeque::new(), limit, channels: format.channels() });
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.stream.disconnect();
        }
    }

    fn fail(&self, error: Error) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
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
        let Some(running) = self.running.as_mut() else { return Ok(()) };
        if matches!(running.stream.get_state(), State::Failed | State::Terminated) {
            self.running = None;
            return Err(server.failure("the microphone's sink is gone"));
        }
        running.serve()
    }

    fn end(&mut self, server: &mut Server, reason: Option<&Error>) {
        if let Some(error) = reason {
            self.fail(error.clone());
        }
        self.stop();
        self.modules.remove(server);
    }
}

impl Running {
    /// Keeps samples until the server wants them; the oldest go where there are too many.
    fn keep(&mut self, samples: Vec<f32>) {
        self.waiting.extend(samples);
        let over = self.waiting.len().saturating_sub(self.limit);
        let over = over.next_multiple_of(self.channels.max(1)).min(self.waiting.len());
        self.waiting.drain(..over);
    }

    /// Gives the server what it has room for.
    fn serve(&mut self) -> Result<()> {
        let room = self.stream.writable_size().unwrap_or(0) / size_of::<f32>();
        let count = room.min(self.waiting.len());
        let count = count - count % self.channels.max(1);
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
