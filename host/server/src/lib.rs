//! HTTP and WebSocket on one port.
//!
//! [`Hub`] joins a session, its media threads and the clients' sockets; [`Server`] listens.
#![forbid(unsafe_code)]

mod accept;
mod assets;
mod auth;
mod hub;
mod queue;
mod server;
mod socket;

pub use auth::BasicAuth;
pub use hub::{Hub, HubSink};
pub use queue::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES};
pub use server::{Server, ServerError, ServerOptions};
