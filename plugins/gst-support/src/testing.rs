//! What the plugins' tests have in common. Only for tests: a broken expectation is a panic.

mod decoding;
#[rustfmt::skip]
mod documented;
mod scene;
mod trials;

pub use decoding::{Decoded, Decoder};
pub use scene::Scene;
pub use trials::{Stream, absent, drops, encodes, manifest, properties};
