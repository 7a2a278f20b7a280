//! A list of STUN servers: what is left where there is no TURN server.

mod plugin;

pub use plugin::{Config, StunList};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: StunList,
}
