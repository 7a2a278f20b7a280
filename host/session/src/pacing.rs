//! How many frames each client gets, and which stripes: pure data, no clock and no sockets.
//!
//! - [`ClientPacer`] decides when one client may take another batch.
//! - [`StripeCache`] holds the newest packets of every stripe; a [`ClientView`] remembers what one client has.
//! - [`BitrateSteps`] lowers a constant bit rate to what a path takes, [`QualitySteps`] a constant quality.
//! - [`FanOut`] puts them together per stream: when to encode, and who gets what.

mod bitrate;
mod chain;
mod delay;
mod fanout;
mod member;
mod pace;
mod pacer;
mod page;
mod probes;
mod quality;
mod recovery;
mod repeats;
mod report;
mod sent;
mod stats;
mod stripes;
mod window;

pub use bitrate::BitrateSteps;
pub use fanout::{Demand, FanOut, Priority};
pub use pacer::ClientPacer;
pub use quality::QualitySteps;
pub use report::PathReport;
pub(crate) use sent::is_after;
pub use stats::PacerStats;
pub use stripes::{Batch, Bounds, ClientView, Needs, Packet, StripeCache};
