//! The WebRTC transport, over GStreamer's webrtcbin.
//!
//! ```text
//! host --packet, copied once--> appsrc ! payloader ! caps ! webrtcbin --SRTP--> browser      one pipeline per client
//! host <--messages, key frame requests, feedback-- data channels, RTCP --------/
//! ```
//!
//! - **Encoded once.** Every client has a pipeline of its own that begins with the encoded packet, whose bytes they share.
//! - **The server offers**: the codecs that the host names, best first. The answer's choice is told to the host.
//! - **Nobody waits.** Making and ending connections is the business of one thread (`control.rs`); what the host calls only
//!   queues. What cannot be sent is dropped, in whole frames, and never so that a client gets what it cannot decode.
//! - **A client is believed nothing**: its answer and its candidates are judged (`answer.rs`, `candidate.rs`) before webrtcbin
//!   sees them, and so is what it sends later (`inlet.rs`).
//! - webrtcbin 1.22 ignores an ICE restart, so that `{"restart": true}` makes a new connection with a new offer.

mod answer;
mod arrivals;
mod beat;
mod budget;
mod candidate;
mod channels;
mod codec;
mod config;
pub mod congestion;
mod connection;
mod control;
mod ending;
mod frames;
mod hello;
mod ice_servers;
mod inlet;
mod keyframes;
mod line;
mod pace;
mod passage;
mod path;
mod peer;
mod playout_delay;
mod plugin;
mod rest;
mod rtcp;
mod rtp;
mod signal;
mod tail;
mod voice;
mod warm;

pub use config::Config;
pub use plugin::WebRtc;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    transport: WebRtc,
}
