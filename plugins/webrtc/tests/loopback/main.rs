//! The transport beside real clients in the same process.

#[allow(dead_code, reason = "tests/hostile uses more of it")]
mod client;
mod stage;
mod stream;

use std::time::{Duration, Instant};

use client::{Client, wait_for};
use gst::prelude::*;
use gstreamer as gst;
use selkies_plugin_sdk::{Message, abi, test_host::TransportEvent};
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
    let before = stage.requests(7);
    assert!(before >= 1, "a newcomer is given a key frame");
    stage.clients[&7].lose_picture();
    stage.stream_until("a request", |stage| stage.requests(7) > before);
}

#[test]
fn a_picture_at_rest_that_arrived_is_made_anew_once_and_then_seldom() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 10);
    let last = stage.frame();
    wait_for("the last frame to arrive", || stage.arrived(7) >= last);
    std::thread::sleep(Duration::from_millis(2100));
    let before = stage.requests(7);
    stage.clients[&7].lose_picture();
    wait_for("the first request", || stage.requests(7) == before + 1);
    // The host may have known better: no frame came.
    for _ in 0..10 {
        stage.clients[&7].lose_picture();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(stage.requests(7), before + 1);
    // In motion it is.
    stage.frame();
    stage.clients[&7].lose_picture();
    wait_for("a request", || stage.requests(7) > before + 1);
}

#[test]
fn what_leaves_is_taken_for_arrived_where_the_client_does_not_report() {
    let mut stage = Stage::new(Stream::vp8());
    stage.admit(7, r#"["vp8"]"#, Client::with(VP8, false));
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 5);
    stage.stream_until("frames that are taken for arrived", |stage| stage.arrived(7) > 10);
    let last = stage.frame();
    wait_for("the last one", || stage.arrived(7) >= last);
    assert_eq!(stage.failure(7), None);
}

#[test]
fn reports_that_get_lost_do_not_hold_up_what_arrived() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.arrived(7) > 10);
    // Three of four datagrams of reports; GStreamer's client makes one for each frame.
    let mut count = 0;
    stage.clients[&7].spoil(Box::new(move |datagram| {
        count += 1;
        if count % 4 == 0 { vec![datagram] } else { Vec::new() }
    }));
    let (begin, mut longest, mut before, mut changed) =
        (Instant::now(), Duration::ZERO, stage.arrived(7), Instant::now());
    let first = before;
    stage.stream_until("frames to arrive", |stage| {
        let now = stage.arrived(7);
        if now > before {
            (before, changed) = (now, Instant::now());
        }
        longest = longest.max(changed.elapsed());
        begin.elapsed() > Duration::from_secs(6)
    });
    assert!(before > first + 20, "{first} to {before}");
    assert!(longest < Duration::from_millis(1500), "{longest:?}");
}

#[test]
fn sound_arrives_beside_the_picture_as_it_was_made() {
    for length_ms in [10_u64, 20] {
        let mut stage = Stage::new(Stream::vp8());
        stage.join(7, r#"["vp8", "opus"]"#, VP8);
        stage.stream_until("pictures", |stage| stage.pictures(7) > 0);
        let events = stage.host.transport_events();
        assert!(events.contains(&TransportEvent::Codec(7, 0, abi::CODEC_OPUS)), "{events:?}");
        // Fullband CELT with one frame of that length.
        let kind = if length_ms == 10 { 30 << 3 } else { 31 << 3 };
        let (begin, mut sent) = (gst::SystemClock::obtain().time().nseconds(), 0_u64);
        stage.stream_until("sound", |stage| {
            let due = (gst::SystemClock::obtain().time().nseconds() - begin) / 1_000_000 / length_ms;
            while sent < due {
                // Its times waver, as those of captures do.
                let time = begin + sent * length_ms * 1_000_000 + sent % 3 * 2_000_000;
                let payload = [&[kind][..], &sent.to_be_bytes(), &[7; 150]].concat();
                stage.sound(&payload, time);
                sent += 1;
            }
            stage.clients[&7].sounds().len() >= 60
        });
        let sounds = stage.clients[&7].sounds();
        let number = |payload: &[u8]| u64::from_be_bytes(payload[1..9].try_into().expect("eight bytes"));
        for pair in sounds.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            assert_eq!(after.1.len(), 159);
            let packets = number(&after.1) - number(&before.1);
            let samples = after.0.wrapping_sub(before.0);
            assert_eq!(u64::from(samples), packets * length_ms * 48, "{packets} packets");
        }
        let lost = number(&sounds[sounds.len() - 1].1) + 1 - number(&sounds[0].1) - sounds.len() as u64;
        assert_eq!(lost, 0, "of {}", sounds.len());
        let last = stage.frame();
        wait_for("the picture to be known to have arrived", || stage.arrived(7) >= last);
    }
}

