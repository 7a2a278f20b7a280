//! A new version of a plugin takes over while the stream runs.

use selkies_plugin_host::{EncoderOffer, HostServices, Plugin, PluginError};
use tracing::{info, warn};

use crate::{Backend, EncoderBackend, making::Making, video::Video};

/// A new version of a plugin, already started. Any thread may probe it.
#[derive(Clone, Debug)]
pub struct Newcomer {
    pub(crate) plugin: Plugin,
    /// The configuration of the old one, if it films or encodes.
    pub(crate) config: Option<String>,
    pub(crate) services: HostServices,
}

impl Newcomer {
    /// Finds out what it can encode. Blocks while its devices are looked for.
    ///
    /// # Errors
    /// What its probe answers; the old version stays in use then.
    pub fn probe(self) -> Result<Renewal, PluginError> {
        let Self { plugin, config, services } = self;
        let mut offers = Vec::new();
        if let Some(config) = config {
            let probed = EncoderBackend::probe(&services, &Backend { plugin: plugin.clone(), config })?;
            offers.extend(probed.into_iter().map(|encoder| encoder.offer));
        }
        Ok(Renewal { plugin, offers })
    }
}

/// A new version of a plugin and what it can encode here.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The plugin, in a process of its own.
    pub(crate) plugin: Plugin,
    /// The offers of its encoder, if it has one, probed with the configuration in use.
    pub(crate) offers: Vec<EncoderOffer>,
}

impl Video {
    /// Makes everything from a new version from now on. Instances of the old one stay in use: the encoder until
    /// [`seek`](Self::seek) and [`adopt`](Self::adopt) replaced it. True when the capture is to be opened anew.
    pub(crate) fn renew(&mut self, renewal: Renewal) -> bool {
        let Renewal { plugin, offers } = renewal;
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
        }
        // What was made from the old version is of no use.
        let stale = |making: &mut Making| {
            let backend = &self.backends.encoders[making.chosen()].backend;
            backend.plugin.id() == plugin.id()
        };
        let (standby, making) = (self.standby.take_if(stale), self.making.take_if(stale));
        self.part(standby);
        self.part(making);
        if let Some(display) =
            self.backends.display.as_mut().filter(|display| display.plugin.id() == plugin.id())
        {
            display.plugin = plugin.clone();
        }
        info!(plugin = plugin.id(), version = plugin.version(), "a new version is used from now on");
        let films = self.backends.capture.plugin.id() == plugin.id();
        if films {
            self.backends.capture.plugin = plugin;
            self.reopen = true;
        }
        films
    }
}
