//! A new version of a plugin takes over while the stream runs.

use selkies_plugin_host::{EncoderOffer, Plugin};
use tracing::{info, warn};

use crate::{
    encoding::Encoding,
    making::Making,
    shot::Run,
    video::{Ended, Video},
};

/// A new version of a plugin, already started, and what it can encode here.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    /// The plugin, in a process of its own.
    pub(crate) plugin: Plugin,
    /// The offers of its encoder, if it has one, probed with the configuration in use.
    pub(crate) offers: Vec<EncoderOffer>,
}

impl Video {
    /// Takes a new version into use. An encoder takes over from a keyframe once it is made, and the old one encodes until
    /// then; a capture ends the run and is opened anew.
    pub(crate) fn renew(&mut self, renewal: Renewal, run: &Run, encoding: &Encoding) -> Option<Ended> {
        let Renewal { plugin, offers } = renewal;
        let mut in_use = false;
        for (at, encoder) in self.backends.encoders.iter_mut().enumerate() {
            if encoder.backend.plugin.id() != plugin.id() {
                continue;
            }
            let Some(offer) = offers.iter().find(|offer| offer.name == encoder.offer.name) else {
                warn!(encoder = %encoder.offer.name, plugin = plugin.id(), "the new version does not offer it; the old one stays");
                continue;
            };
            encoder.backend.plugin = plugin.clone();
            encoder.offer = offer.clone();
            self.fallback.forgive(at);
            in_use |= at == encoding.chosen();
        }
        // What was made from the old version is of no use.
        let stale = |making: &mut Making| {
            let backend = &self.backends.encoders[making.chosen()].backend;
            backend.plugin.id() == plugin.id()
        };
        drop(self.standby.take_if(stale));
        drop(self.making.take_if(stale));
        if in_use {
            self.making = self
                .begun(&run.capture.info(), encoding.chosen())
                .inspect_err(|error| warn!(%error, "no thread"))
                .ok();
        }
        if let Some(display) =
            self.backends.display.as_mut().filter(|display| display.plugin.id() == plugin.id())
        {
            display.plugin = plugin.clone();
        }
        info!(plugin = plugin.id(), version = plugin.version(), "a new version is used from now on");
        if self.backends.capture.plugin.id() != plugin.id() {
            return None;
        }
        self.backends.capture.plugin = plugin;
        self.reopen = true;
        Some(Ended::Anew)
    }
}
