//! The WebSocket transport: Selkies 2.1.0's framing of video packets, on connections that the host owns.
//!
//! The host accepts, authenticates and reads the sockets; this plugin sees whole messages and says which bytes go in
//! front of a packet. The payload stays where the encoder wrote it.

mod frame;
mod plugin;

pub use frame::{Framing, MAX_HEADER, header};
pub use plugin::{Config, WebSocket};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    transport: WebSocket,
}
