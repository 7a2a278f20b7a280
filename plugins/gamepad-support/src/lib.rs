//! What the plugins share that show gamepads to programs: the effects that programs play, mixed into what two motors do, and
//! how their threads wait.
#![forbid(unsafe_code)]

mod bell;
mod mixer;
mod rumbles;

pub use bell::Bell;
pub use mixer::{Mixer, Motors, Record};
pub use rumbles::Rumbles;
