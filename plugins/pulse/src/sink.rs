//! The microphone, as the host calls it.

use std::sync::{Arc, PoisonError};

use selkies_plugin_sdk::{AudioBlock, AudioFormat, AudioSink, AudioSinkParams, AudioSinkRun, Host, Result};

use crate::{
    config::Config,
    engine::Engine,
    play::{Order, Playing, Trouble},
};

/// A source that applications record from.
#[derive(Debug)]
pub struct PulseSink {
    engine: Arc<Engine<Order>>,
    trouble: Trouble,
}

/// A microphone that is spoken into.
#[derive(Debug)]
pub struct PulseSinkRun {
    engine: Arc<Engine<Order>>,
    trouble: Trouble,
}

fn sound(trouble: &Trouble) -> Result<()> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
}

impl AudioSink for PulseSink {
    type Config = Config;
    type Run = PulseSinkRun;

    fn create(_: Host, config: Config) -> Result<Self> {
        let config = config.checked()?;
        let trouble = Trouble::default();
        let told = trouble.clone();
        let address = config.server.clone();
        let engine = Engine::start(address, move |server| Playing::new(server, config, told))?;
        Ok(Self { engine: Arc::new(engine), trouble })
    }

    fn info(&mut self) -> Result<AudioFormat> {
        sound(&self.trouble)?;
        self.engine.ask("to describe its devices", Order::Info)
    }

    fn start(&mut self, params: AudioSinkParams) -> Result<PulseSinkRun> {
        sound(&self.trouble)?;
        self.engine.ask("to play", |answer| Order::Start(params, answer))?;
        Ok(PulseSinkRun { engine: self.engine.clone(), trouble: self.trouble.clone() })
    }
}

impl AudioSinkRun for PulseSinkRun {
    fn write(&mut self, block: AudioBlock<'_>) -> Result<()> {
        sound(&self.trouble)?;
        self.engine.tell(Order::Write(block.samples.to_vec()));
        Ok(())
    }
}

impl Drop for PulseSinkRun {
    fn drop(&mut self) {
        self.engine.tell(Order::Stop);
    }
}
