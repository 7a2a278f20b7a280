//! The core of a streaming session, without any input or output: the wire protocol's texts, who may do what, the
//! session's state machine, and how many frames each client gets. Time is an argument everywhere, so the tests run
//! in virtual time; sockets, threads and timers belong to the callers.
//!
//! ```
//! use std::time::Instant;
//! use selkies_session::{Action, Admission, ClientId, Event, InputEvent, Policy, Session};
//!
//! let now = Instant::now();
//! let mut session = Session::new(Policy::default(), serde_json::Map::new());
//! let client = ClientId(1);
//!
//! // A connection is greeted …
//! let actions = session.handle(now, Event::ClientOpened { client, admission: Admission::from_query(None, None) });
//! assert!(matches!(&actions[0], Action::SendText { text, .. } if text == "MODE websockets"));
//!
//! // … its SETTINGS start the stream …
//! let actions = session.handle(now, Event::ClientText { client, text: "SETTINGS,{}" });
//! assert!(actions.contains(&Action::StartVideo { client, lead: true }));
//!
//! // … and what it holds is released when it goes.
//! session.handle(now, Event::ClientText { client, text: "kd,97" });
//! let actions = session.handle(now, Event::ClientClosed { client });
//! assert!(actions.contains(&Action::Inject(vec![InputEvent::Key { keysym: 97, down: false }])));
//! ```
//!
//! Video does not pass through [`Session`]: it says who gets it ([`Action::StartVideo`]), and a
//! [`pacing::FanOut`] per stream decides when and what. The caller joins the two:
//! `StartVideo` to [`pacing::FanOut::start`], `FrameAcked` to [`pacing::ClientPacer::on_ack`].
#![forbid(unsafe_code)]

mod codecs;
pub mod fallback;
pub mod latency;
pub mod pacing;
pub mod roles;
pub mod rtc;
mod session;
pub mod signaling;
pub mod sound;
pub mod wire;

pub use codecs::{Codec, Codecs};
pub use roles::{Admission, Standing, VerbClass};
pub use session::{
    Action, Arrival, Button, ClientId, ClipboardContent, Counters, CursorShape, Event, InputEvent,
    MAX_CLIPBOARD_CONTENT, PRIMARY, Policy, Refusal, SIZE_LIMITS, Session, UploadStep, Watch, display_size,
};
