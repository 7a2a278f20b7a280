//! A plugin whose binary is kept, so that every later host is tried with it. It does what `../../c/kept.c` does, by the
//! SDK.
#![deny(unsafe_code)] // the macro below has the only unsafe code, and it is the SDK's

mod encoder;
mod source;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    capture: source::Source,
    encoder: encoder::Summing,
    encoder_rate: encoder::Summing,
}

/// Both kinds' configuration.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bytes of the first picture.
    pub first: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self { first: 1 }
    }
}
