//! Gamepads as devices of the kernel, by uinput: every program sees them, as far as the machine lets it see `/dev/input`.

mod device;
mod plugin;
mod server;

pub use plugin::{Config, KernelPads};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    gamepad: KernelPads,
}
