//! Gamepads for programs that run under an interposer, where the kernel's own devices are out of reach.
//!
//! Each slot has two Unix sockets, one in the place of `/dev/input/jsN` and one in that of `/dev/input/event100N`; a library
//! that is preloaded into programs (Selkies' own, or `plugins/interposer`) connects to them when the program opens the
//! device. Names and bytes are Selkies' (addons/js-interposer of its main branch, and release 2.1.0), see [`wire`].

mod client;
mod identity;
mod listener;
mod pad;
mod plugin;
mod seat;
mod server;
pub mod wire;

pub use plugin::{Config, InterposerPads};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    gamepad: InterposerPads,
}
