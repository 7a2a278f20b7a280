//! The source that applications record from: a sink that nobody hears, and a source with a name over its monitor.

use std::{rc::Rc, time::Duration};

use libpulse_binding::def::INVALID_INDEX;
use selkies_plugin_sdk::{Error, Result, abi};

use crate::{
    config::Config,
    server::{Answer, PATIENCE, Server},
};

/// Where the desktop goes on playing if the microphone's sink is its only one.
const OTHER_SINK: &str = "output";

/// What was made, and is removed in the end.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    loaded: Vec<u32>,
}

impl Modules {
    /// Makes what is missing. What it made is removed again when it fails.
    pub(crate) fn make(server: &mut Server, config: &Config) -> Result<Self> {
        let mut modules = Self::default();
        let made = modules.complete(server, config);
        if made.is_err() {
            modules.remove(server, PATIENCE);
        }
        made.map(|()| modules)
    }

    fn complete(&mut self, server: &mut Server, config: &Config) -> Result<()> {
        let Config { sink, source, .. } = config;
        let before = server.defaults()?;
        if server.sink(sink)?.is_none() {
            // The form of what pages send: samples arrive as they were spoken.
            self.load(
                server,
                "module-null-sink",
                &format!(
                    "sink_name={sink} format=s16le rate=24000 channels=1 channel_map=mono \
                     sink_properties=device.description=SelkiesMicrophone"
                ),
            )?;
        }
        // A server with no device of its own plays on whatever sink there is.
        if server.defaults()?.sink.as_deref() == Some(sink) && before.sink.as_deref() != Some(sink) {
            if server.sink(OTHER_SINK)?.is_none() {
                self.load(server, "module-null-sink", &format!("sink_name={OTHER_SINK}"))?;
            }
            drop(server.context().set_default_sink(OTHER_SINK, |_| {}));
        }
        if server.source(source)?.is_none() {
            let Some((monitor, _)) = server.sink(sink)? else {
                return Err(server.failure("the microphone's sink is gone"));
            };
            let arguments = format!(
                "source_name={source} master={monitor} source_properties=device.description={source}"
            );
            self.load(server, "module-remap-source", &arguments)?;
        }
        // A real microphone stays what it was.
        let real = |name: &String| !name.ends_with(".monitor");
        if config.default_source && !before.source.is_some_and(|source| real(&source)) {
            drop(server.context().set_default_source(source, |_| {}));
        }
        Ok(())
    }

    fn load(&mut self, server: &mut Server, name: &str, arguments: &str) -> Result<()> {
        let answer: Answer<u32> = Rc::default();
        let slot = answer.clone();
        let operation = server.context().introspect().load_module(name, arguments, move |index| {
            *slot.borrow_mut() = Some(index);
        });
        let index = server.answered(name, &answer);
        drop(operation);
        match index? {
            INVALID_INDEX => {
                let text = format!("the sound server does not load {name}: {}", server.errno());
                Err(Error::fatal(text).with_detail(abi::DETAIL_UNSUPPORTED))
            }
            index => {
                self.loaded.push(index);
                Ok(())
            }
        }
    }

    /// Removes what was made, the last first, and waits so long at most until that is done. A server that does not answer now
    /// finds the orders when it goes on.
    pub(crate) fn remove(&mut self, server: &mut Server, limit: Duration) {
        let mut orders = Vec::new();
        while let Some(index) = self.loaded.pop() {
            let answer: Answer<bool> = Rc::default();
            let slot = answer.clone();
            let operation = server.context().introspect().unload_module(index, move |done| {
                *slot.borrow_mut() = Some(done);
            });
            orders.push((operation, answer));
        }
        if let Some((_, last)) = orders.last() {
            // Without an answer the server is gone, and the modules with it, or it hangs.
            drop(server.answered_in(limit, "unload", last));
        }
    }
}
