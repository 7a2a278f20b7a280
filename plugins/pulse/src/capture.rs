//! The capture, as the host calls it.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{
    AudioCapture, AudioCaptureParams, AudioCaptureRun, AudioFormat, AudioRead, Host, Result, Wake,
};

use crate::{
    config::Config,
    engine::Engine,
    record::{Order, Recording},
    ring::Ring,
};

/// What the desktop plays.
#[derive(Debug)]
pub struct PulseCapture {
    engine: Arc<Engine<Order>>,
    ring: Arc<Ring>,
}

/// A capture that runs.
#[derive(Debug)]
pub struct PulseRun {
    engine: Arc<Engine<Order>>,
    ring: Arc<Ring>,
    block_frames: usize,
}

impl AudioCapture for PulseCapture {
    type Config = Config;
    type Run = PulseRun;

    fn create(host: Host, config: Config) -> Result<Self> {
        let ring: Arc<Ring> = Arc::default();
        let recorded = ring.clone();
        let server = config.checked()?.server;
        let engine = Engine::start(server, move |_| Ok(Recording::new(host, recorded)))?;
        Ok(Self { engine: Arc::new(engine), ring })
    }

    fn info(&mut self) -> Result<AudioFormat> {
        self.engine.ask("to describe its devices", Order::Info)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.ring.clone()
    }

    fn start(&mut self, params: AudioCaptureParams) -> Result<PulseRun> {
        let block_frames = params.block_frames;
        self.engine.ask("to record", |answer| Order::Start(params, answer))?;
        Ok(PulseRun { engine: self.engine.clone(), ring: self.ring.clone(), block_frames })
    }
}

impl AudioCaptureRun for PulseRun {
    fn read(&mut self, timeout: Option<Duration>, samples: &mut Vec<f32>) -> Result<Option<AudioRead>> {
        self.ring.read(self.block_frames, timeout, samples)
    }
}

impl Drop for PulseRun {
    fn drop(&mut self) {
        self.engine.tell(Order::Stop);
    }
}
