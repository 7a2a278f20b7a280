//! What the service is asked and what is made of its answers, through the C table.

use std::time::{Duration, Instant};

use selkies_coturn_rest::CoturnRest;
use selkies_plugin_sdk::{
    RtcRequest, abi,
    test_host::{Failure, TestHost, TestRtcConfig},
};
use selkies_rtc_support::testing::{Reply, serve};
use serde_json::{Value, json};

const CANARY: &str = "canary-7f3a";

/// Asks a service with these replies once per reply; answers what came, and the requests.
fn asked(replies: Vec<Reply>, more: Value, user: &str) -> (Vec<Result<Value, Failure>>, Vec<String>) {
    let count = replies.len();
    let (address, requests) = serve(replies);
    let mut config = json!({ "uri": format!("http://{address}/rest"), "api_key": CANARY });
    config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let host = TestHost::new();
    let mut source = TestRtcConfig::of::<CoturnRest>(&host, &config.to_string()).expect("a source");
    let request = RtcRequest { tls: true, user: user.into(), protocol: "tcp".into(), deadline_ns: u64::MAX };
    let answers = (0..count).map(|_| {
        let text = source.fetch(&request)?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    });
    let answers = answers.collect();
    (answers, requests.try_iter().collect())
}

#[test]
fn query_and_headers_are_those_of_selkies_and_both_forms_are_read() {
    let object = json!({ "lifetimeDuration": "90s", "iceServers": [
        { "urls": ["turns:a:443?transport=tcp"], "username": "u", "credential": "c" } ] });
    let draft = json!({ "username": "u", "password": "c", "ttl": 90, "uris": ["turns:a?transport=tcp"] });
    let replies = [object, draft].map(|body| Reply::ok(&body.to_string()));
    let (answers, requests) = asked(replies.into(), json!({}), "ada b&c:d");
    for answer in &answers {
        let answer = answer.as_ref().expect("an answer");
        assert_eq!(answer["lifetimeDuration"], "90s");
        let turn = json!({ "urls": ["turns:a:443?transport=tcp"], "username": "u", "credential": "c" });
        assert_eq!(answer["iceServers"], json!([turn]));
    }
    let line = format!("GET /rest?service=turn&username=ada%20b%26c-d&key={CANARY}&api={CANARY} HTTP/1.1");
    assert_eq!(requests[0].lines().next(), Some(line.as_str()));
    let head = requests[0].to_lowercase();
    assert!(head.contains("x-turn-protocol: tcp\r\n") && head.contains("x-turn-tls: true\r\n"), "{head}");
    assert!(!head.contains("x-auth-user"), "a header has no place for such a name");
}

#[test]
fn headers_can_have_other_names_and_carry_the_user() {
    let more = json!({ "user_header": "x-who", "protocol_header": "x-how", "tls_header": "x-safe",
        "protocol": "udp", "tls": false });
    let (_, requests) = asked(vec![Reply::status("500 No", "")], more, "ada");
    let head = requests[0].to_lowercase();
    for line in ["x-who: ada\r\n", "x-how: udp\r\n", "x-safe: false\r\n"] {
        assert!(head.contains(line), "{head}");
    }
}

