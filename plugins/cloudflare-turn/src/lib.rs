//! ICE servers with credentials of Cloudflare's TURN service ("Realtime TURN", the key's `generate` call).

mod plugin;

pub use plugin::{CloudflareTurn, Config};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: CloudflareTurn,
}
