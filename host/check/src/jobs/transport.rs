//! Transports.

use std::time::Duration;

use selkies_plugin_abi::{self as abi, ids};
use serde_json::Value;

use super::{Blocked, Instance, Job, Task};
use crate::{
    call::{self, Failure, Site, control, media},
    host::{Role, TransportEvent, size32},
    journal::{fail, held, skip},
    random::Random,
    rules::transport::{TRN_001, TRN_002, TRN_003, TRN_004, TRN_005, TRN_006, TRN_007},
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "clients",
    table: Some(ids::TRANSPORT_V1),
    rules: &[&TRN_001, &TRN_002, &TRN_003, &TRN_004, &TRN_005, &TRN_006, &TRN_007],
    limit_s: 60,
    fuzz: false,
    run: clients,
}];

static INFO: Site = media("transport.info");
static OPEN: Site = media("transport.client_open");
static CLOSE: Site = media("transport.client_close");
static RECEIVE: Site = media("transport.receive");
static SIGNAL: Site = media("transport.signal");
static SEND_MESSAGE: Site = media("transport.send_message");
static SEND_PACKET: Site = control("transport.send_packet");

/// The clients of this job.
const CLIENTS: [u64; 2] = [7, 1 << 40];

/// A hello with what a transport does not know.
const HELLO: &str =
    r#"{"codecs":["h267","jpeg","h264","vp9","opus"],"displays":["screen"],"viewer":"v","later":[{}]}"#;

struct Transport {
    table: &'static abi::TransportV1,
    instance: Instance,
    info: abi::TransportInfo,
}

impl Transport {
    fn status(&self, site: &'static Site, call: impl FnOnce() -> abi::Status) -> Result<bool, Failure> {
        call::status(site, &self.instance.context, Duration::ZERO, call)
    }

    fn open(&self, client: u64) -> Result<bool, Failure> {
        let (function, raw) = (self.table.client_open, self.instance.raw);
        self.status(&OPEN, || {
            // SAFETY: the instance lives; the arguments live for the call. So in every function below.
            function.map_or(abi::OK, |open| unsafe { open(raw, client, abi::Str::new(HELLO)) })
        })
    }

    fn close(&self, client: u64) {
        if let Some(close) = self.table.client_close {
            let raw = self.instance.raw;
            // SAFETY: as in `open`.
            call::watched(&CLOSE, Duration::ZERO, || unsafe { close(raw, client, abi::Str::new("gone")) });
        }
    }

    fn receive(&self, client: u64, kind: u32, bytes: &[u8]) -> Result<bool, Failure> {
        let (function, raw) = (self.table.receive, self.instance.raw);
        let payload = abi::Bytes::new(bytes);
        self.status(&RECEIVE, || {
            // SAFETY: as in `open`.
            function.map_or(abi::OK, |receive| unsafe { receive(raw, client, kind, payload) })
        })
    }

    fn signal(&self, client: u64, json: &str) -> Result<bool, Failure> {
        let (function, raw) = (self.table.signal, self.instance.raw);
        self.status(&SIGNAL, || {
            // SAFETY: as in `open`.
            function.map_or(abi::OK, |signal| unsafe { signal(raw, client, abi::Str::new(json)) })
        })
    }

    fn send_message(&self, clients: &[u64], text: &str) -> Result<bool, Failure> {
        let (function, raw) = (self.table.send_message, self.instance.raw);
        let count = u32::try_from(clients.len()).unwrap_or(0);
        let payload = abi::Bytes::new(text.as_bytes());
        self.status(&SEND_MESSAGE, || {
            // SAFETY: as in `open`.
            function.map_or(abi::OK, |send| unsafe {
                send(raw, clients.as_ptr(), count, abi::CHANNEL_CONTROL, abi::MESSAGE_TEXT, payload)
            })
        })
    }

    fn send_packet(&self, clients: &[u64], codec: u32, frame_id: u64, bytes: &[u8]) -> Result<bool, Failure> {
        let (function, raw) = (self.table.send_packet, self.instance.raw);
        let count = u32::try_from(clients.len()).unwrap_or(0);
        let packet = abi::Packet {
            struct_size: size32::<abi::Packet>(),
            codec,
            flags: abi::PACKET_KEY | abi::PACKET_LAST,
            layer: 0,
            len: bytes.len(),
            frame_id,
            reference_frame_id: 0,
            timestamp_ns: call::now_ns(),
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0, width: 640, height: 480 },
            stream: 0,
            reserved32: 0,
            reserved: [0; 3],
        };
        let payload = abi::Bytes::new(bytes);
        self.status(&SEND_PACKET, || {
            // SAFETY: as in `open`.
            function.map_or(abi::OK, |send| unsafe {
                send(raw, clients.as_ptr(), count, &raw const packet, payload)
            })
        })
    }

    fn events(&self) -> Vec<TransportEvent> {
        std::mem::take(&mut self.instance.context.state().transport)
    }
}

