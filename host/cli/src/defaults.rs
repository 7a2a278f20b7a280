//! What is used when no configuration says otherwise. The only place in the host that names first-party plugins.

use std::path::PathBuf;

/// Capture, display, cursor and input of a machine with an X server.
pub(crate) const DESKTOP_PLUGIN: &str = "selkies.x11";
/// Transports, in order.
pub(crate) const TRANSPORT_PLUGIN: &str = "selkies.websocket";
/// Size of a display of our own before the first browser asks for another, in pixels.
pub(crate) const OWN_DISPLAY_SIZE: (u32, u32) = (1920, 1080);

/// Folders that are searched beside those named: `plugins` beside the program, and the system's.
pub(crate) fn plugin_folders() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("plugins")));
    beside.into_iter().chain([PathBuf::from("/usr/lib/selkies-host/plugins")]).collect()
}
