//! The signaling protocol by which a page sets up a WebRTC connection, without any input or output.
//!
//! Texts over a WebSocket, each a line. The page says `HELLO client {…}` and is answered `HELLO`; it asks for the stream
//! with `SESSION server` and is answered `SESSION_OK <server's name>`. From then on both sides send
//! `<server's name> <json>`, where the JSON is `{"sdp":…}` or `{"ice":…}`; the host offers, the page answers. Sources: Selkies
//! 2.1.0, webrtc_signaling_server.py, the seed era's form of the same, and selkies-gstreamer 1.6, where pages have numbers
//! for names (`HELLO 1 <base64 metadata>`) and the JSON has no name before it. docs/signaling.md says what is served of each.

mod allowance;
mod crowd;
mod hello;
mod machine;
mod message;

pub use crowd::MAX_WAITING;
pub use hello::{Form, Hello, HelloError, MAX_HELLO_BYTES};
pub use machine::{MAX_SOCKETS, Signaling, SocketId, Step};
pub use message::{MAX_CANDIDATES, MAX_SDP_BYTES, PeerMessage, PeerMessageError, RESTART};
