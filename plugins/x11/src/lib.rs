//! Capture, display modes, cursor and input of an X11 server.
//!
//! Plain X11 (x11rb, no C library): XDamage and MIT-SHM for pictures, XFixes for the pointer's shape, RandR for modes,
//! XTEST and XKB for input. Nothing here polls: every wait sleeps on the server's socket.

pub mod capture;
pub mod connection;
pub mod cursor;
pub mod display;
mod dpi;
pub mod error;
pub mod geometry;
pub mod input;
mod layout;
mod mode;
