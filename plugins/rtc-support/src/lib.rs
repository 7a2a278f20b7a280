//! What the plugins that know ICE servers (STUN and TURN) share.
//!
//! [`Answer`] is what they give: it is built from [`IceServer`]s, or read from the JSON of others by [`Answer::parse`],
//! which takes what is around in the world and lets through only what a browser accepts. [`ephemeral`] makes
//! credentials of a shared secret, [`TurnServer`] is the place of one in a configuration, [`Pace`] waits as the ABI wants it, and `http` (feature `http`) asks servers.
#![forbid(unsafe_code)]

mod answer;
mod credential;
#[cfg(feature = "http")]
pub mod http;
mod pace;
mod parse;
mod place;
mod secret;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod url;

pub use answer::{Answer, IceServer, MAX_SERVERS, MAX_URLS, Policy};
pub use credential::{DEFAULT_TTL, MAX_USER_BYTES, ephemeral, expires, plain_user, unix_now};
pub use pace::Pace;
pub use parse::AnswerError;
pub use place::Protocol;
pub use secret::Secret;
pub use server::TurnServer;
pub use url::{IceUrl, UrlError};
