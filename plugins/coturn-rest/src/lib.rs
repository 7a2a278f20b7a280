//! ICE servers with credentials that a TURN REST service gives (draft-uberti-behave-turn-rest-00), as Selkies asks it:
//! query and headers name the user, protocol and TLS; both forms of answer are read.

mod plugin;

pub use plugin::{Config, CoturnRest};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    rtc_config: CoturnRest,
}
