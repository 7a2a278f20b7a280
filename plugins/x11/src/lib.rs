//! Capture, display modes, cursor, clipboard and input of an X11 server.
//!
//! Plain X11 (x11rb, no C library): XDamage and MIT-SHM for pictures, XFixes for the pointer's shape and
//! the clipboard, RandR for modes,
//! XTEST and XKB for input. Nothing here polls: every wait sleeps on the server's socket.
//!
//! No unsafe code but what `export_plugin!` writes: shared memory goes to the server as a descriptor and is never mapped.

pub mod capture;
pub mod clipboard;
pub mod connection;
pub mod cursor;
pub mod display;
mod dpi;
pub mod error;
pub mod geometry;
pub mod input;
mod layout;
mod mode;
pub mod plugin;
pub mod xsettings;

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    capture: plugin::X11Capture,
    clipboard: plugin::X11Clipboard,
    cursor: plugin::X11Cursor,
    display: plugin::X11Display,
    input: plugin::X11Input,
}
