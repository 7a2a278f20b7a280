//! The frozen C ABI between selkies-host and its plugins.
//!
//! This crate holds identifiers, plain data and tables of functions. It has no logic and depends on nothing
//! (feature `verify` adds `abi_stable`, whose layout records the host compares; they never cross the boundary).
//! `plugin-api/include/selkies_plugin.h` is generated from it.
//!
//! # Life of a plugin
//!
//! 1. The host maps the library (`RTLD_NOW | RTLD_LOCAL`, never unmapped) and reads the data symbol
//!    [`selkies_plugin_entry`](PluginEntry): magic, epoch, size, manifest.
//! 2. The host asks `query` for tables by id ([`ids`]). NULL means "not offered"; unknown ids are always NULL.
//! 3. `create` of a table gives an opaque instance; the [`Host`] handed to it stays valid until `destroy` returned.
//! 4. Every function names the threads that may call it. An instance is never called concurrently, except through
//!    functions marked `[any]`.
//!
//! # Evolution
//!
//! A published table or POD never changes. A new feature is a new id (`selkies.encoder.roi/1`, `selkies.encoder/2`).
//! Reserved fields must be zero and are ignored by their reader.
//!
//! # Thread tags
//!
//! * `[control]`: one thread at a time per instance, may block for the time the function's text allows.
//! * `[media]`: the instance's media thread; must return within the call's deadline.
//! * `[any]`: any thread, at any time between `create` and `destroy`; must not block.
#![allow(unsafe_code)] // Send and Sync of pointer-carrying PODs
#![deny(missing_docs)]
// At this boundary a wrong cast is memory corruption on somebody else's side.
#![warn(
    clippy::borrow_as_ptr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    clippy::cast_sign_loss,
    clippy::ptr_as_ptr
)]

mod audio;
mod audio_capture;
mod audio_encoder;
mod audio_sink;
mod basic;
mod capture;
mod clipboard;
mod cursor;
mod display;
mod encoder;
mod entry;
mod frame;
mod gamepad;
mod host;
pub mod ids;
mod input;
mod packet;
mod rtc_config;
mod status;
mod transport;
#[cfg(feature = "verify")]
pub mod verify;

pub use audio::*;
pub use audio_capture::*;
pub use audio_encoder::*;
pub use audio_sink::*;
pub use basic::*;
pub use capture::*;
pub use clipboard::*;
pub use cursor::*;
pub use display::*;
pub use encoder::*;
pub use entry::*;
pub use frame::*;
pub use gamepad::*;
pub use host::*;
pub use input::*;
pub use packet::*;
pub use rtc_config::*;
pub use status::*;
pub use transport::*;
