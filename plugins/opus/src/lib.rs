//! Opus by libopus: mono and stereo as one stream, 5.1 and 7.1 as several (RFC 7845, mapping family 1).

mod coder;
mod layout;
mod plugin;

pub use plugin::{Application, Config, Opus};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    audio_encoder: Opus,
}
