//! A stream that records, on the thread of libpulse.

use std::{
    sync::{Arc, mpsc::SyncSender},
    time::Instant,
};

use libpulse_binding::{
    context::subscribe::Facility,
    def::BufferAttr,
    stream::{FlagSet, Latency, PeekResult, State, Stream},
};
use selkies_plugin_sdk::{AudioCaptureParams, AudioFormat, Error, Host, Result, abi};

use crate::{
    engine::Work,
    layout,
    ring::Ring,
    server::{PATIENCE, Server},
    stamp::Stamp,
};

/// The server's name for the monitor of the default sink.
const DEFAULT_MONITOR: &str = "@DEFAULT_MONITOR@";
/// And for that sink.
const DEFAULT_SINK: &str = "@DEFAULT_SINK@";

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    Info(SyncSender<Result<AudioFormat>>),
    Start(AudioCaptureParams, SyncSender<Result<()>>),
    Stop,
}

/// The stream that runs, if one does.
pub(crate) struct Recording {
    host: Host,
    ring: Arc<Ring>,
    running: Option<Running>,
}

struct Running {
    stream: Stream,
    stamp: Stamp,
    /// Bytes of one sample of every channel.
    frame: usize,
    /// The default sink that is recorded, where none was named.
    follows: Option<String>,
}

impl Recording {
    pub(crate) fn new(host: Host, ring: Arc<Ring>) -> Self {
        Self { host, ring, running: None }
    }

    fn info(server: &mut Server) -> Result<AudioFormat> {
        match server.sink(DEFAULT_SINK)? {
            Some((_, format)) => Ok(format),
            None => Err(no_sink()),
        }
    }

    fn start(&mut self, server: &mut Server, params: &AudioCaptureParams) -> Result<()> {
        let AudioCaptureParams { format, block_frames, device } = params;
        let follows = match device.as_str() {
            "" => Some(server.defaults()?.sink.ok_or_else(no_sink)?),
            _ => None,
        };
        let name = if follows.is_some() { DEFAULT_MONITOR } else { device };
        if name.contains('\0') {
            return Err(Error::invalid("a device with a NUL in its name"));
        }
        let (spec, map) = layout::spec(*format)?;
        let mut stream = Stream::new(server.context(), "desktop sound", &spec, Some(&map))
            .ok_or_else(|| server.failure("no stream"))?;
        let frame = size_of::<f32>() * format.channels();
        let bytes = u32::try_from(frame * block_frames).unwrap_or(u32::MAX);
        let attributes = BufferAttr {
            maxlength: u32::MAX,
            tlength: u32::MAX,
            prebuf: u32::MAX,
            minreq: u32::MAX,
            // As often as blocks are wanted.
            fragsize: bytes,
        };
        // A stream that is moved could record a microphone that nobody agreed to.
        let flags = FlagSet::ADJUST_LATENCY
            | FlagSet::DONT_MOVE
            | FlagSet::AUTO_TIMING_UPDATE
            | FlagSet::INTERPOLATE_TIMING;
        if stream.connect_record(Some(name), Some(&attributes), flags).is_err() {
            return Err(server.failure(&format!("{name} cannot be recorded")));
        }
        await_stream(server, &stream, name)?;
        if follows.is_some() {
            server.watch(Facility::Server);
        }
        self.ring.open(format.channels(), format.rate);
        self.running = Some(Running { stream, stamp: Stamp::new(format.rate), frame, follows });
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.stream.disconnect();
        }
    }
}

/// Waits until a stream is connected.
pub(crate) fn await_stream(server: &mut Server, stream: &Stream, name: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match stream.get_state() {
            State::Ready => return Ok(()),
            State::Failed | State::Terminated => return Err(server.failure(name)),
            _ => {}
        }
        server.alive()?;
        if Instant::now() >= until {
            let text = format!("{name}: the sound server does not answer");
            return Err(Error::device_lost(text).with_detail(abi::DETAIL_TIMEOUT));
        }
        server.turn(Some(until))?;
    }
}

fn no_sink() -> Error {
    Error::device_lost("the sound server has no sink whose sound could be captured")
        .with_detail(abi::DETAIL_NOT_FOUND)
}

impl Work for Recording {
    type Order = Order;

    fn obey(&mut self, server: &mut Server, order: Order) {
        match order {
            Order::Info(answer) => drop(answer.send(Self::info(server))),
            Order::Start(params, answer) => {
                self.stop();
                drop(answer.send(self.start(server, &params)));
            }
            Order::Stop => self.stop(),
        }
    }

    fn tend(&mut self, server: &mut Server) -> Result<()> {
        let Some(running) = self.running.as_mut() else { return Ok(()) };
        if matches!(running.stream.get_state(), State::Failed | State::Terminated) {
            self.running = None;
            // Only the stream: the server may have another device.
            let error = Error::device_lost("the device that was recorded is gone");
            self.ring.fail(error.with_detail(abi::DETAIL_IO));
            return Ok(());
        }
        if running.drain(self.host, &self.ring)? {
            server.heard();
        }
        let follows = running.follows.clone();
        if let Some(sink) = follows.filter(|_| server.changed())
            && server.defaults()?.sink.is_some_and(|now| now != sink)
        {
            self.stop();
            self.ring.fail(Error::reconfigure("the desktop plays on another device now"));
        }
        Ok(())
    }

    fn runs(&self) -> bool {
        self.running.is_some()
    }

    fn end(&mut self, _: &mut Server, reason: Option<&Error>) {
        if let Some(error) = reason {
            self.ring.fail(error.clone());
        }
        self.stop();
    }
}

impl Running {
    /// Takes what has come; false when nothing has.
    fn drain(&mut self, host: Host, ring: &Ring) -> Result<bool> {
        let mut came: Vec<f32> = Vec::new();
        let lost = |error| Error::device_lost(format!("the sound cannot be read: {error}"));
        loop {
            match self.stream.peek().map_err(lost)? {
                PeekResult::Empty => break,
                PeekResult::Hole(bytes) => {
                    ring.skip();
                    came.resize(came.len() + bytes / size_of::<f32>(), 0.0);
                }
                PeekResult::Data(bytes) => {
                    let samples = bytes.as_chunks::<{ size_of::<f32>() }>().0;
                    came.extend(samples.iter().map(|sample| f32::from_ne_bytes(*sample)));
                }
            }
            self.stream.discard().map_err(lost)?;
        }
        if came.is_empty() {
            return Ok(false);
        }
        // How old the newest sample is; unknown until the server has said something of its timing.
        let age_ns = match self.stream.get_latency() {
            Ok(Latency::Positive(age)) => age.0.saturating_mul(1000),
            _ => 0,
        };
        let frames = came.len() * size_of::<f32>() / self.frame;
        let end_ns = self.stamp.received(frames, host.now_ns().saturating_sub(age_ns));
        ring.push(came.into_iter(), end_ns);
        Ok(true)
    }
}
