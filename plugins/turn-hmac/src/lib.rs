//! ICE servers with credentials that are made of a shared secret: coturn's `use-auth-secret`.
//!
//! Nobody is asked. Each answer is for one user and good for `ttl_seconds`; every `refresh_seconds` there is a new one.

mod plugin;

pub use plugin::{Config, TurnHmac};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: TurnHmac,
}
