//! How many frames each client gets, and which stripes: pure data, no clock and no sockets.
//!
//! - [`ClientPacer`] decides when one client may take another batch.
//! - [`StripeCache`] holds the newest packets of every stripe; a [`ClientView`] remembers what one client has.
//! - [`BitrateSteps`] lowers a constant bit rate to what a path takes.
//! - [`FanOut`] puts them together per stream: when to encode, and who gets what.

mod bitrate;
mod chain;
mod delay;
mod fanout;
mod pacer;
mod page;
mod recovery;
mod repeats;
mod stripes;
mod window;

pub use bitrate::BitrateSteps;
pub use fanout::{Demand, FanOut, Priority};
pub(crate) use pacer::is_after;
pub use pacer::{ClientPacer, PacerStats};
pub use stripes::{Batch, Bounds, ClientView, Needs, Packet, StripeCache};
