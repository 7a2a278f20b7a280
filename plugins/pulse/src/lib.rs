//! Sound of PulseAudio and pipewire-pulse: what the desktop plays, and a microphone for it.
//!
//! Everything of libpulse lives on one thread per instance (`engine.rs`), which the host's calls reach by messages. A server
//! is never started, and one that is lost ends the instance: the host makes another one.

mod capture;
mod config;
mod cushion;
mod engine;
mod layout;
mod modules;
mod play;
mod record;
mod ring;
mod server;
mod sink;
mod stamp;
mod usage;

pub use capture::PulseCapture;
pub use config::Config;
pub use sink::PulseSink;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    audio_capture: PulseCapture,
    audio_sink: PulseSink,
}
