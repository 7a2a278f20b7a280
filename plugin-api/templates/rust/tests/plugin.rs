//! The plugin as the host sees it: through its C table, with a host in memory.

use std::time::Duration;

use {{crate_name}}::{Config, SolidColour};
use selkies_plugin_sdk::{
    Damage, Waited, abi, schemars,
    test_host::{Failure, TestCapture, TestHost},
};

const FAST: &str = r#"{"width": 8, "height": 4, "period_ms": 20}"#;

#[test]
fn the_manifest_has_the_schema_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/selkies-plugin.json");
    let text = std::fs::read_to_string(path).expect("the manifest is readable");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("the manifest is JSON");
    let schema = schemars::schema_for!(Config).to_value();
    if std::env::var_os("BLESS").is_some() {
        manifest["config_schema"] = schema;
        let text = serde_json::to_string_pretty(&manifest).expect("a value is writable") + "\n";
        std::fs::write(path, text).expect("the manifest is writable");
        return;
    }
    assert!(manifest["config_schema"] == schema, "run BLESS=1 cargo test");
}

#[test]
fn the_colour_changes_and_is_reported() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<SolidColour>(&host, FAST)?;
    capture.start(2)?;
    assert_eq!(capture.wait(None)?, Waited::Damage);
    assert_eq!(capture.grab(0, &[])?.damage, Damage::Full);
    assert_eq!(capture.wait(Some(Duration::from_secs(10)))?, Waited::Damage);
    assert_eq!(capture.grab(1, &[])?.damage, Damage::Full);
    assert_ne!(capture.pixels(0).0, capture.pixels(1).0);
    capture.stop()?;
    assert_eq!(host.misuse(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_wait_ends_when_it_should() -> Result<(), Failure> {
    let mut capture = TestCapture::of::<SolidColour>(&TestHost::new(), r#"{"width": 8, "height": 4}"#)?;
    capture.start(1)?;
    capture.grab(0, &[])?;
    assert_eq!(capture.wait(Some(Duration::ZERO))?, Waited::Nothing);
    capture.waker().wake();
    assert_eq!(capture.wait(None)?, Waited::Nothing, "woken before it waited");
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let host = TestHost::new();
    let detail =
        |config: &str| TestCapture::of::<SolidColour>(&host, config).map_err(|failure| failure.detail());
    assert_eq!(detail(r#"{"width": 0}"#).err(), Some(abi::DETAIL_CONFIG));
    assert_eq!(detail(r#"{"colour": "red"}"#).err(), Some(abi::DETAIL_CONFIG));
    let mut capture = detail(FAST).expect("created");
    let area = abi::Rect { x: 1, y: 0, width: 8, height: 4 };
    let refused = capture.start_area(area, 1).expect_err("one pixel too far right");
    assert_eq!(refused.class(), abi::CLASS_RECONFIGURE);
}
