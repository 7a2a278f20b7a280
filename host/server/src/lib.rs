//! HTTP and WebSocket on one port.
//!
//! [`Hub`] joins a session, its media threads and the clients' sockets; [`Server`] listens.
#![forbid(unsafe_code)]

mod accept;
mod assets;
mod auth;
mod faults;
mod files;
mod hub;
mod lane;
mod modes;
mod offers;
mod outpost;
mod post;
mod queue;
mod relay;
mod server;
mod signaling;
mod sink;
mod socket;
mod socketio;
mod sound;
mod switch;
mod turn;
mod turn_rest;
mod upgrade;

pub use auth::BasicAuth;
pub use files::FileOptions;
pub use hub::{CommandOptions, Hub, SoundSource, SpeechSink};
pub use modes::StreamMode;
pub use outpost::offer_through_relay;
pub use queue::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES};
pub use relay::{SignalingOptions, SignalingServer};
pub use server::{Listening, Server, ServerError, ServerOptions};
pub use sink::HubSink;
pub use socketio::Origins;
pub use sound::HubEar;
pub use turn_rest::TurnRestServer;
