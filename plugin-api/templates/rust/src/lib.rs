//! A capture plugin to start from: a picture of one colour that changes every `period_ms`.
//!
//! `source` is what you replace; the rest stays. The SDK calls the trait's functions from the threads that their texts
//! name, and never two of them at once on an instance, except for the waker.
#![deny(unsafe_code)] // the macro below has the only unsafe code, and it is the SDK's

mod source;

pub use source::{Config, SolidColour};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    capture: SolidColour,
}
