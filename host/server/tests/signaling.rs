//! Clients that come by signaling, over real sockets, with a transport that has no network (tests/loopback).

mod house;

use std::time::{Duration, Instant};

use house::{House, SMALL, SOON, page::Page, signals::Caller};
use serde_json::{Value, json};

/// Waits until `/api/status` is as wanted.
async fn until(house: &House, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + SOON;
    loop {
        let status = house.status().await;
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < end, "{what}: {status:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_signals_and_gets_whole_frames_of_the_agreed_codec() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &json!({})).await;
    let hello = caller.offered_hello().await;
    assert_eq!(hello["codecs"], json!(["h264"]), "what is encoded here, of what pages of 2.1.0 receive");
    assert_eq!((&hello["loopback"], &hello["displays"]), (&json!(true), &json!(["primary"])));
    assert_eq!(house.status().await["clients"], 0, "it is no client before it is connected");

    caller.answer("h264").await;
    let settings = caller.told("server_settings").await;
    assert_eq!(settings["type"], "server_settings", "a page of 2.1.0 gets its own dialect");
    assert!(settings["data"]["settings"]["framerate"].is_object(), "{settings}");
    let first = caller.packet().await;
    assert_eq!((&first["codec"], &first["key"], &first["y"]), (&json!(2), &json!(true), &json!(0)));
    assert_eq!(first["height"], 192, "no stripes");
    let mut newest = first["frame"].as_u64().expect("a number");
    // Far more than any window: what arrived is acknowledged by the transport alone.
    for _ in 0..120 {
        let frame = caller.packet().await["frame"].as_u64().expect("a number");
        assert!(frame > newest, "{frame} after {newest}");
        newest = frame;
    }
    let status = house.status().await;
    assert_eq!((&status["clients"], &status["watching"]), (&json!(1), &json!(1)));
    assert_eq!(status["signaling"]["sessions"], 1);
    assert_eq!(status["video"]["encoder"], "selkies.x264/x264enc");
    assert!(status["sent_bytes"].as_u64() > Some(1000), "{status:#}");

    caller.say("STOP_VIDEO").await;
    until(&house, "no picture is wanted", |status| status["watching"] == 0).await;
    caller.close().await;
    until(&house, "it is gone", |status| status["clients"] == 0 && status["signaling"]["sessions"] == 0)
        .await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_page_gets_the_texts_of_the_websocket() {
    let house = House::with_webrtc("webrtc", false).await;
    let ours = json!({ "selkies_host": 1, "rtc_codecs": ["vp8", "h264"], "client_tab_id": "tab-1" });
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &ours).await;
    let hello = caller.offered_hello().await;
    assert_eq!((&hello["codecs"], &hello["viewer"]), (&json!(["h264"]), &json!("tab-1")));
    caller.answer("h264").await;
    assert_eq!(caller.told_text().await, "MODE webrtc");
    caller.packet().await;
    caller.say("_ping,17").await;
    assert_eq!(caller.told_text_starting("pong").await, "pong,17");
    // A keyframe is made for its decoder.
    caller.send_candidate("keyframe").await;
    let deadline = Instant::now() + SOON;
    while caller.packet().await["key"] != true {
        assert!(Instant::now() < deadline, "no keyframe");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_a_page_is_greeted_again() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &json!({ "selkies_host": 1 })).await;
    caller.answer("h264").await;
    assert_eq!(caller.told_text().await, "MODE webrtc");
    caller.packet().await;
    caller.line(r#"{"restart":true}"#).await;
    caller.answer("h264").await;
    caller.told_text_starting("MODE webrtc").await;
    caller.told_text_starting(r#"{"type":"server_settings""#).await;
    // It lacks everything.
    while caller.packet().await["key"] != true {}
    assert_eq!(house.status().await["clients"], 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_misses_a_message_begins_anew_and_others_go_on() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut first = Caller::call(&house, "/ws", &json!({ "client_tab_id": "a", "selkies_host": 1 })).await;
    first.answer("h264").await;
    first.packet().await;
    let viewer = json!({ "client_type": "viewer", "selkies_host": 1 });
    let mut second = Caller::call(&house, "/ws", &viewer).await;
    second.answer("h264").await;
    second.packet().await;
    second.send_candidate("deaf").await;
    second.say("_ping,1").await;
    assert_eq!(second.farewell().await, 1001);
    until(&house, "one is left", |status| status["clients"] == 1).await;
    first.say("_ping,2").await;
    assert_eq!(first.told_text_starting("pong").await, "pong,2");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pages_share_one_encode_and_leave_alone() {
    let house = House::with_webrtc("webrtc", true).await;
    let mut owner = Caller::call(&house, "/api/ws", &json!({ "client_tab_id": "a" })).await;
    owner.answer("h264").await;
    owner.packet().await;
    let mut viewer = Caller::call(&house, "/ws", &json!({ "client_type": "viewer" })).await;
    viewer.answer("h264").await;
    let first = viewer.packet().await;
    assert_eq!(first["key"], true, "it begins where it can");
    let frames = house.status().await["video"]["frames"].as_u64().expect("a number");
    let mut both = 0;
    for _ in 0..30 {
        let (one, two) = (owner.packet().await, viewer.packet().await);
        both += u32::from(one["frame"].is_u64() && two["frame"].is_u64());
    }
    assert_eq!(both, 30);
    let encoded = house.status().await["video"]["frames"].as_u64().expect("a number") - frames;
    assert!(encoded < 60 * 2, "{encoded} frames for 30 seen by both");
    // One more on a WebSocket sees the same H.264.
    let mut page = Page::enter(&house, "?role=viewer").await;
    page.say("_codecs,h264").await;
    page.say("SETTINGS,{}").await;
    assert_eq!(page.packet().await[0], 4, "the video header of 2.1.0");
    // The connection of one fails: it alone is told to come again.
    viewer.send_candidate("fail").await;
    assert_eq!(viewer.farewell().await, 1001);
    until(&house, "two are left", |status| status["clients"] == 2).await;
    owner.packet().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_controller_takes_over_and_the_first_stays_away() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut first = Caller::call(&house, "/api/webrtc/signaling/", &json!({})).await;
    first.answer("h264").await;
    first.packet().await;
    let mut second = Caller::call(&house, "/desk/signaling", &json!({})).await;
    second.answer("h264").await;
    second.packet().await;
    assert_eq!(first.farewell().await, 4001);
    until(&house, "one is left", |status| status["clients"] == 1).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_transport_refuses_is_told_for_good() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut caller =
        Caller::call(&house, "/api/webrtc/signaling", &json!({ "client_tab_id": "refused" })).await;
    assert_eq!(caller.farewell().await, 4000);
    until(&house, "it is gone", |status| status["signaling"]["sessions"] == 0).await;
    let mut other = Caller::call(&house, "/api/webrtc/signaling", &json!({})).await;
    other.answer("h264").await;
    other.packet().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_socket_costs_no_picture() {
    let house = House::with_webrtc("webrtc", false).await;
    let ours = json!({ "resume_key": "abcdefghij0123456789" });
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &ours).await;
    caller.answer("h264").await;
    let before = caller.packet().await["frame"].as_u64().expect("a number");
    drop(caller);
    let mut again = Caller::knock(&house, "/api/webrtc/signaling", &[]).await.expect("let in");
    again.line(&Caller::hello(&ours)).await;
    assert!(again.text().await.starts_with("RESUMED server-"));
    let frame = again.packet().await;
    assert!(frame["frame"].as_u64() > Some(before), "{frame} after {before}");
    assert_eq!(house.status().await["clients"], 1);
    // Without coming back it is over.
    drop(again);
    until(&house, "the hold ended", |status| status["clients"] == 0).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_1_6_are_called_by_number() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut caller = Caller::knock(&house, "/ws/", &[]).await.expect("let in");
    caller.line("HELLO 1").await;
    assert_eq!(caller.text().await, "HELLO");
    let offer = caller.text().await;
    assert!(offer.starts_with(r#"{"sdp""#), "no name before it: {offer}");
    caller.line(r#"{"sdp":{"type":"answer","sdp":"h264"}}"#).await;
    caller.packet().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_hellos_and_foreign_pages_are_refused() {
    let house = House::with_webrtc("webrtc", false).await;
    for (line, code) in [
        (format!("HELLO client {}", "x".repeat(17 * 1024)), 1009),
        ("x".repeat(80 * 1024), 1009),
        ("HELLO client {}".to_owned(), 1002),
        ("HELLO server {}".to_owned(), 4001),
    ] {
        let mut caller = Caller::knock(&house, "/api/webrtc/signaling", &[]).await.expect("let in");
        caller.line(&line).await;
        assert_eq!(caller.farewell().await, code, "{line:.40}");
    }
    let foreign = Caller::knock(&house, "/api/webrtc/signaling", &[("origin", "http://evil.example")]).await;
    assert_eq!(Caller::refusal(foreign), 403);
    let foreign = Caller::knock(&house, "/ws", &[("host", "evil.example")]).await;
    assert_eq!(Caller::refusal(foreign), 403);
    let mut caller = Caller::call(&house, "/ws", &json!({})).await;
    caller.offered_hello().await;
    caller.line(&"y".repeat(70 * 1024)).await;
    assert_eq!(caller.farewell().await, 1009);
    until(&house, "nobody is left", |status| status["signaling"]["sessions"] == 0).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_asked_for_signaling_too() {
    let house = House::with_webrtc_and_password("user", "secret").await;
    assert_eq!(Caller::refusal(Caller::knock(&house, "/api/webrtc/signaling", &[]).await), 401);
    let right = [("authorization", "Basic dXNlcjpzZWNyZXQ=")];
    let mut caller = Caller::knock(&house, "/api/webrtc/signaling", &right).await.expect("let in");
    caller.line(&Caller::hello(&json!({}))).await;
    assert_eq!(caller.text().await, "HELLO");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_current_mode_is_served_unless_both_are() {
    let house = House::with_webrtc("websockets", false).await;
    let status = house.status().await;
    assert_eq!(status["current_mode"], "websockets");
    assert_eq!(status["available_modes"], json!(["websockets", "webrtc"]));
    assert_eq!(status["enable_dual_mode"], false);
    assert_eq!(Caller::refusal(Caller::knock(&house, "/api/webrtc/signaling", &[]).await), 409);
    assert_eq!(house.ask("GET /api/webrtc/signaling", &[]).await.status, 409);
    assert_eq!(house.switch(r#"{"mode":"webrtc"}"#, &[]).await.status, 403);
    house.close().await;

    let house = House::with_webrtc("webrtc", false).await;
    assert_eq!(house.ask("GET /api/webrtc/signaling", &[]).await.status, 204);
    assert_eq!(house.ask("GET /api/websockets", &[]).await.status, 409);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_tells_every_page() {
    let house = House::with_webrtc("websockets", true).await;
    let mut page = Page::enter(&house, "").await;
    page.text("MODE").await;
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &json!({ "client_tab_id": "b" })).await;
    caller.answer("h264").await;
    caller.told("server_settings").await;
    for (body, headers, status) in [
        (r#"{"mode":"carrier-pigeon"}"#, vec![], 400),
        ("[]", vec![], 400),
        ("", vec![], 400),
        (r#"{"mode":"webrtc"}"#, vec![("Origin", "http://evil.example")], 403),
    ] {
        assert_eq!(house.switch(body, &headers).await.status, status, "{body}");
    }
    assert_eq!(house.ask("POST /api/switch?role=viewer", &[]).await.status, 403);
    assert_eq!(house.status().await["current_mode"], "websockets");
    let answer = house.switch(r#"{"mode":"webrtc"}"#, &[]).await;
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((answer.status, body), (200, json!({ "status": "success", "mode": "webrtc" })));
    assert_eq!(page.text("system,").await, r#"system,{"action":"reload"}"#);
    // The picture's size is such a message, too.
    while caller.told("system").await["data"] != json!({ "action": "reload" }) {}
    assert_eq!(house.status().await["current_mode"], "webrtc");
    // Both are still served.
    Page::enter(&house, "?role=viewer").await.text("MODE").await;
    // A flood of switches would keep everybody from working.
    let mut statuses = Vec::new();
    for mode in ["websockets", "webrtc"].repeat(5) {
        statuses.push(house.switch(&json!({ "mode": mode }).to_string(), &[]).await.status);
    }
    assert_eq!((statuses[0], statuses[9]), (200, 429), "{statuses:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_signaling_pages_are_told_to_come_again() {
    let house = House::with_webrtc("webrtc", false).await;
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &json!({})).await;
    caller.answer("h264").await;
    caller.packet().await;
    let mut idle = Caller::knock(&house, "/api/webrtc/signaling", &[]).await.expect("let in");
    let running = house.ask_to_end();
    assert_eq!((caller.farewell().await, idle.farewell().await), (1001, 1001));
    house::ended(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_transport_for_it_webrtc_is_not_there() {
    let house = House::open(SMALL).await;
    assert_eq!(house.status().await["available_modes"], json!(["websockets"]));
    assert_eq!(house.ask("GET /api/webrtc/signaling", &[]).await.status, 409);
    house.close().await;
}
