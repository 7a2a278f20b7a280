//! What browsers are given, through the C table.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use selkies_plugin_sdk::{
    RtcRequest,
    test_host::{TestHost, TestRtcConfig},
};
use selkies_rtc_support::ephemeral;
use selkies_turn_hmac::TurnHmac;
use serde_json::Value;

fn request(user: &str, tls: bool, protocol: &str) -> RtcRequest {
    RtcRequest { tls, user: user.into(), protocol: protocol.into(), deadline_ns: u64::MAX }
}

fn answer(config: &str, request: &RtcRequest) -> Value {
    let host = TestHost::new();
    let mut source = TestRtcConfig::of::<TurnHmac>(&host, config).expect("a source");
    serde_json::from_str(&source.fetch(request).expect("an answer")).expect("JSON")
}

#[test]
fn each_user_gets_a_credential_that_the_server_computes_too() {
    let config = r#"{"host":"relay.example","secret":"north","ttl_seconds":600}"#;
    let given = answer(config, &request("ada:x", false, "udp"));
    assert_eq!(given["lifetimeDuration"], "600s");
    assert_eq!(given["iceServers"][0]["urls"][0], "stun:relay.example:3478");
    let turn = &given["iceServers"][1];
    assert_eq!(turn["urls"][0], "turn:relay.example:3478?transport=udp");
    let username = turn["username"].as_str().expect("a username");
    let (expires, user) = username.split_once(':').expect("time and user");
    assert_eq!(user, "ada-x");
    let expires: u64 = expires.parse().expect("seconds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!((now + 500..=now + 600).contains(&expires), "{expires} at {now}");
    assert_eq!(turn["credential"], ephemeral("north", "ada:x", expires).1.as_str());
}

#[test]
fn the_host_says_how_the_server_is_reached_unless_the_configuration_does() {
    let open = r#"{"host":"::1","port":443,"secret":"s"}"#;
    let url = |given: Value| {
        let servers = given["iceServers"].as_array().cloned().unwrap_or_default();
        servers.last().map(|server| server["urls"][0].clone()).unwrap_or_default()
    };
    assert_eq!(url(answer(open, &request("u", true, "tcp"))), "turns:[::1]:443?transport=tcp");
    let fixed = r#"{"host":"a","secret":"s","protocol":"udp","tls":false,"stun":[]}"#;
    let given = answer(fixed, &request("u", true, "tcp"));
    assert_eq!(given["iceServers"].as_array().map(Vec::len), Some(1), "no STUN where none is wanted");
    assert_eq!(url(given), "turn:a:3478?transport=udp");
}

#[test]
fn a_wrong_configuration_is_refused_without_showing_the_secret() {
    let host = TestHost::new();
    for config in [
        r#"{"host":"a b","secret":"canary"}"#,
        r#"{"host":"a","secret":""}"#,
        r#"{"host":"a","secret":"canary","stun":["http://x"]}"#,
        r#"{"host":"a","secret":"canary","ttl_seconds":0}"#,
        r#"{"host":"a","secret":"canary","port":0}"#,
        r#"{"host":"a","secret":"canary","realm":"x"}"#,
    ] {
        let failure = TestRtcConfig::of::<TurnHmac>(&host, config).expect_err(config);
        assert!(!failure.text.contains("canary"), "{}", failure.text);
    }
}

#[test]
fn there_are_new_credentials_after_a_while() {
    let host = TestHost::new();
    let config = r#"{"host":"a","secret":"s","refresh_seconds":1}"#;
    let mut source = TestRtcConfig::of::<TurnHmac>(&host, config).expect("a source");
    assert_eq!(source.wait(Some(Duration::ZERO)), Ok(false));
    source.fetch(&request("u", false, "udp")).expect("an answer");
    assert_eq!(source.wait(None), Ok(true));
}
