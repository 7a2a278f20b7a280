//! The manifest says what the code says. `SELKIES_BLESS=1` rewrites its schema.

use selkies_plugin_sdk::test_host::compare_manifest;
use selkies_pulse::Config;

#[test]
fn the_manifest_has_the_version_and_the_configuration_schema_of_the_code() {
    assert_eq!(compare_manifest::<Config>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION")), Ok(()));
}
