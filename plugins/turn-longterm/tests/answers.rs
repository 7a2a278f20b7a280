//! What browsers are given, through the C table.

use std::time::Duration;

use selkies_plugin_sdk::{
    RtcRequest,
    test_host::{TestHost, TestRtcConfig},
};
use selkies_turn_longterm::TurnLongterm;
use serde_json::{Value, json};

#[test]
fn user_and_password_are_given_as_they_are() {
    let host = TestHost::new();
    let config = r#"{"host":"relay.example","username":"u:1","password":"p\"w"}"#;
    let mut source = TestRtcConfig::of::<TurnLongterm>(&host, config).expect("a source");
    let request = RtcRequest { tls: false, user: "ada".into(), protocol: "tcp".into(), deadline_ns: 0 };
    let given: Value = serde_json::from_str(&source.fetch(&request).expect("an answer")).expect("JSON");
    let turn =
        json!({ "urls": ["turn:relay.example:3478?transport=tcp"], "username": "u:1", "credential": "p\"w" });
    assert_eq!(given["iceServers"], json!([{ "urls": ["stun:relay.example:3478"] }, turn]));
    assert_eq!(source.wait(Some(Duration::from_millis(5))), Ok(false), "nothing ever changes");
}

#[test]
fn a_wrong_configuration_is_refused_without_showing_the_password() {
    let host = TestHost::new();
    for config in [
        r#"{"host":"a/b","username":"u","password":"canary"}"#,
        r#"{"host":"a","username":"","password":"canary"}"#,
        r#"{"host":"a","username":"u","password":""}"#,
        r#"{"host":"a","username":"u","password":"canary","stun":["turn"]}"#,
        r#"{"host":"a","username":"u","password":"canary","realm":"x"}"#,
    ] {
        let failure = TestRtcConfig::of::<TurnLongterm>(&host, config).expect_err(config);
        assert!(!failure.text.contains("canary"), "{}", failure.text);
    }
}