#[test]
fn sound_may_stand_in_a_media_stream_of_its_own() {
    let stage = Stage::new(Stream::vp8());
    let streams = |client: u64, more: &str| {
        let hello = format!(r#"{{"codecs": ["vp8", "opus"], "loopback": true{more}}}"#);
        stage.transport.client_open(client, &hello).expect("it is taken");
        let mut offer = None;
        wait_for("an offer", || {
            offer = stage.host.transport_events().iter().find_map(|event| match event {
                TransportEvent::Signal(who, json) if *who == client => Some(json.clone()),
                _ => None,
            });
            offer.is_some()
        });
        let offer: serde_json::Value = serde_json::from_str(&offer.expect("it is there")).expect("JSON");
        let sdp = offer["sdp"]["sdp"].as_str().expect("an SDP").to_owned();
        assert!(sdp.contains("stereo=1") && sdp.contains("OPUS/48000/2"), "{sdp}");
        let of = |line: &str| {
            line.split("msid:").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned)
        };
        let mut names: Vec<String> = sdp.lines().filter_map(of).collect();
        names.dedup();
        names
    };
    assert_eq!(streams(1, "").len(), 1);
    let apart = streams(2, r#", "sound_apart": true"#);
    assert!(apart.len() == 2 && apart[1] == "sound", "{apart:?}");
}

#[test]
fn who_never_connects_is_given_up() {
    let mut stage = Stage::new(Stream::vp8());
    stage.transport.client_open(8, r#"{"codecs": ["vp8"], "loopback": true}"#).expect("it is taken");
    let begin = Instant::now();
    wait_for("the end", || stage.failure(8).is_some());
    assert!(begin.elapsed() > Duration::from_secs(15), "it was given time");
    assert!(stage.failure(8).is_some_and(|reason| reason.contains("TURN")));
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) > 0);
    assert_eq!(stage.failure(7), None);
}

#[test]
fn messages_are_no_larger_than_the_client_takes() {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) > 0);
    let large = "x".repeat(200_000);
    let refused = stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text(&large));
    assert!(
        refused.is_err_and(|failure| format!("{failure:?}").contains("65536")),
        "GStreamer's client takes 64 KiB"
    );
    assert!(stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text("a\0b")).is_err());
    assert!(stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Binary(&[])).is_err());
    stage.transport.send_message(&[7], abi::CHANNEL_CONTROL, Message::Text("small")).expect("it is sent");
    wait_for("the text", || stage.clients[&7].texts().iter().any(|(_, text)| text == "small"));
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
    let failed = |stage: &Stage, client: u64| stage.failure(client).is_some();
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
    let (before, begin) = (stage.requests(7), Instant::now());
    for _ in 0..500 {
        stage.clients[&7].lose_picture();
        std::thread::sleep(Duration::from_millis(2));
    }
    stage.stream_until("a request", |stage| stage.requests(7) > before);
    let most = begin.elapsed().as_millis() / 200 + 2;
    assert!((stage.requests(7) - before) as u128 <= most, "{} in {most}", stage.requests(7) - before);
    assert_eq!(stage.host.misuse(), Vec::<String>::new());
}
