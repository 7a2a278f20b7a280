//! Which plugin does what, with which configuration.

use selkies_plugin_abi::{
    CODEC_AV1, CODEC_H264, CODEC_H265, CODEC_JPEG, CODEC_VP8, CODEC_VP9, ENCODER_STRIPES, ids,
};
use selkies_plugin_host::{EncoderOffer, HostServices, Origin, Plugin, PluginError, probe_encoder};
use selkies_session::Codec;

/// A plugin with its configuration.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The plugin.
    pub plugin: Plugin,
    /// Its configuration, a JSON object.
    pub config: String,
}

impl Backend {
    pub(crate) fn origin<'a>(&'a self, services: &'a HostServices) -> Origin<'a> {
        Origin { services, plugin: &self.plugin, config_json: &self.config }
    }

    /// The error for a plugin that was given a part it does not play.
    pub(crate) fn lacks(&self, table: &str) -> String {
        format!("plugin {} does not offer {table}; name another plugin for it", self.plugin.id())
    }
}

/// One thing that an encoder plugin can produce on this machine.
#[derive(Clone, Debug)]
pub struct EncoderBackend {
    /// The plugin.
    pub backend: Backend,
    /// What it offers.
    pub offer: EncoderOffer,
}

impl EncoderBackend {
    /// What a plugin can encode here. Opens its device for a moment.
    ///
    /// # Errors
    /// What the plugin says; an empty list means "nothing on this machine".
    pub fn probe(services: &HostServices, backend: &Backend) -> Result<Vec<Self>, PluginError> {
        if !backend.plugin.offers(ids::ENCODER_V1) {
            return Ok(Vec::new());
        }
        let offers = probe_encoder(&backend.origin(services))?;
        Ok(offers.into_iter().map(|offer| Self { backend: backend.clone(), offer }).collect())
    }

    /// What it makes; `None` for codecs that pages are not asked about, such as that of the null encoder.
    pub(crate) fn codec(&self) -> Option<Codec> {
        Some(match self.offer.codec {
            CODEC_JPEG => Codec::Jpeg,
            CODEC_H264 => Codec::H264,
            CODEC_H265 => Codec::H265,
            CODEC_VP8 => Codec::Vp8,
            CODEC_VP9 => Codec::Vp9,
            CODEC_AV1 => Codec::Av1,
            _ => return None,
        })
    }

    /// Whether its frames come in stripes.
    pub(crate) fn is_striped(&self) -> bool {
        self.offer.flags & ENCODER_STRIPES != 0
    }
}

/// The plugins of one session.
#[derive(Clone, Debug)]
pub struct Backends {
    /// Where pictures come from.
    pub capture: Backend,
    /// What changes the size of the display, if anything.
    pub display: Option<Backend>,
    /// Where cursor shapes come from, if anywhere.
    pub cursor: Option<Backend>,
    /// What has the clipboard, if anything.
    pub clipboard: Option<Backend>,
    /// What injects input; events go to the first that understands their kind.
    pub input: Vec<Backend>,
    /// How programs see gamepads; the first that works serves.
    pub gamepads: Vec<Backend>,
    /// Encoders in the order of preference, at least one.
    pub encoders: Vec<EncoderBackend>,
}

impl Backends {
    /// The codecs of the encoders that make whole frames, in the order of preference, each once: what a transport can be
    /// offered that carries no stripes.
    #[must_use]
    pub fn whole_frame_codecs(&self) -> Vec<Codec> {
        let mut found = Vec::new();
        for codec in
            self.encoders.iter().filter(|encoder| !encoder.is_striped()).filter_map(EncoderBackend::codec)
        {
            if !found.contains(&codec) {
                found.push(codec);
            }
        }
        found
    }
}
