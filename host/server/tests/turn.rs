//! `/turn` and `/api/turn`.

mod house;

use house::{House, SMALL};
use selkies_media::{RtcOptions, RtcThreads};
use serde_json::{Value, json};

const CANARY: &str = "canary-51c0";

/// Sources for a house; an empty list has none.
fn furnish(house: &House, sources: &[(&str, Value)], in_use: bool) -> RtcThreads {
    let plugins = house.plugins();
    let backends = sources.iter().map(|(id, config)| plugins.backend(id, config)).collect();
    let options = RtcOptions { user: "house".into(), tcp: false, tls: false, force_relay: false, in_use };
    let threads = RtcThreads::start(backends, &plugins.services, options, house.hub.clone());
    let threads = threads.expect("the threads start");
    house.hub.attach_rtc(threads.configs());
    threads
}

/// Asks until the status is another than "not yet".
async fn ask(house: &House, path: &str, headers: &[(&str, &str)]) -> house::Answer {
    let end = tokio::time::Instant::now() + house::SOON;
    loop {
        let answer = house.ask(&format!("GET {path}"), headers).await;
        if answer.status != 503 {
            return answer;
        }
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(tokio::time::Instant::now() < end, "no answer: {}", answer.text());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_gets_its_configuration_as_json() {
    let house = House::open(SMALL).await;
    let source = ("selkies.turn-hmac", json!({ "host": "relay.example", "secret": CANARY }));
    let threads = furnish(&house, &[source], true);
    for path in ["/turn", "/api/turn"] {
        let answer = ask(&house, path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let json: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(json["iceServers"][1]["urls"][0], "turn:relay.example:3478?transport=udp");
        assert!(json["iceServers"][1]["username"].as_str().is_some_and(|name| name.ends_with(":house")));
        assert!(!answer.text().contains(CANARY));
    }
    let of_ada = ask(&house, "/api/turn", &[("x-auth-user", "ada")]).await;
    assert!(of_ada.text().contains(":ada\""), "{}", of_ada.text());
    assert_eq!(ask(&house, "/turn", &[("x-auth-user", "")]).await.status, 401);
    assert_eq!(ask(&house, "/turn", &[("x-auth-user", &"x".repeat(300))]).await.status, 401);
    let status = house.status().await.to_string();
    assert!(!status.contains(CANARY) && !status.contains("credential"), "{status}");
    threads.configs().set_in_use(false);
    assert_eq!(ask(&house, "/api/turn", &[]).await.status, 409);
    drop(threads);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_nothing_to_give_the_status_says_why() {
    let house = House::open(SMALL).await;
    assert_eq!(ask(&house, "/turn", &[]).await.status, 409, "a host that streams by WebSocket");
    let threads = furnish(&house, &[], true);
    assert_eq!(ask(&house, "/turn", &[]).await.status, 404);
    drop(threads);
    house.close().await;
    let house = House::open(SMALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = ("selkies.static-rtc", json!({ "path": folder.path().join("none.json") }));
    let threads = furnish(&house, &[source], true);
    let answer = house.ask("GET /api/turn", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    drop(threads);
    house.close().await;
    let house = House::with(SMALL, None, Some(("u", "p"))).await;
    assert_eq!(house.ask("GET /turn", &[]).await.status, 401, "the password counts here, too");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_of_the_mode_opens_the_path() {
    let house = House::with_webrtc("websockets", true).await;
    let source = ("selkies.stun-list", json!({ "urls": ["stun:a.example"] }));
    let threads = furnish(&house, &[source], false);
    assert_eq!(ask(&house, "/turn", &[]).await.status, 409);
    let origin = format!("http://{}", house.at);
    let headers = [("content-type", "application/json"), ("origin", origin.as_str())];
    for mode in ["webrtc", "websockets"] {
        let body = json!({ "mode": mode }).to_string();
        assert_eq!(house.switch(&body, &headers).await.status, 200);
        assert_eq!(ask(&house, "/turn", &[]).await.status, 200, "both are served; the first is {mode}");
    }
    drop(threads);
    house.close().await;
}
