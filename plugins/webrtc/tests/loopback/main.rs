//! The transport beside real clients in the same process.

mod client;
mod stage;
mod stream;

use std::time::Duration;

use client::{Client, wait_for};
use selkies_plugin_sdk::{ClientState, Message, abi, test_host::TransportEvent};
use stage::{H264, Stage, VP8};
use stream::Stream;

#[test]
fn h264_arrives_is_decoded_and_reported() {
    let mut stage = Stage::new(Stream::h264());
    stage.join(7, r#"["h264", "vp8"]"#, H264);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 20);
    assert_eq!(stage.agreed(7), Some(abi::CODEC_H264));
    let brightness = stage.clients[&7].brightness();
    assert!((60..200).contains(&brightness), "{brightness}");
    stage.stream_until("frames that are known to have arrived", |stage| {
        stage.host.transport_events().iter().any(|event| {
            matches!(event, TransportEvent::Feedback { client: 7, arrived: (0, frame), rtt_us, .. } if *frame > 10 && *rtt_us > 0)
        })
    });
    assert_eq!(stage.host.misuse(), Vec::<String>::new());
}

#[test]
fn vp8_is_offered_beside_h264_and_taken() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 10);
    assert_eq!(stage.agreed(7), Some(abi::CODEC_VP8));
}

#[test]
fn messages_go_both_ways_on_both_channels() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    // Before there is a channel; it waits, in its place.
    stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text("first")).expect("it waits");
    stage.stream_until("pictures", |stage| stage.pictures(7) > 0);
    stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text("second")).expect("it is sent");
    wait_for("both texts", || stage.clients[&7].texts().len() >= 2);
    let input = |text: &str| ("input".to_owned(), text.to_owned());
    assert_eq!(stage.clients[&7].texts()[..2], [input("first"), input("second")]);
    stage.clients[&7].say("input", "kd,65");
    stage.clients[&7].say("pointer", "m,1,2");
    let heard = |what: TransportEvent| {
        wait_for("a message", || stage.host.transport_events().contains(&what));
    };
    heard(TransportEvent::Text(7, abi::CHANNEL_CONTROL, "kd,65".to_owned()));
    heard(TransportEvent::Text(7, abi::CHANNEL_POINTER, "m,1,2".to_owned()));
}

#[test]
fn a_client_that_lost_its_picture_is_given_a_key_frame() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 5);
    let requests = |stage: &Stage| {
        let is_request = |event: &&TransportEvent| **event == TransportEvent::KeyframeRequest(7, 0);
        stage.host.transport_events().iter().filter(is_request).count()
    };
    let before = requests(&stage);
    assert!(before >= 1, "a newcomer is given a key frame");
    stage.clients[&7].lose_picture();
    stage.stream_until("a request", |stage| requests(stage) > before);
}

#[test]
fn a_picture_at_rest_that_arrived_is_not_made_anew() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 10);
    let requests = |stage: &Stage| {
        let is_request = |event: &&TransportEvent| **event == TransportEvent::KeyframeRequest(7, 0);
        stage.host.transport_events().iter().filter(is_request).count()
    };
    let last = stage.frame();
    let arrived = |stage: &Stage| {
        stage.host.transport_events().iter().any(|event| {
            matches!(event, TransportEvent::Feedback { client: 7, arrived: (0, frame), .. } if *frame >= last)
        })
    };
    wait_for("the last frame to arrive", || arrived(&stage));
    std::thread::sleep(Duration::from_millis(2100));
    let before = requests(&stage);
    stage.clients[&7].lose_picture();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(requests(&stage), before);
    // In motion it is.
    stage.frame();
    stage.clients[&7].lose_picture();
    wait_for("a request", || requests(&stage) > before);
}

