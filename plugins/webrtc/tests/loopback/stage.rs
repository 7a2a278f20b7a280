//! A host with a transport, a stream, and clients.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{
    ClientState, PacketInfo, PacketRef, abi,
    test_host::{TestHost, TestTransport, TransportEvent},
};
use selkies_webrtc::WebRtc;

use crate::{
    client::{Client, PATIENCE},
    stream::Stream,
};

/// A host with a transport, a stream, and clients.
pub(crate) struct Stage {
    pub(crate) host: TestHost,
    pub(crate) transport: TestTransport,
    pub(crate) stream: Stream,
    pub(crate) clients: HashMap<u64, Client>,
    heard: usize,
    /// Who gets packets: clients that said what they take.
    pub(crate) ready: Vec<u64>,
    wants_key: bool,
}

impl Stage {
    pub(crate) fn new(stream: Stream) -> Self {
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

    pub(crate) fn join(&mut self, client: u64, codecs: &str, codec: &'static str) {
        self.admit(client, codecs, Client::new(codec));
    }

    pub(crate) fn admit(&mut self, number: u64, codecs: &str, client: Client) {
        self.clients.insert(number, client);
        let client = number;
        let hello = format!(r#"{{"codecs": {codecs}, "loopback": true}}"#);
        self.transport.client_open(client, &hello).expect("it is taken");
    }

    pub(crate) fn leave(&mut self, client: u64) {
        self.transport.client_close(client, "it left");
        self.ready.retain(|ready| *ready != client);
        self.clients.remove(&client);
    }

    /// Carries what the two sides have to say.
    pub(crate) fn exchange(&mut self) {
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
                TransportEvent::State(client, ClientState::Failed, reason)
                    if self.clients.contains_key(client) =>
                {
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
    pub(crate) fn frame(&mut self) -> u64 {
        let key = std::mem::take(&mut self.wants_key);
        let (transport, ready) = (&self.transport, &self.ready);
        self.stream.next(key, |packet| transport.send_packet(ready, packet).expect("it is sent"))
    }

    /// A packet of sound goes to everybody, captured at this time.
    pub(crate) fn sound(&self, payload: &[u8], timestamp_ns: u64) {
        let info = PacketInfo {
            codec: abi::CODEC_OPUS,
            flags: abi::PACKET_KEY | abi::PACKET_LAST,
            layer: 0,
            frame_id: 0,
            reference_frame_id: 0,
            timestamp_ns,
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0, width: 0, height: 0 },
        };
        let packet = PacketRef { info, stream: 0, payload };
        self.transport.send_packet(&self.ready, packet).expect("it is sent");
    }

    /// How often the transport asked for a key frame for a client.
    pub(crate) fn requests(&self, client: u64) -> usize {
        let is_request = |event: &&TransportEvent| **event == TransportEvent::KeyframeRequest(client, 0);
        self.host.transport_events().iter().filter(is_request).count()
    }

    /// The newest frame that is known to have arrived at a client.
    pub(crate) fn arrived(&self, client: u64) -> u64 {
        let events = self.host.transport_events();
        let of = |event: &TransportEvent| match event {
            TransportEvent::Feedback { client: who, arrived: (0, frame), .. } if *who == client => {
                Some(*frame)
            }
            _ => None,
        };
        events.iter().rev().find_map(of).unwrap_or(0)
    }

    /// Why the transport gave a client up.
    pub(crate) fn failure(&self, client: u64) -> Option<String> {
        self.host.transport_events().iter().find_map(|event| match event {
            TransportEvent::State(who, ClientState::Failed, reason) if *who == client => Some(reason.clone()),
            _ => None,
        })
    }

    /// Streams until something holds.
    pub(crate) fn stream_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < until, "streamed in vain for {what}");
            self.exchange();
            self.frame();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn pictures(&self, client: u64) -> u64 {
        self.clients[&client].pictures()
    }

    pub(crate) fn agreed(&self, client: u64) -> Option<u32> {
        self.host.transport_events().iter().find_map(|event| match event {
            TransportEvent::Codec(who, 0, codec) if *who == client && *codec != abi::CODEC_OPUS => {
                Some(*codec)
            }
            _ => None,
        })
    }
}

/// In SDP.
pub(crate) const H264: &str = "H264";
/// In SDP.
pub(crate) const VP8: &str = "VP8";
