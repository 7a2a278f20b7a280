//! `selkies.host.transport/1`: what clients say, and what goes out on the connections that the host owns.

use core::ffi::c_void;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use selkies_plugin_abi::{self as abi, SLAB_HEADROOM};

use super::context::{Context, enter};
use super::foreign;
use super::memory::{EXHAUSTED, INVALID, WRONG_STATE};
use super::packet::PacketBuf;
use super::slab::MAX_SLAB_BYTES;
use crate::size::size_field;

/// Largest message of the session's protocol in either direction, in bytes; a transport may set a lower limit.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Clients that one call may name.
pub const MAX_CLIENTS_PER_CALL: usize = 1024;
/// Largest signaling message, in bytes.
const MAX_SIGNAL: usize = 256 << 10;
/// Longest reason, in bytes.
const MAX_REASON: usize = 1024;

pub(crate) static HOST_TRANSPORT: abi::HostTransportV1 = abi::HostTransportV1 {
    struct_size: size_field::<abi::HostTransportV1>(),
    reserved: 0,
    message: Some(message),
    emit: Some(emit),
    signal: Some(signal),
    feedback: Some(feedback),
    request_keyframe: Some(request_keyframe),
    client_codec: Some(client_codec),
    client_state: Some(client_state),
};

/// Who receives what a transport says.
///
/// Called by any thread, several at a time, also from within calls to the transport. Must not block. Client numbers
/// are the plugin's claim: they may name clients that left a moment ago, or none.
pub trait TransportSink: Send + Sync {
    /// A message of the session's protocol arrived from a client. Text is valid UTF-8.
    fn message(&self, client: u64, kind: MessageKind, payload: &[u8]);
    /// Sends one message on the connections that the host owns.
    ///
    /// # Errors
    /// When it reached none of the clients.
    fn emit(&self, clients: &[u64], kind: MessageKind, message: Bytes) -> Result<(), EmitRefusal>;
    /// Sends a signaling message to a client.
    fn signal(&self, client: u64, json: &str);
    /// Something was learned about the path to a client.
    fn feedback(&self, client: u64, feedback: PathFeedback);
    /// A client cannot decode. The receiver limits the rate.
    fn request_keyframe(&self, client: u64);
    /// Signaling came to a codec, one of the ABI's `CODEC_*`, for a stream of a client. Says nothing new to a receiver
    /// that offers one codec.
    fn client_codec(&self, client: u64, stream: u32, codec: u32) {
        tracing::debug!(client, stream, codec, "the client's codec is agreed");
    }
    /// A client's state changed.
    fn client_state(&self, client: u64, state: ClientState, reason: &str);
}

/// Kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// State of a client as its transport sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// Being set up.
    Connecting,
    /// Packets flow.
    Connected,
    /// Gone; it is to be closed.
    Failed,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitRefusal {
    /// None of the clients has a connection.
    UnknownClients,
    /// The queues of all of them are full.
    Full,
}

/// What a transport learned about the path to one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathFeedback {
    /// Loss in parts per million of the last interval, at most 1 000 000.
    pub loss_ppm: u32,
    /// Round trip in microseconds.
    pub rtt_us: Option<u64>,
    /// Estimated capacity in kbit/s.
    pub estimate_kbps: Option<u32>,
    /// Bytes that wait in the transport for this client.
    pub queued_bytes: u32,
    /// Newest frame of `stream` known to have arrived whole.
    pub arrived_frame_id: Option<u64>,
    /// Which of the client's streams `arrived_frame_id` counts in, from 0.
    pub stream: u32,
}

impl MessageKind {
    pub(crate) fn to_abi(self) -> u32 {
        match self {
            Self::Text => abi::MESSAGE_TEXT,
            Self::Binary => abi::MESSAGE_BINARY,
        }
    }

    fn from_abi(kind: u32) -> Option<Self> {
        match kind {
            abi::MESSAGE_TEXT => Some(Self::Text),
            abi::MESSAGE_BINARY => Some(Self::Binary),
            _ => None,
        }
    }
}

