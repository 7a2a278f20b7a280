//! A capture plugin without a display: colour bars, a moving block and a frame counter drawn in binary.
//!
//! It serves tests, demos and as the example of a capture plugin. Only what moves is redrawn and reported as damage.

mod picture;
mod plugin;

pub use picture::{BLOCK, Picture};
pub use plugin::{Config, TestPattern};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    capture: TestPattern,
}
