//! What the host's tools know of TURN.
//!
//! * [`check`](fn@check) allocates on a TURN server, or asks a STUN server for the own address, and says what went wrong.
//!   The messages are those of RFC 8489 (STUN) and RFC 8656 (TURN); [`message`] writes and reads them without any input or
//!   output. A crate for them exists in several sizes; these three dozen attributes need none.
//! * [`rest`] makes the answers of a TURN REST service (draft-uberti-behave-turn-rest-00), as Selkies' service gives them.
#![forbid(unsafe_code)]

mod check;
pub mod message;
mod path;
pub mod rest;
mod target;

pub use check::{CheckError, Found, LIMIT, check};
pub use path::Roots;
pub use target::{IceTarget, TargetError, Transport};
