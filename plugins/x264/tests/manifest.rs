//! The manifest says what the code says. `SELKIES_BLESS=1` rewrites its schema.

use selkies_x264::Config;

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/selkies-plugin.json");
    let text = std::fs::read_to_string(path).expect("the manifest is readable");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("the manifest is JSON");
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    let schema = selkies_plugin_sdk::schemars::schema_for!(Config).to_value();
    if std::env::var_os("SELKIES_BLESS").is_some() {
        manifest["config_schema"] = schema;
        let text = serde_json::to_string_pretty(&manifest).expect("a value is writable") + "\n";
        std::fs::write(path, text).expect("the manifest is writable");
        return;
    }
    assert!(manifest["config_schema"] == schema, "run SELKIES_BLESS=1 cargo test");
}
