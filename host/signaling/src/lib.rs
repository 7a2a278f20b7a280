//! Socket.IO signaling: peers that set up a WebRTC connection exchange offers, answers and ICE candidates through a relay.
//!
//! [`Relay`] is the server's side without HTTP: whoever has a listener opens sessions, hands it the bodies of requests and
//! WebSockets. It speaks Socket.IO protocol 5 over Engine.IO protocol 4, as `socket.io-client` 4.x and `python-socketio` 5.x do
//! (<https://socket.io/docs/v4/socket-io-protocol/>, <https://socket.io/docs/v4/engine-io-protocol/>).
#![forbid(unsafe_code)]

mod allowance;
mod backoff;
mod client;
mod dial;
mod engine;
mod fence;
mod identity;
mod link;
mod node;
mod outpost;
mod packet;
mod peer;
mod relay;
mod signal;
mod socket;
mod token;
mod url;

pub use client::Client;
pub use engine::MAX_PACKET;
pub use link::Refusal;
pub use node::NodeRole;
pub use outpost::{HostSession, NodeOptions, run_node};
pub use relay::{Relay, RelayOptions, Times};
pub use signal::{MAX_DEPTH, MAX_TEXT, Rejection, Signal, SignalData};
pub use token::Token;
pub use url::{RelayUrl, RelayUrlError};
