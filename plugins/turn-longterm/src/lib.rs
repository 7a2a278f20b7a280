//! ICE servers with a user and password that stay: coturn's `lt-cred-mech`.

mod plugin;

pub use plugin::{Config, TurnLongterm};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: TurnLongterm,
}