/// Where one transport's calls arrive.
pub(crate) struct TransportDesk {
    sink: Arc<dyn TransportSink>,
    max_message: AtomicUsize,
}

impl TransportDesk {
    pub(crate) fn new(sink: Arc<dyn TransportSink>) -> Self {
        Self { sink, max_message: AtomicUsize::new(MAX_MESSAGE_BYTES) }
    }

    /// The limit that the transport's information names.
    pub(crate) fn limit_messages(&self, bytes: usize) {
        self.max_message.store(bytes.min(MAX_MESSAGE_BYTES), Ordering::Relaxed);
    }
}

thread_local! {
    /// Packets that this thread is sending, with their contexts; more than one only if transports nest.
    static SENDING: RefCell<Vec<(usize, PacketBuf)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `send_packet` so that `emit` finds the packet.
pub(crate) fn while_sending<R>(context: usize, packet: &PacketBuf, send: impl FnOnce() -> R) -> R {
    SENDING.with_borrow_mut(|sending| sending.push((context, packet.clone())));
    let answer = send();
    SENDING.with_borrow_mut(Vec::pop);
    answer
}

/// The packet that is being sent, if `payload` is exactly its payload.
fn packet_of(context: usize, payload: &[u8]) -> Option<PacketBuf> {
    // `try_with`: a plugin may emit from a thread that is being torn down.
    let found = SENDING.try_with(|sending| {
        let sending = sending.borrow();
        let (owner, packet) = sending.last()?;
        let own = packet.payload();
        (*owner == context && std::ptr::eq(own, payload)).then(|| packet.clone())
    });
    found.ok().flatten()
}

/// Runs `body` on the transport's sink, unless the instance is being destroyed. `body` answers what is wrong.
fn on_sink(
    ctx: *mut c_void,
    function: &'static str,
    body: impl FnOnce(&TransportDesk) -> Result<abi::Status, &'static str>,
) -> abi::Status {
    enter(ctx, function, WRONG_STATE, |context: &Context| {
        let Some(desk) = context.transport() else {
            context.account.misbehaving(function, "only transports may call this");
            return WRONG_STATE;
        };
        if context.is_closing() {
            return WRONG_STATE;
        }
        body(desk).unwrap_or_else(|what| {
            context.account.misbehaving(function, what);
            INVALID
        })
    })
}

/// Every channel is read alike: a message says itself what it is.
unsafe extern "C" fn message(ctx: *mut c_void, client: u64, _channel: u32, kind: u32, payload: abi::Bytes) {
    on_sink(ctx, "transport.message", |desk| {
        let limit = desk.max_message.load(Ordering::Relaxed);
        // SAFETY: bytes of a call are readable for the call.
        let payload = unsafe { foreign::bytes(payload, limit) }.ok_or("the payload is NULL or too long")?;
        let kind = MessageKind::from_abi(kind).ok_or("there is no such kind of message")?;
        if kind == MessageKind::Text && std::str::from_utf8(payload).is_err() {
            return Err("a text message is not UTF-8");
        }
        desk.sink.message(client, kind, payload);
        Ok(abi::OK)
    });
}

unsafe extern "C" fn emit(
    ctx: *mut c_void,
    clients: *const u64,
    client_count: u32,
    kind: u32,
    header: abi::Bytes,
    payload: abi::Bytes,
) -> abi::Status {
    on_sink(ctx, "transport.emit", |desk| {
        // SAFETY: arrays and bytes of a call are readable for the call.
        let (clients, header, payload) = unsafe {
            (
                foreign::slice(clients, client_count as usize, MAX_CLIENTS_PER_CALL)
                    .ok_or("the clients are NULL, not aligned or too many")?,
                foreign::bytes(header, SLAB_HEADROOM).ok_or("the header is NULL or over 64 bytes")?,
                foreign::bytes(payload, MAX_SLAB_BYTES).ok_or("the payload is NULL or over 64 MiB")?,
            )
        };
        let kind = MessageKind::from_abi(kind).ok_or("there is no such kind of message")?;
        let message = match packet_of(ctx.addr(), payload) {
            Some(packet) => packet.with_header(header),
            None => {
                let mut copy = BytesMut::with_capacity(header.len() + payload.len());
                copy.extend_from_slice(header);
                copy.extend_from_slice(payload);
                copy.freeze()
            }
        };
        if kind == MessageKind::Text && std::str::from_utf8(&message).is_err() {
            return Err("a text message is not UTF-8");
        }
        Ok(match desk.sink.emit(clients, kind, message) {
            Ok(()) => abi::OK,
            Err(EmitRefusal::UnknownClients) => abi::failure(abi::CLASS_RETRY, abi::DETAIL_NOT_FOUND),
            Err(EmitRefusal::Full) => EXHAUSTED,
        })
    })
}

unsafe extern "C" fn signal(ctx: *mut c_void, client: u64, json: abi::Str) {
    on_sink(ctx, "transport.signal", |desk| {
        // SAFETY: texts of a call are readable for the call.
        let json = unsafe { foreign::text(json, MAX_SIGNAL) };
        let json = json.ok_or("the message is NULL, not UTF-8 or over 256 KiB")?;
        if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
            return Err("the message is not JSON");
        }
        desk.sink.signal(client, json);
        Ok(abi::OK)
    });
}

