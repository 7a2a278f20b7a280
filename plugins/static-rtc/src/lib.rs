//! ICE servers of a JSON file, which is watched.
//!
//! The file is read only where nobody else could have written it; a change is seen through inotify.
//! What is wrong with the file fails the call, and the host keeps what it had.

mod file;
mod plugin;
mod watch;

pub use plugin::{Config, StaticRtc};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: StaticRtc,
}
