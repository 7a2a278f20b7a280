//! Transports: what clients say arrives, what the host owns is sent without a copy, from any thread.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use instance_fakes::{
    notes,
    transport::{LAST, TABLE, host},
};
use selkies_plugin_abi::{self as abi, Rect, Status};
use selkies_plugin_host::{
    Channel, ClientState, EmitRefusal, EncodedPacket, FaultDetail, FaultOrigin, HostServices, MessageKind,
    Origin, PacketBuf, PacketInfo, PathFeedback, Plugin, PluginError, Tables, TransportInstance,
    TransportSink,
};

const PLUGIN: &str = "test.transport";
const INVALID: Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT);

#[derive(Default)]
struct Sink {
    heard: Mutex<Vec<String>>,
    sent: Mutex<Vec<(Vec<u64>, MessageKind, Bytes)>>,
}

impl Sink {
    fn hear(&self, text: String) {
        self.heard.lock().unwrap().push(text);
    }
}

impl TransportSink for Sink {
    fn message(&self, client: u64, kind: MessageKind, payload: &[u8]) {
        assert!(payload != b"panic", "a sink that panics");
        self.hear(format!("{client} {kind:?} {}", String::from_utf8_lossy(payload)));
    }
    fn emit(&self, clients: &[u64], kind: MessageKind, message: Bytes) -> Result<(), EmitRefusal> {
        self.sent.lock().unwrap().push((clients.to_vec(), kind, message));
        match clients {
            [404] => Err(EmitRefusal::UnknownClients),
            [507] => Err(EmitRefusal::Full),
            _ => Ok(()),
        }
    }
    fn signal(&self, client: u64, json: &str) {
        self.hear(format!("{client} signal {json}"));
    }
    fn feedback(&self, client: u64, feedback: PathFeedback) {
        let expected = PathFeedback { loss_ppm: 10, rtt_us: Some(20_000), stream: 2, ..Default::default() };
        assert_eq!(feedback, expected);
        self.hear(format!("{client} feedback"));
    }
    fn request_keyframe(&self, client: u64) {
        self.hear(format!("{client} keyframe"));
    }
    fn client_codec(&self, client: u64, stream: u32, codec: u32) {
        self.hear(format!("{client} codec {codec} of {stream}"));
    }
    fn client_state(&self, client: u64, state: ClientState, reason: &str) {
        self.hear(format!("{client} {state:?} {reason}"));
    }
}

fn open(services: &HostServices, act: &str) -> Result<(TransportInstance, Arc<Sink>), PluginError> {
    let sink = Arc::new(Sink::default());
    let plugin = Plugin::linked(PLUGIN, Tables::default().with(&TABLE));
    let origin = Origin { services, plugin: &plugin, config_json: act };
    notes();
    Ok((TransportInstance::create(&origin, Arc::clone(&sink) as _)?, sink))
}

fn packet(services: &HostServices, payload: &[u8]) -> EncodedPacket {
    let info = PacketInfo {
        codec: abi::CODEC_JPEG,
        flags: abi::PACKET_KEY,
        layer: 0,
        frame_id: 7,
        reference_frame_id: 0,
        timestamp_ns: 1,
        duration_ns: 0,
        area: Rect { x: 0, y: 0, width: 8, height: 8 },
    };
    EncodedPacket { info, data: PacketBuf::copy_from(services.pool(), payload).unwrap() }
}

#[test]
fn a_packet_goes_to_all_clients_without_a_copy() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    let packet = packet(&services, b"picture");
    transport.send_packet(&[1, 2, 3], &packet).unwrap();
    transport.send_packet(&[4], &packet).unwrap();
    let sent = sink.sent.lock().unwrap();
    assert_eq!((&sent[0].0[..], sent[0].1, &sent[1].0[..]), (&[1, 2, 3][..], MessageKind::Binary, &[4][..]));
    for (_, _, message) in sent.iter() {
        assert_eq!(&message[..], b"\0\0\0\0\0\0\0\x07picture");
        assert_eq!(message[8..].as_ptr(), packet.data.payload().as_ptr());
    }
}

#[test]
fn what_is_not_the_packet_itself_is_copied() {
    let services = HostServices::default();
    for (act, rest) in [("part", &b"icture"[..]), ("elsewhere", b"picture")] {
        let (transport, sink) = open(&services, act).unwrap();
        let packet = packet(&services, b"picture");
        transport.send_packet(&[1], &packet).unwrap();
        let sent = sink.sent.lock().unwrap();
        assert_eq!(&sent[0].2[8..], rest, "{act}");
        let own = packet.data.payload().as_ptr_range();
        assert!(!own.contains(&sent[0].2[8..].as_ptr()), "{act}");
    }
}

