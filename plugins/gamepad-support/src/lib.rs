//! What the plugins share that show gamepads to programs: the effects that programs play, mixed into what two motors do.
#![forbid(unsafe_code)]

mod mixer;
mod rumbles;

pub use mixer::{Mixer, Motors, Record};
pub use rumbles::Rumbles;
