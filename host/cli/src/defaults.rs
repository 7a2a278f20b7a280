//! What is used when no configuration says otherwise. The only place in the host that names first-party plugins.

use std::path::PathBuf;

use selkies_plugin_host::environment;

/// Capture, display, cursor, clipboard and input of a machine with an X server.
pub(crate) const DESKTOP_PLUGIN: &str = "selkies.x11";
/// The transport of each mode of streaming.
pub(crate) const TRANSPORT_PLUGINS: [(&str, &str); 2] =
    [("websockets", "selkies.websocket"), ("webrtc", "selkies.webrtc")];
/// Where the sound of the desktop comes from, and the microphones of pages go.
pub(crate) const SOUND_PLUGIN: &str = "selkies.pulse";
/// What encodes it.
pub(crate) const SOUND_ENCODER_PLUGIN: &str = "selkies.opus";
/// Where ICE servers come from, by what the settings name.
pub(crate) const CLOUDFLARE_PLUGIN: &str = "selkies.cloudflare-turn";
/// See [`CLOUDFLARE_PLUGIN`].
pub(crate) const RTC_FILE_PLUGIN: &str = "selkies.static-rtc";
/// See [`CLOUDFLARE_PLUGIN`].
pub(crate) const TURN_REST_PLUGIN: &str = "selkies.coturn-rest";
/// See [`CLOUDFLARE_PLUGIN`].
pub(crate) const TURN_LONGTERM_PLUGIN: &str = "selkies.turn-longterm";
/// See [`CLOUDFLARE_PLUGIN`].
pub(crate) const TURN_SECRET_PLUGIN: &str = "selkies.turn-hmac";
/// See [`CLOUDFLARE_PLUGIN`].
pub(crate) const STUN_PLUGIN: &str = "selkies.stun-list";
/// Gamepads through the interposer's sockets.
pub(crate) const GAMEPAD_PLUGIN: &str = "selkies.gamepad";
/// Gamepads as devices of the kernel.
pub(crate) const UINPUT_PLUGIN: &str = "selkies.uinput";
/// Size of a display of our own before the first browser asks for another, in pixels.
pub(crate) const OWN_DISPLAY_SIZE: (u32, u32) = (1920, 1080);

/// The folders that come with the host: `plugins` beside the program, and the system's.
pub(crate) fn first_party_folders() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("plugins")));
    beside.into_iter().chain([PathBuf::from("/usr/lib/selkies-host/plugins")]).collect()
}

/// Folders that are searched beside those named: the user's own, then those of the host.
pub(crate) fn plugin_folders() -> Vec<PathBuf> {
    let home = environment::trusted_variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let own = home.map(|home| home.join(".local/lib/selkies-host/plugins"));
    own.into_iter().chain(first_party_folders()).collect()
}