#[test]
fn a_second_client_comes_late_and_the_first_stays_when_it_leaves() {
    let mut stage = Stage::new(Stream::h264());
    stage.join(7, r#"["h264"]"#, H264);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 10);
    stage.join(8, r#"["h264"]"#, H264);
    stage.stream_until("pictures of both", |stage| stage.pictures(8) >= 10);
    stage.leave(8);
    let before = stage.pictures(7);
    stage.stream_until("pictures of the first", |stage| stage.pictures(7) >= before + 10);
}

#[test]
fn a_restart_makes_a_new_connection_with_a_new_offer() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 5);
    let offers = |stage: &Stage| {
        let is_offer = |event: &&TransportEvent| matches!(event, TransportEvent::Signal(7, json) if json.contains("offer"));
        stage.host.transport_events().iter().filter(is_offer).count()
    };
    assert_eq!(offers(&stage), 1);
    std::thread::sleep(Duration::from_millis(1100));
    stage.ready.clear();
    stage.clients.insert(7, Client::new(VP8));
    stage.transport.signal(7, r#"{"restart": true}"#).expect("it is taken");
    stage.stream_until("pictures anew", |stage| stage.pictures(7) >= 5);
    assert_eq!(offers(&stage), 2);
    stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text("again")).expect("it is sent");
    wait_for("the text", || stage.clients[&7].texts().iter().any(|(_, text)| text == "again"));
}

#[test]
fn a_hostile_client_harms_nobody() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 5);
    // One that never answers what it was offered, and one that does so with something else.
    for client in [8, 9] {
        stage.transport.client_open(client, r#"{"codecs": ["vp8", "h264", "opus"]}"#).expect("it is taken");
    }
    let failed = |stage: &Stage, client: u64| {
        let is_failure = |event: &TransportEvent| matches!(event, TransportEvent::State(who, ClientState::Failed, _) if *who == client);
        stage.host.transport_events().iter().any(is_failure)
    };
    wait_for("the offers", || {
        let is_offer = |event: &&TransportEvent| matches!(event, TransportEvent::Signal(8 | 9, json) if json.contains("offer"));
        stage.host.transport_events().iter().filter(is_offer).count() == 2
    });
    let answer = |sdp: &str| serde_json::json!({ "sdp": { "type": "answer", "sdp": sdp } }).to_string();
    stage.transport.signal(9, &answer("v=0\r\nm=video 9 x 1\r\n")).expect("it is well-formed");
    wait_for("the end of the one", || failed(&stage, 9));
    let mut refused = 0;
    for i in 0..20_000 {
        let place = if i % 2 == 0 { "169.254.169.254" } else { "a.local" };
        let ice = serde_json::json!({ "ice": { "candidate": format!("candidate:1 1 UDP 1 {place} 80 typ host"), "sdpMLineIndex": i } });
        refused += u32::from(stage.transport.signal(8, &ice.to_string()).is_err());
        if i % 10 == 0 {
            refused += u32::from(stage.transport.signal(8, r#"{"restart": true}"#).is_err());
        }
    }
    let long = answer(&"a=x\r\n".repeat(100_000));
    for json in
        ["", "[", "{}", r#"{"ice": {"candidate": 7}}"#, r#"{"sdp": {"type": "offer", "sdp": ""}}"#, &long]
    {
        refused += u32::from(stage.transport.signal(8, json).is_err());
    }
    assert!(refused >= 6, "{refused}");
    let before = stage.pictures(7);
    stage.stream_until("pictures as before", |stage| stage.pictures(7) >= before + 10);
    assert!(!failed(&stage, 7));
    for client in [8, 9] {
        stage.transport.client_close(client, "enough");
    }
    // A flood of requests for key frames is five a second.
    let requests = |stage: &Stage| {
        let is_request = |event: &&TransportEvent| **event == TransportEvent::KeyframeRequest(7, 0);
        stage.host.transport_events().iter().filter(is_request).count()
    };
    let (before, begin) = (requests(&stage), std::time::Instant::now());
    for _ in 0..500 {
        stage.clients[&7].lose_picture();
        std::thread::sleep(Duration::from_millis(2));
    }
    stage.stream_until("a request", |stage| requests(stage) > before);
    let most = begin.elapsed().as_millis() / 200 + 2;
    assert!((requests(&stage) - before) as u128 <= most, "{} in {most}", requests(&stage) - before);
    assert_eq!(stage.host.misuse(), Vec::<String>::new());
}
