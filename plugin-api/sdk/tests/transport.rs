//! A transport through its C table, and the host's link back.

use selkies_plugin_sdk::{
    ClientState, Host, Message, PacketInfo, PacketRef, Result, Transport, TransportInfo, TransportLink, abi,
    test_host::{Failure, TestHost, TestTransport, TransportEvent},
};

/// Answers everything with what it was given.
#[derive(Debug)]
struct Echo(TransportLink);

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Transport for Echo {
    type Config = Nothing;

    fn create(_: Host, _: Nothing, link: TransportLink) -> Result<Self> {
        Ok(Self(link))
    }

    fn info(&self) -> TransportInfo {
        TransportInfo {
            flags: abi::TRANSPORT_FEEDBACK,
            codec_mask: 1 << abi::CODEC_H264,
            stripes: true,
            audio: false,
            max_message: 99,
        }
    }

    fn client_open(&self, client: u64, hello: &str) -> Result<()> {
        assert_ne!(hello, "panic", "told to panic");
        self.0.client_state(client, ClientState::Connected, hello);
        Ok(())
    }

    fn client_close(&self, client: u64, reason: &str) {
        self.0.client_state(client, ClientState::Failed, reason);
    }

    fn receive(&self, client: u64, message: Message<'_>) -> Result<()> {
        self.0.message(client, abi::CHANNEL_POINTER, message);
        Ok(())
    }

    fn rtc_config(&self, json: &str) -> Result<()> {
        self.0.signal(0, json);
        self.0.request_keyframe(4, 1);
        self.0.client_codec(4, 1, abi::CODEC_H264);
        let feedback = abi::Feedback {
            rtt_us: 5,
            loss_ppm: 6,
            estimate_kbps: 7,
            arrived_frame_id: 8,
            stream: 1,
            ..abi::Feedback::default()
        };
        self.0.feedback(4, feedback);
        Ok(())
    }

    fn send_message(&self, clients: &[u64], channel: u32, message: Message<'_>) -> Result<()> {
        self.0.emit(clients, &vec![1; channel as usize], message)
    }

    fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<()> {
        let header = [packet.info.frame_id.to_le_bytes(), u64::from(packet.stream).to_le_bytes()].concat();
        self.0.emit(clients, &header, Message::Binary(packet.payload))
    }
}

#[test]
fn everything_goes_both_ways() -> Result<(), Failure> {
    let host = TestHost::new();
    let transport = TestTransport::of::<Echo>(&host, "{}")?;
    let info = transport.info()?;
    assert_eq!((info.flags, info.codec_mask), (abi::TRANSPORT_FEEDBACK, 1 << abi::CODEC_H264));
    assert_eq!((info.stripes, info.audio, info.max_message), (1, 0, 99));
    transport.client_open(4, "{}")?;
    transport.receive(4, Message::Text("hallo"))?;
    transport.receive(4, Message::Binary(&[1, 2]))?;
    transport.rtc_config("{}")?;
    transport.send_message(&[4, 5], 2, Message::Text("t"))?;
    let rect = abi::Rect { x: 0, y: 0, width: 8, height: 8 };
    let info = PacketInfo {
        codec: abi::CODEC_H264,
        flags: abi::PACKET_KEY,
        layer: 0,
        frame_id: 0x0102,
        reference_frame_id: 0,
        timestamp_ns: 1,
        duration_ns: 0,
        area: rect,
    };
    transport.send_packet(&[4], PacketRef { info, stream: 3, payload: b"abc" })?;
    transport.client_close(4, "bye");
    let emit = |clients: &[u64], text, header: &[u8], payload: &[u8]| TransportEvent::Emit {
        clients: clients.to_vec(),
        text,
        header: header.to_vec(),
        payload: payload.to_vec(),
    };
    assert_eq!(
        host.transport_events(),
        [
            TransportEvent::State(4, ClientState::Connected, "{}".into()),
            TransportEvent::Text(4, abi::CHANNEL_POINTER, "hallo".into()),
            TransportEvent::Binary(4, abi::CHANNEL_POINTER, vec![1, 2]),
            TransportEvent::Signal(0, "{}".into()),
            TransportEvent::KeyframeRequest(4, 1),
            TransportEvent::Codec(4, 1, abi::CODEC_H264),
            TransportEvent::Feedback { client: 4, rtt_us: 5, loss_ppm: 6, estimate_kbps: 7, arrived: (1, 8) },
            emit(&[4, 5], true, &[1, 1], b"t"),
            emit(&[4], false, &[2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0], b"abc"),
            TransportEvent::State(4, ClientState::Failed, "bye".into()),
        ]
    );
    assert_eq!(host.misuse(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_transport_without_signaling_says_so() -> Result<(), Failure> {
    let transport = TestTransport::of::<Echo>(&TestHost::new(), "{}")?;
    let failure = transport.signal(1, "{}").expect_err("not implemented");
    assert_eq!((failure.class(), failure.detail()), (abi::CLASS_RECONFIGURE, abi::DETAIL_UNSUPPORTED));
    Ok(())
}

#[test]
fn a_refusal_of_the_host_is_a_failure_of_the_call() -> Result<(), Failure> {
    let host = TestHost::new();
    let transport = TestTransport::of::<Echo>(&host, "{}")?;
    // The example makes a header as long as the channel's number.
    let failure = transport.send_message(&[1], 65, Message::Text("")).expect_err("a header over 64 bytes");
    assert_eq!(failure.class(), abi::CLASS_RETRY);
    assert_eq!(host.misuse().len(), 1);
    Ok(())
}

#[test]
fn a_panic_on_one_thread_poisons_the_transport_for_all() -> Result<(), Failure> {
    let host = TestHost::new();
    let transport = TestTransport::of::<Echo>(&host, "{}")?;
    let other = transport.clone();
    let panicked = std::thread::spawn(move || other.client_open(1, "panic")).join().expect("nothing unwinds");
    assert_eq!(panicked.expect_err("panics").detail(), abi::DETAIL_PANIC);
    assert_eq!(transport.client_open(2, "{}").expect_err("poisoned").detail(), abi::DETAIL_PANIC);
    assert_eq!(host.transport_events(), []);
    Ok(())
}
