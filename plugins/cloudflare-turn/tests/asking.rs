//! What Cloudflare is asked and what is made of its answer, through the C table.

use selkies_cloudflare_turn::CloudflareTurn;
use selkies_plugin_sdk::{
    RtcRequest,
    test_host::{TestHost, TestRtcConfig},
};
use selkies_rtc_support::testing::{Reply, serve};
use serde_json::{Value, json};

const CANARY: &str = "canary-7f3a";

fn request() -> RtcRequest {
    RtcRequest { tls: false, user: "ada".into(), protocol: "udp".into(), deadline_ns: u64::MAX }
}

#[test]
fn the_call_is_cloudflares_and_its_single_server_becomes_a_list() {
    let body = json!({ "iceServers": { "urls": ["stun:s:3478", "turn:t:3478?transport=udp"],
        "username": "u", "credential": "c" } });
    let (address, requests) = serve(vec![Reply::ok(&body.to_string())]);
    let config = json!({ "token_id": "id-1", "api_token": CANARY, "ttl_seconds": 600,
        "base": format!("http://{address}/") });
    let host = TestHost::new();
    let mut source = TestRtcConfig::of::<CloudflareTurn>(&host, &config.to_string()).expect("a source");
    let given: Value = serde_json::from_str(&source.fetch(&request()).expect("an answer")).expect("JSON");
    assert_eq!(given["lifetimeDuration"], "600s");
    let turn = json!({ "urls": ["turn:t:3478?transport=udp"], "username": "u", "credential": "c" });
    assert_eq!(given["iceServers"], json!([{ "urls": ["stun:s:3478"] }, turn]));
    let sent = requests.recv().expect("a request");
    assert!(sent.starts_with("POST /v1/turn/keys/id-1/credentials/generate HTTP/1.1\r\n"), "{sent}");
    assert!(sent.to_lowercase().contains(&format!("authorization: bearer {CANARY}\r\n")), "{sent}");
    assert!(sent.ends_with(r#"{"ttl":600}"#), "{sent}");
}

#[test]
fn a_refusal_is_told_without_the_token() {
    let (address, _requests) = serve(vec![Reply::status("401 Unauthorized", CANARY)]);
    let config = json!({ "token_id": "id", "api_token": CANARY, "base": format!("http://{address}") });
    let host = TestHost::new();
    let mut source = TestRtcConfig::of::<CloudflareTurn>(&host, &config.to_string()).expect("a source");
    let failure = source.fetch(&request()).expect_err("refused");
    assert!(failure.text.contains("401") && !failure.text.contains(CANARY), "{}", failure.text);
    for wrong in [
        json!({ "token_id": "../x", "api_token": CANARY }),
        json!({ "token_id": "id", "api_token": "canary-7f3a\r\nx: y" }),
        json!({ "token_id": "id", "api_token": CANARY, "base": "x" }),
    ] {
        let failure = TestRtcConfig::of::<CloudflareTurn>(&host, &wrong.to_string()).expect_err("wrong");
        assert!(!failure.text.contains(CANARY), "{}", failure.text);
    }
}
