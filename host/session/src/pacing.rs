//! How many frames each client gets, and which stripes: pure data, no clock and no sockets.
//!
//! - [`ClientPacer`] decides when one client may take another batch.
//! - [`StripeCache`] holds the newest packet of every stripe; a [`ClientView`] remembers what one client has.
//! - [`FanOut`] puts them together per stream: when to encode, and who gets what.

mod delay;
mod fanout;
mod pacer;
mod page;
mod repeats;
mod stripes;
mod window;

pub use fanout::{Demand, FanOut, Priority};
pub(crate) use pacer::is_after;
pub use pacer::{ClientPacer, PacerStats};
pub use stripes::{Batch, ClientView, Packet, StripeCache};