fn open(task: &Task) -> Result<Transport, Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::TransportV1 = unsafe { task.table(&library, ids::TRANSPORT_V1) }?;
    let functions = table.create.zip(table.destroy).ok_or("PKG-007: create or destroy is NULL")?;
    let instance = Instance::create(Role::Transport, functions, &task.config)
        .map_err(|failure| format!("no instance: {failure}"))?;
    let info = abi::TransportInfo {
        struct_size: size32::<abi::TransportInfo>(),
        flags: 0,
        codec_mask: 0,
        stripes: 0,
        audio: 0,
        max_message: 0,
        reserved32: 0,
        reserved: [0; 4],
    };
    let mut transport = Transport { table, instance, info };
    let (function, raw, out) = (table.info, transport.instance.raw, &raw mut transport.info);
    // SAFETY: the instance lives and `out` is writable.
    let answer = transport.status(&INFO, || function.map_or(abi::OK, |info| unsafe { info(raw, out) }));
    answer.map_err(|failure| {
        failure.breaks(&TRN_001, "info");
        failure.to_string()
    })?;
    Ok(transport)
}

fn clients(task: &Task) -> Result<(), Blocked> {
    let transport = open(task)?;
    let abi::TransportInfo { flags, codec_mask, audio, max_message, .. } = transport.info;
    let ways = abi::TRANSPORT_HOST_CONNECTION | abi::TRANSPORT_SIGNALING;
    if flags & ways == 0 || (codec_mask == 0 && audio == 0) || max_message == 0 {
        fail(
            &TRN_001,
            format!("flags {flags:#x}, codecs {codec_mask:#x}, audio {audio}, messages of {max_message}"),
        );
    }
    let [one, two] = CLIENTS;
    judge_events(&transport.events(), &[]);
    for client in [one, two] {
        if let Err(failure) = transport.open(client) {
            failure.breaks(&TRN_002, "client_open");
            return Err(failure.to_string());
        }
    }
    packets(&transport, &[one, two]);
    messages(&transport, &[one, two]);
    foreign(&transport, one);
    // It goes on for both.
    if let Err(failure) = transport.send_message(&[one, two], "still here") {
        failure.breaks(&TRN_004, "a message after foreign bytes");
    }
    judge_events(&transport.events(), &[one, two]);
    transport.close(one);
    let _ = transport.events();
    if let Err(failure) = transport.send_message(&[two], "one is gone") {
        failure.breaks(&TRN_003, "a message to the client that stayed");
    }
    judge_events(&transport.events(), &[two]);
    transport.close(two);
    let _ = transport.events();
    held(&[&TRN_001, &TRN_002, &TRN_003, &TRN_004, &TRN_005, &TRN_006, &TRN_007]);
    Ok(())
}

/// Whether packets leave over the host's connection.
fn packets(transport: &Transport, clients: &[u64]) {
    if transport.info.flags & abi::TRANSPORT_HOST_CONNECTION == 0 {
        return skip(&TRN_006, "the transport has connections of its own");
    }
    let codecs = [abi::CODEC_JPEG, abi::CODEC_H264];
    for (number, &codec) in
        codecs.iter().filter(|codec| transport.info.codec_mask & (1 << **codec) != 0).enumerate()
    {
        let payload: Vec<u8> = (0..200_u8).collect();
        let frame_id = number as u64 + 1;
        if let Err(failure) = transport.send_packet(clients, codec, frame_id, &payload) {
            failure.breaks(&TRN_006, "send_packet");
            continue;
        }
        let events = transport.events();
        judge_events(&events, clients);
        let mut reached: Vec<u64> = events
            .iter()
            .filter_map(|event| match event {
                TransportEvent::Emit { clients, header, payload: sent, .. } => {
                    // The header may be part of what is sent in one piece.
                    let all = [header.clone().unwrap_or_default(), sent.clone().unwrap_or_default()].concat();
                    all.ends_with(&payload).then(|| clients.clone())
                }
                _ => None,
            })
            .flatten()
            .collect();
        reached.sort_unstable();
        reached.dedup();
        let mut wanted = clients.to_vec();
        wanted.sort_unstable();
        if reached != wanted {
            fail(&TRN_006, format!("a packet of codec {codec} was emitted to {reached:?} of {wanted:?}"));
        }
    }
}

