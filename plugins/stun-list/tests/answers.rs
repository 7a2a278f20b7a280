//! What browsers are given, through the C table.

use selkies_plugin_sdk::{
    RtcRequest,
    test_host::{TestHost, TestRtcConfig},
};
use selkies_stun_list::StunList;
use serde_json::{Value, json};

#[test]
fn the_servers_are_given_once_each() {
    let host = TestHost::new();
    let config = r#"{"urls":["stun:a","STUN:a:3478","stuns:b"]}"#;
    let mut source = TestRtcConfig::of::<StunList>(&host, config).expect("a source");
    let request = RtcRequest { tls: false, user: String::new(), protocol: "udp".into(), deadline_ns: 0 };
    let given: Value = serde_json::from_str(&source.fetch(&request).expect("an answer")).expect("JSON");
    assert_eq!(given["iceServers"], json!([{ "urls": ["stun:a:3478", "stuns:b:5349"] }]));
}

#[test]
fn only_stun_servers_are_taken() {
    let host = TestHost::new();
    let many = format!(r#"{{"urls":{:?}}}"#, vec!["stun:a"; 17]);
    for config in [r#"{"urls":[]}"#, r#"{"urls":["turn:a"]}"#, r#"{"urls":["x"]}"#, r#"{}"#, many.as_str()] {
        TestRtcConfig::of::<StunList>(&host, config).expect_err(config);
    }
}
