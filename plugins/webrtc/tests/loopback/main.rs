//! The transport beside real clients in the same process.

mod client;
mod stream;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use client::{Client, PATIENCE, wait_for};
use selkies_plugin_sdk::{
    ClientState, Message, abi,
    test_host::{TestHost, TestTransport, TransportEvent},
};
use selkies_webrtc::WebRtc;
use stream::Stream;

/// A host with a transport, a stream, and clients.
struct Stage {
    host: TestHost,
    transport: TestTransport,
    stream: Stream,
    clients: HashMap<u64, Client>,
    heard: usize,
    /// Who gets packets: clients that said what they take.
    ready: Vec<u64>,
    wants_key: bool,
}

impl Stage {
    fn new(stream: Stream) -> Self {
        let host = TestHost::new();
        let transport = TestTransport::of::<WebRtc>(&host, "{}").expect("a transport");
        Self {
            host,
            transport,
            stream,
            clients: HashMap::new(),
            heard: 0,
            ready: Vec::new(),
            wants_key: false,
        }
    }

    fn join(&mut self, client: u64, codecs: &str, codec: &'static str) {
        self.clients.insert(client, Client::new(codec));
        let hello = format!(r#"{{"codecs": {codecs}, "loopback": true}}"#);
        self.transport.client_open(client, &hello).expect("it is taken");
    }

    fn leave(&mut self, client: u64) {
        self.transport.client_close(client, "it left");
        self.ready.retain(|ready| *ready != client);
        self.clients.remove(&client);
    }

    /// Carries what the two sides have to say.
    fn exchange(&mut self) {
        let events = self.host.transport_events();
        for event in &events[self.heard..] {
            match event {
                TransportEvent::Signal(client, json) => {
                    if let Some(client) = self.clients.get(client) {
                        client.hear(json);
                    }
                }
                TransportEvent::KeyframeRequest(..) => self.wants_key = true,
                TransportEvent::State(client, ClientState::Connected, _) => self.ready.push(*client),
                TransportEvent::State(client, ClientState::Failed, reason) => {
                    panic!("client {client} failed: {reason}");
                }
                _ => {}
            }
        }
        self.heard = events.len();
        for (number, client) in &self.clients {
            for signal in client.take_signals() {
                self.transport.signal(*number, &signal).expect("it is taken");
            }
        }
    }

    /// One frame goes to everybody.
    fn frame(&mut self) -> u64 {
        let key = std::mem::take(&mut self.wants_key);
        let (transport, ready) = (&self.transport, &self.ready);
        self.stream.next(key, |packet| transport.send_packet(ready, packet).expect("it is sent"))
    }

    /// Streams until something holds.
    fn stream_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < until, "streamed in vain for {what}");
            self.exchange();
            self.frame();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn pictures(&self, client: u64) -> u64 {
        self.clients[&client].pictures()
    }

    fn agreed(&self, client: u64) -> Option<u32> {
        self.host.transport_events().iter().find_map(|event| match event {
            TransportEvent::Codec(who, 0, codec) if *who == client => Some(*codec),
            _ => None,
        })
    }
}

const H264: &str = "H264";
const VP8: &str = "VP8";

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