#[test]
fn messages_go_both_ways() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    assert!(transport.info().host_connection && !transport.info().signaling && transport.info().stripes);
    transport.client_open(5, "{\"codecs\":[]}").unwrap();
    transport.receive(5, MessageKind::Text, b"kd,65").unwrap();
    transport.signal(5, "{\"sdp\":1}").unwrap();
    transport.rtc_config("{\"iceServers\":[]}").unwrap();
    transport.send_message(&[5, 6], Channel::Pointer, MessageKind::Text, b"hi").unwrap();
    transport.client_close(5, "bye");
    let expected = ["open 5 {\"codecs\":[]}", "{\"iceServers\":[]}", "message 2 1", "close 5 bye"];
    assert_eq!(notes(), expected);
    let heard = sink.heard.lock().unwrap().clone();
    let expected = [
        "5 Connected hello",
        "5 Text kd,65",
        "5 keyframe",
        "5 codec 2 of 2",
        "5 feedback",
        "5 signal {\"sdp\":1}",
    ];
    assert_eq!(heard, expected);
    assert_eq!(&sink.sent.lock().unwrap()[0].2[..], b"m:hi");
    assert_eq!(services.misbehaviours(PLUGIN), 0);
    let error = transport.client_open(13, "{}").unwrap_err();
    assert_eq!((error.detail, error.text.as_str()), (FaultDetail::Unsupported, "no codec"));
}

#[test]
fn what_a_transport_says_is_checked() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    transport.receive(1, MessageKind::Binary, b"!").unwrap();
    assert_eq!(notes(), vec![INVALID.to_string(); 5]);
    assert_eq!(services.misbehaviours(PLUGIN), 15);
    assert!(sink.heard.lock().unwrap().is_empty() && sink.sent.lock().unwrap().is_empty());
}

#[test]
fn a_sink_that_refuses_or_panics_is_a_status() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    let send = |client| transport.send_message(&[client], Channel::Control, MessageKind::Text, b"x");
    assert_eq!(send(404).unwrap_err().detail, FaultDetail::NotFound);
    assert_eq!(send(507).unwrap_err().detail, FaultDetail::OutOfResources);
    transport.receive(1, MessageKind::Binary, b"panic").unwrap();
    transport.receive(1, MessageKind::Binary, b"next").unwrap();
    assert!(sink.heard.lock().unwrap().contains(&"1 Binary next".to_owned()));
}

#[test]
fn limits_hold_before_the_plugin_is_called() {
    let services = HostServices::default();
    let (transport, _) = open(&services, "good").unwrap();
    let error = transport.receive(1, MessageKind::Binary, &[0; 1001]).unwrap_err();
    assert_eq!(error.origin, FaultOrigin::Caller);
    let clients: Vec<u64> = (0..2500).collect();
    transport.send_message(&clients, Channel::Control, MessageKind::Text, b"x").unwrap();
    assert_eq!(notes(), ["message 1024 0", "message 1024 0", "message 452 0"]);
}

#[test]
fn information_is_checked() {
    let services = HostServices::default();
    for act in ["info-size", "info-bool", "info-zero"] {
        let error = open(&services, act).err().unwrap();
        assert_eq!((error.origin, error.function), (FaultOrigin::Contract, "transport.info"), "{act}");
        assert_eq!(notes(), ["destroy"]);
    }
}

#[test]
fn many_threads_use_one_transport() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    let packets: Vec<_> = (0..4u8).map(|n| packet(&services, &[n; 100])).collect();
    std::thread::scope(|scope| {
        for (client, packet) in packets.iter().enumerate() {
            let transport = &transport;
            scope.spawn(move || {
                for _ in 0..100 {
                    transport.send_packet(&[client as u64], packet).unwrap();
                    transport.receive(client as u64, MessageKind::Text, b"x").unwrap();
                }
            });
        }
    });
    let sent = sink.sent.lock().unwrap();
    assert_eq!(sent.len(), 400);
    for (clients, _, message) in sent.iter() {
        assert_eq!(message[8..].as_ptr(), packets[clients[0] as usize].data.payload().as_ptr());
    }
}

#[test]
fn nothing_arrives_after_the_end_or_from_strangers() {
    let services = HostServices::default();
    let (transport, sink) = open(&services, "good").unwrap();
    transport.receive(1, MessageKind::Text, b"x").unwrap();
    let view = LAST.get().unwrap();
    let (request, before) = (host(&view).request_keyframe.unwrap(), sink.heard.lock().unwrap().len());
    // SAFETY: calls with contexts that have ended, or never had this table, must not hurt.
    unsafe {
        request(services.process_host("test.other").ctx, 1, 0);
        assert_eq!(services.misbehaviours("test.other"), 1);
        drop(transport);
        request(view.ctx(), 1, 0);
    }
    assert_eq!(services.misbehaviours(PLUGIN), 1);
    assert_eq!(sink.heard.lock().unwrap().len(), before);
}