#[test]
fn whatever_goes_wrong_is_told_without_the_key() {
    let elsewhere = "302 Found\r\nLocation: http://127.0.0.1:1/";
    let long = format!(r#"{{"uris":["stun:a"],"x":"{}"}}"#, "y".repeat(70_000));
    for (reply, why) in [
        (Reply::status("500 Internal Server Error", "no"), "500"),
        (Reply::status("403 Forbidden", CANARY), "403"),
        (Reply::status(elsewhere, ""), "redirect"),
        (Reply::status("204 No Content", ""), "204"),
        (Reply::ok(""), "empty or no text"),
        (Reply::ok(&long), "longer than 64 KiB"),
        (Reply::ok(&format!("<html>{CANARY}")), "no JSON object"),
        (Reply::ok(&format!(r#"{{"uris":["{CANARY}"]}}"#)), "no server with a usable address"),
    ] {
        let (answers, _) = asked(vec![reply], json!({}), "u");
        let failure = answers[0].as_ref().expect_err(why);
        assert!(failure.text.contains(why), "{}", failure.text);
        assert!(!failure.text.contains(CANARY), "{}", failure.text);
        assert_eq!(failure.class(), abi::CLASS_RETRY, "the host keeps what it has and asks again");
    }
}

#[test]
fn an_answer_that_breaks_off_or_is_no_text_is_told_as_that() {
    use std::io::{Read, Write};
    let told = |answer: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let config = json!({ "uri": format!("http://{}/", listener.local_addr().expect("an address")) });
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            assert!(stream.read(&mut [0; 4096]).expect("a request") > 0);
            stream.write_all(answer).expect("sent");
        });
        let host = TestHost::new();
        let mut source = TestRtcConfig::of::<CoturnRest>(&host, &config.to_string()).expect("a source");
        let request =
            RtcRequest { tls: false, user: "u".into(), protocol: "udp".into(), deadline_ns: u64::MAX };
        let failure = source.fetch(&request).expect_err("no answer");
        serving.join().expect("asked");
        failure.text
    };
    let broken = told(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"uris\"");
    assert!(broken.contains("broke off"), "{broken}");
    let binary = told(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\xff\xfe");
    assert!(binary.contains("empty or no text"), "{binary}");
}

#[test]
fn a_service_that_is_silent_or_absent_holds_nobody_up() {
    let silent = Reply { silence: Duration::from_secs(20), ..Reply::ok("{}") };
    let (address, _requests) = serve(vec![silent]);
    let host = TestHost::new();
    let fetch = |uri: &str, left: u64| {
        let config = json!({ "uri": uri }).to_string();
        let mut source = TestRtcConfig::of::<CoturnRest>(&host, &config).expect("a source");
        let now = u64::try_from(monotonic().as_nanos()).expect("a time");
        let user = "u".to_owned();
        source.fetch(&RtcRequest { tls: false, user, protocol: "udp".into(), deadline_ns: now + left })
    };
    let began = Instant::now();
    let failure = fetch(&format!("http://{address}/"), 300_000_000).expect_err("silent");
    assert!(failure.text.contains("in time"), "{}", failure.text);
    assert!(began.elapsed() < Duration::from_secs(10), "the deadline counts, not the silence");
    assert!(fetch(&format!("http://{address}/"), 0).expect_err("no time").text.contains("no time is left"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let failure = fetch(&format!("http://{nobody}/"), 5_000_000_000).expect_err("absent");
    assert!(failure.text.contains("cannot be reached"), "{}", failure.text);
    let failure = TestRtcConfig::of::<CoturnRest>(&host, r#"{"uri":"file:///x"}"#).expect_err("no web");
    assert!(failure.text.contains("http://HOST"), "{}", failure.text);
    let secret = format!(r#"{{"uri":"https://u:{CANARY}@127.0.0.1:1/"}}"#);
    let failure = TestRtcConfig::of::<CoturnRest>(&host, &secret).expect_err("a password");
    assert!(failure.text.contains("password") && !failure.text.contains(CANARY), "{}", failure.text);
}

#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    const TEST: &str = "a_proxy_of_the_environment_is_not_asked";
    const SERVICE: &str = "SELKIES_TEST_SERVICE";
    if let Ok(uri) = std::env::var(SERVICE) {
        let config = json!({ "uri": uri, "api_key": CANARY }).to_string();
        let mut source = TestRtcConfig::of::<CoturnRest>(&TestHost::new(), &config).expect("a source");
        let request =
            RtcRequest { tls: false, user: "u".into(), protocol: "udp".into(), deadline_ns: u64::MAX };
        assert!(source.fetch(&request).expect("the service answers").contains("stun:direct"));
        return;
    }
    // Variables belong to a process, so that this test runs itself in another one.
    let answer = r#"{"uris":["stun:direct"]}"#;
    let (service, _requests) = serve(vec![Reply::ok(answer)]);
    let (proxy, overheard) = serve(vec![Reply::status("502 Bad Gateway", "")]);
    let mut child = std::process::Command::new(std::env::current_exe().expect("a path"));
    child.args(["--exact", TEST]).env(SERVICE, format!("http://{service}/"));
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        child.env(name, format!("http://{proxy}"));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test has another name");
    assert!(overheard.try_recv().is_err(), "nobody else hears of it");
}

/// `CLOCK_MONOTONIC`, the host's clock.
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).expect("after the start")
}
