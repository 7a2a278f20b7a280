//! What the encoder plugins over GStreamer share.
//!
//! A plugin is a [`Description`]: which element makes which codec, what stands before it, and which of its properties
//! mean what in which version of GStreamer. Everything else is here, and knows no plugin:
//!
//! ```text
//! frame --retained--> appsrc ! converters ! encoder ! appsink --copied--> slab of the host
//! ```
//!
//! - **Nothing is held back.** A frame comes when something changed, and perhaps no other for minutes: descriptions switch
//!   off lookahead, reordering and every queue, and `probe` encodes a picture to see that a packet comes out.
//! - **Frames are not copied** into the pipeline; the host's memory is wrapped, and given back by whoever drops it last.
//! - **Answers come later**, from the pipeline's thread ([`Encoder::submit`](selkies_plugin_sdk::Encoder::submit) answers
//!   in-flight). One frame is under way at a time.
//! - **Properties are set by name**, only where the element has them; GStreamer 1.22 to 1.28 differ there.

#![forbid(unsafe_code)]

mod chain;
mod config;
mod description;
mod encoder;
mod exchange;
mod families;
mod fault;
mod library;
mod picture;
mod probe;
mod properties;
mod request;
#[cfg(feature = "testing")]
pub mod testing;
mod tether;

pub use config::{HardwareConfig, SoftwareConfig, Tuning};
pub use description::{Description, Device, Property, Quality, SOFTWARE_CONVERTERS, Version};
pub use encoder::{Family, GstEncoder};
pub use families::{nvcodec, va, vpx};
pub use library::{Library, Missing};
