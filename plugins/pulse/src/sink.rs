//! The microphone, as the host calls it.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{
    AudioBlock, AudioFormat, AudioSink, AudioSinkParams, AudioSinkRun, AudioSinkState, Host, Result, Wake,
};

use crate::{
    config::Config,
    engine::Engine,
    play::{Order, Playing},
    usage::Usage,
};

/// A source that applications record from.
#[derive(Debug)]
pub struct PulseSink {
    engine: Arc<Engine<Order>>,
    usage: Arc<Usage>,
}

/// A microphone that is spoken into.
#[derive(Debug)]
pub struct PulseSinkRun {
    engine: Arc<Engine<Order>>,
    usage: Arc<Usage>,
}

impl AudioSink for PulseSink {
    type Config = Config;
    type Run = PulseSinkRun;

    fn create(_: Host, config: Config) -> Result<Self> {
        let config = config.checked()?;
        let usage: Arc<Usage> = Arc::default();
        let told = usage.clone();
        let address = config.server.clone();
        let engine = Engine::start(address, move |server| Playing::new(server, config, told))?;
        Ok(Self { engine: Arc::new(engine), usage })
    }

    fn info(&mut self) -> Result<AudioFormat> {
        self.usage.sound()?;
        self.engine.ask("to describe its devices", Order::Info)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.usage.clone()
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>> {
        self.usage.wait(timeout)
    }

    fn start(&mut self, params: AudioSinkParams) -> Result<PulseSinkRun> {
        self.usage.sound()?;
        self.engine.ask("to play", |answer| Order::Start(params, answer))?;
        Ok(PulseSinkRun { engine: self.engine.clone(), usage: self.usage.clone() })
    }
}

impl AudioSinkRun for PulseSinkRun {
    fn write(&mut self, block: AudioBlock<'_>) -> Result<()> {
        self.usage.sound()?;
        self.engine.tell(Order::Write(block.samples.to_vec()));
        Ok(())
    }
}

impl Drop for PulseSinkRun {
    fn drop(&mut self) {
        self.engine.tell(Order::Stop);
    }
}