unsafe extern "C" fn feedback(ctx: *mut c_void, client: u64, feedback: *const abi::Feedback) {
    on_sink(ctx, "transport.feedback", |desk| {
        // SAFETY: not NULL, aligned and large enough is checked; a plugin's pointer is readable.
        let feedback = unsafe { foreign::sized(feedback) };
        let feedback = feedback.ok_or("`feedback` is NULL, not aligned, or its struct_size is wrong")?;
        if feedback.loss_ppm > 1_000_000 {
            return Err("the loss is over 1 000 000 parts per million");
        }
        desk.sink.feedback(
            client,
            PathFeedback {
                loss_ppm: feedback.loss_ppm,
                rtt_us: (feedback.rtt_us != 0).then_some(feedback.rtt_us),
                estimate_kbps: (feedback.estimate_kbps != 0).then_some(feedback.estimate_kbps),
                queued_bytes: feedback.queued_bytes,
                arrived_frame_id: (feedback.arrived_frame_id != 0).then_some(feedback.arrived_frame_id),
                stream: feedback.stream,
            },
        );
        Ok(abi::OK)
    });
}

/// Every client of this host has one display, and so one stream.
unsafe extern "C" fn request_keyframe(ctx: *mut c_void, client: u64, _stream: u32) {
    on_sink(ctx, "transport.request_keyframe", |desk| {
        desk.sink.request_keyframe(client);
        Ok(abi::OK)
    });
}

unsafe extern "C" fn client_codec(ctx: *mut c_void, client: u64, stream: u32, codec: u32) {
    on_sink(ctx, "transport.client_codec", |desk| {
        desk.sink.client_codec(client, stream, codec);
        Ok(abi::OK)
    });
}

unsafe extern "C" fn client_state(ctx: *mut c_void, client: u64, state: u32, reason: abi::Str) {
    on_sink(ctx, "transport.client_state", |desk| {
        let state = match state {
            abi::CLIENT_CONNECTING => ClientState::Connecting,
            abi::CLIENT_CONNECTED => ClientState::Connected,
            abi::CLIENT_FAILED => ClientState::Failed,
            _ => return Err("there is no such client state"),
        };
        // SAFETY: texts of a call are readable for the call.
        let reason = unsafe { foreign::lossy(reason, MAX_REASON) };
        desk.sink.client_state(client, state, &reason);
        Ok(abi::OK)
    });
}