fn messages(transport: &Transport, clients: &[u64]) {
    if let Err(failure) = transport.send_message(clients, "hello") {
        failure.breaks(&TRN_007, "send_message");
    }
    for &client in clients.iter().filter(|_| transport.info.flags & abi::TRANSPORT_HOST_CONNECTION != 0) {
        if let Err(failure) = transport.receive(client, abi::MESSAGE_TEXT, b"hello") {
            failure.breaks(&TRN_004, "receive");
        }
    }
    judge_events(&transport.events(), clients);
}

/// What nobody should send.
fn foreign(transport: &Transport, client: u64) {
    let has = |flag| transport.info.flags & flag != 0;
    let mut random = Random::new(23);
    let mut noise: Vec<u8> = Vec::new();
    for length in [0, 1, 7, 64, 4096].into_iter().filter(|_| has(abi::TRANSPORT_HOST_CONNECTION)) {
        noise.resize_with(length, || random.next().to_le_bytes()[0]);
        for kind in [abi::MESSAGE_TEXT, abi::MESSAGE_BINARY, 77] {
            let what = format!("{length} random bytes of kind {kind}");
            worst(&what, transport.receive(client, kind, &noise));
        }
    }
    let deep = "[".repeat(2000);
    if !has(abi::TRANSPORT_SIGNALING) {
        return;
    }
    for json in ["", "{", "[]", "null", r#"{"type":"offer","sdp":"nonsense"}"#, r#"{"candidate":1}"#, &deep] {
        worst(&format!("the signal {:.40}", json), transport.signal(client, json));
    }
}

fn worst(what: &str, answer: Result<bool, Failure>) {
    if let Err(failure) = answer
        && failure.class() != abi::CLASS_RETRY
    {
        failure.breaks(&TRN_004, what);
    }
}

/// Judges what the transport told the host.
fn judge_events(events: &[TransportEvent], open: &[u64]) {
    let known = |client: &u64| open.contains(client);
    for event in events {
        let foreign = match event {
            TransportEvent::Emit { clients, .. } => clients.iter().find(|client| !known(client)),
            TransportEvent::Message { client, .. }
            | TransportEvent::Signal { client, .. }
            | TransportEvent::Feedback { client, .. }
            | TransportEvent::Keyframe { client }
            | TransportEvent::Codec { client, .. }
            | TransportEvent::State { client, .. } => Some(client).filter(|client| !known(client)),
        };
        if let Some(client) = foreign {
            fail(&TRN_003, format!("client {client} was named, open are {open:?}"));
        }
        match event {
            TransportEvent::Emit { clients, kind, header, payload } => emit(clients, *kind, header, payload),
            TransportEvent::Message { channel, kind, payload, .. }
                if *channel > abi::CHANNEL_POINTER || !message(*kind, payload.as_deref()) =>
            {
                fail(
                    &TRN_007,
                    format!("a message of kind {kind} on channel {channel}, or not as its kind says"),
                );
            }
            TransportEvent::Signal { json, .. } => {
                let parsed = json.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok());
                if !parsed.is_some_and(|value| value.is_object()) {
                    fail(&TRN_007, "a signal that is no JSON object");
                }
            }
            TransportEvent::State { state, .. }
                if !(abi::CLIENT_CONNECTING..=abi::CLIENT_FAILED).contains(state) =>
            {
                fail(&TRN_007, format!("the client state {state}"));
            }
            TransportEvent::Feedback { complete: false, .. } => {
                fail(&TRN_007, "feedback that is NULL or too small")
            }
            TransportEvent::Codec { codec: 0, .. } => fail(&TRN_007, "the codec 0"),
            _ => {}
        }
    }
}

fn emit(clients: &[u64], kind: u32, header: &Option<Vec<u8>>, payload: &Option<Vec<u8>>) {
    let (Some(header), Some(payload)) = (header, payload) else {
        return fail(&TRN_005, "a header or a payload is NULL with a length");
    };
    let whole = [&header[..], &payload[..]].concat();
    if clients.is_empty() || header.len() > abi::SLAB_HEADROOM || !message(kind, Some(&whole)) {
        let (count, bytes) = (clients.len(), header.len());
        fail(
            &TRN_005,
            format!("{count} clients, kind {kind}, a header of {bytes} bytes, or text that is not UTF-8"),
        );
    }
}

/// True when the bytes are what a message kind says.
fn message(kind: u32, payload: Option<&[u8]>) -> bool {
    match (kind, payload) {
        (abi::MESSAGE_TEXT, Some(bytes)) => std::str::from_utf8(bytes).is_ok(),
        (abi::MESSAGE_BINARY, Some(_)) => true,
        _ => false,
    }
}
