//! The host's tables, answered by a [`TestHost`](super::TestHost).

use core::ffi::c_void;
use std::sync::atomic::Ordering;

use super::{
    Inner,
    record::{CommittedPacket, DoneReport, Failure, LogLine, Metric, TransportEvent},
};
use crate::{ClientState, PacketInfo, abi, guard, guard::size32};

const REFUSED: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT);
const NO_SLAB: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES);

/// # Safety
/// `ctx` is the context of a test host that lives for the call.
unsafe fn inner<'a>(ctx: *mut c_void) -> &'a Inner {
    // SAFETY: the context is the address of the `Inner`.
    unsafe { &*ctx.cast::<Inner>() }
}

/// # Safety
/// The text lives for the call.
unsafe fn owned(text: abi::Str) -> String {
    // SAFETY: the caller vouches for the text.
    unsafe { guard::text(text) }.map_or_else(|_| "(not UTF-8)".into(), str::to_owned)
}

/// # Safety
/// The bytes live for the call.
unsafe fn copied(bytes: abi::Bytes) -> Vec<u8> {
    // SAFETY: the caller vouches for the bytes.
    unsafe { guard::bytes(bytes) }.map(<[u8]>::to_vec).unwrap_or_default()
}

pub(super) unsafe extern "C" fn query(_: *mut c_void, id: abi::Str) -> *const c_void {
    // SAFETY: the plugin borrows the id to the call.
    match unsafe { guard::text(id) } {
        Ok(abi::ids::HOST_LOG_V1) => (&raw const LOG).cast(),
        Ok(abi::ids::HOST_CLOCK_V1) => (&raw const CLOCK).cast(),
        Ok(abi::ids::HOST_METRICS_V1) => (&raw const METRICS).cast(),
        Ok(abi::ids::HOST_MEMORY_V1) => (&raw const MEMORY).cast(),
        Ok(abi::ids::HOST_ENCODER_V1) => (&raw const ENCODER).cast(),
        Ok(abi::ids::HOST_TRANSPORT_V1) => (&raw const TRANSPORT).cast(),
        _ => std::ptr::null(),
    }
}

static LOG: abi::LogV1 = abi::LogV1 {
    struct_size: size32::<abi::LogV1>(),
    reserved: 0,
    max_level: Some(max_level),
    log: Some(log),
    fail: Some(fail),
};

unsafe extern "C" fn max_level(ctx: *mut c_void) -> u32 {
    // SAFETY: the contract of the host's tables; so in every function below.
    unsafe { inner(ctx) }.max_level.load(Ordering::Relaxed)
}

unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: u32,
    target: abi::Str,
    message: abi::Str,
    fields: abi::Str,
) {
    // SAFETY: as in `max_level`; the texts live for the call, so below.
    unsafe {
        let fields = owned(fields);
        let parsed = serde_json::from_str(&fields);
        let (target, message) = (owned(target), owned(message));
        let mut recorded = inner(ctx).lock();
        if parsed.is_err() && !fields.is_empty() {
            recorded.misuse.push(format!("log: the fields are not JSON: {fields}"));
        }
        recorded.log.push(LogLine { level, target, message, fields: parsed.unwrap_or_default() });
    }
}

unsafe extern "C" fn fail(ctx: *mut c_void, status: abi::Status, text: abi::Str) {
    // SAFETY: as in `log`.
    unsafe {
        let failure = Failure { status, text: owned(text) };
        inner(ctx).lock().failures.push(failure);
    }
}

static CLOCK: abi::ClockV1 =
    abi::ClockV1 { struct_size: size32::<abi::ClockV1>(), reserved: 0, now_ns: Some(now_ns) };

unsafe extern "C" fn now_ns(_: *mut c_void) -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The clock counts up from the start of the machine: neither part is negative.
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

static METRICS: abi::MetricsV1 = abi::MetricsV1 {
    struct_size: size32::<abi::MetricsV1>(),
    reserved: 0,
    counter_add: Some(counter_add),
    gauge_set: Some(gauge_set),
    observe: Some(observe),
};

/// # Safety
/// As in `log`.
unsafe fn metric(ctx: *mut c_void, name: abi::Str, make: impl FnOnce(String) -> Metric) {
    // SAFETY: the caller vouches for the context and the name.
    let (name, mut recorded) = unsafe { (owned(name), inner(ctx).lock()) };
    let letters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(letters) {
        recorded.misuse.push(format!("metrics: {name:?} does not match [a-z][a-z0-9_]{{0,63}}"));
    }
    recorded.metrics.push(make(name));
}

unsafe extern "C" fn counter_add(ctx: *mut c_void, name: abi::Str, value: u64) {
    // SAFETY: as in `log`.
    unsafe { metric(ctx, name, |name| Metric::Counter(name, value)) }
}

unsafe extern "C" fn gauge_set(ctx: *mut c_void, name: abi::Str, value: f64) {
    // SAFETY: as in `log`.
    unsafe { metric(ctx, name, |name| Metric::Gauge(name, value)) }
}

unsafe extern "C" fn observe(ctx: *mut c_void, name: abi::Str, value: f64) {
    // SAFETY: as in `log`.
    unsafe { metric(ctx, name, |name| Metric::Observation(name, value)) }
}

static MEMORY: abi::MemoryV1 = abi::MemoryV1 {
    struct_size: size32::<abi::MemoryV1>(),
    reserved: 0,
    slab: Some(slab),
    commit: Some(commit),
    abandon: Some(abandon),
    retain: Some(retain),
    release: Some(release),
};

unsafe extern "C" fn slab(ctx: *mut c_void, min_len: usize, out: *mut abi::Slab) -> abi::Status {
    // SAFETY: as in `max_level`; `out` is the plugin's to receive the slab.
    unsafe {
        let Ok(out) = guard::Answer::new(out) else { return REFUSED };
        match inner(ctx).lock().slabs.give(min_len) {
            Some(slab) => out.give(slab),
            None => NO_SLAB,
        }
    }
}

unsafe extern "C" fn commit(
    ctx: *mut c_void,
    slab: *const abi::Slab,
    packet: *const abi::Packet,
) -> abi::Status {
    // SAFETY: as in `max_level`; slab and packet live for the call.
    unsafe {
        let mut recorded = inner(ctx).lock();
        let (Ok(slab), Ok(packet)) = (guard::pointer(slab, "slab"), guard::sized(packet, "packet")) else {
            recorded.misuse.push("commit: slab or packet is NULL or too small".into());
            return REFUSED;
        };
        match recorded.slabs.take(slab.token, packet.len) {
            Ok(payload) if !payload.is_empty() => {
                recorded.packets.push(CommittedPacket { info: info(packet), payload });
                abi::OK
            }
            Ok(_) => {
                recorded.misuse.push("commit: a packet is empty".into());
                REFUSED
            }
            Err(misuse) => {
                recorded.misuse.push(format!("commit: {misuse}"));
                REFUSED
            }
        }
    }
}

fn info(packet: &abi::Packet) -> PacketInfo {
    PacketInfo {
        codec: packet.codec,
        flags: packet.flags,
        layer: packet.layer,
        frame_id: packet.frame_id,
        reference_frame_id: packet.reference_frame_id,
        timestamp_ns: packet.timestamp_ns,
        duration_ns: packet.duration_ns,
        area: packet.area,
    }
}

unsafe extern "C" fn abandon(ctx: *mut c_void, slab: *const abi::Slab) {
    // SAFETY: as in `commit`.
    unsafe {
        let mut recorded = inner(ctx).lock();
        let taken = match guard::pointer(slab, "slab") {
            Ok(slab) => recorded.slabs.take(slab.token, 0).map(drop),
            Err(error) => Err(error.text().to_owned()),
        };
        if let Err(misuse) = taken {
            recorded.misuse.push(format!("abandon: {misuse}"));
        }
    }
}

unsafe extern "C" fn retain(ctx: *mut c_void, token: u64) -> abi::Status {
    // SAFETY: as in `max_level`.
    let mut recorded = unsafe { inner(ctx) }.lock();
    match recorded.frames.retain(token) {
        Ok(()) => abi::OK,
        Err(misuse) => {
            recorded.misuse.push(format!("retain: {misuse}"));
            REFUSED
        }
    }
}

unsafe extern "C" fn release(ctx: *mut c_void, token: u64) {
    // SAFETY: as in `max_level`.
    let mut recorded = unsafe { inner(ctx) }.lock();
    if let Err(misuse) = recorded.frames.release(token) {
        recorded.misuse.push(format!("release: {misuse}"));
    }
}

static ENCODER: abi::HostEncoderV1 =
    abi::HostEncoderV1 { struct_size: size32::<abi::HostEncoderV1>(), reserved: 0, done: Some(done) };

unsafe extern "C" fn done(ctx: *mut c_void, done: *const abi::FrameDone) {
    // SAFETY: as in `max_level`; the report lives for the call.
    unsafe {
        let inner = inner(ctx);
        let mut recorded = inner.lock();
        let Ok(done) = guard::sized::<abi::FrameDone>(done, "done") else {
            recorded.misuse.push("done: NULL or too small".into());
            return;
        };
        if recorded.done.iter().any(|before| before.frame_id == done.frame_id) {
            recorded.misuse.push(format!("done: frame {} was reported before", done.frame_id));
        }
        let outcome = if done.status >= 0 {
            Ok(())
        } else {
            let said = recorded.failures.last().filter(|last| last.status == done.status).cloned();
            Err(said.unwrap_or(Failure { status: done.status, text: String::new() }))
        };
        let refine_at_ns = (done.refine_at_ns != 0).then_some(done.refine_at_ns);
        recorded.done.push(DoneReport { frame_id: done.frame_id, outcome, refine_at_ns });
        inner.reported.notify_all();
    }
}

static TRANSPORT: abi::HostTransportV1 = abi::HostTransportV1 {
    struct_size: size32::<abi::HostTransportV1>(),
    reserved: 0,
    message: Some(message),
    emit: Some(emit),
    signal: Some(signal),
    feedback: Some(feedback),
    request_keyframe: Some(request_keyframe),
    client_codec: Some(client_codec),
    client_state: Some(client_state),
};

unsafe extern "C" fn message(ctx: *mut c_void, client: u64, channel: u32, kind: u32, payload: abi::Bytes) {
    // SAFETY: as in `log`.
    let (mut recorded, payload) = unsafe { (inner(ctx).lock(), copied(payload)) };
    match (kind, String::from_utf8(payload)) {
        (abi::MESSAGE_TEXT, Ok(text)) => recorded.transport.push(TransportEvent::Text(client, channel, text)),
        (abi::MESSAGE_BINARY, payload) => {
            let bytes = payload.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            recorded.transport.push(TransportEvent::Binary(client, channel, bytes));
        }
        (kind, _) => recorded.misuse.push(format!("message: kind {kind} is unknown, or its text not UTF-8")),
    }
}

unsafe extern "C" fn emit(
    ctx: *mut c_void,
    clients: *const u64,
    client_count: u32,
    kind: u32,
    header: abi::Bytes,
    payload: abi::Bytes,
) -> abi::Status {
    // SAFETY: as in `log`.
    unsafe {
        let (header, payload) = (copied(header), copied(payload));
        let mut recorded = inner(ctx).lock();
        let clients = guard::array(clients, client_count, 65_536, "clients");
        let known = kind == abi::MESSAGE_TEXT || kind == abi::MESSAGE_BINARY;
        match clients {
            Ok(clients) if known && header.len() <= abi::SLAB_HEADROOM => {
                let (clients, text) = (clients.to_vec(), kind == abi::MESSAGE_TEXT);
                recorded.transport.push(TransportEvent::Emit { clients, text, header, payload });
                abi::OK
            }
            _ => {
                recorded.misuse.push("emit: no clients, unknown kind or a header over its limit".into());
                REFUSED
            }
        }
    }
}

unsafe extern "C" fn signal(ctx: *mut c_void, client: u64, json: abi::Str) {
    // SAFETY: as in `log`.
    let (mut recorded, json) = unsafe { (inner(ctx).lock(), owned(json)) };
    if serde_json::from_str::<serde_json::Value>(&json).is_err() {
        recorded.misuse.push(format!("signal: not JSON: {json}"));
    }
    recorded.transport.push(TransportEvent::Signal(client, json));
}

unsafe extern "C" fn feedback(ctx: *mut c_void, client: u64, feedback: *const abi::Feedback) {
    // SAFETY: as in `commit`.
    unsafe {
        let mut recorded = inner(ctx).lock();
        match guard::sized::<abi::Feedback>(feedback, "feedback") {
            Ok(&abi::Feedback { rtt_us, loss_ppm, estimate_kbps, stream, arrived_frame_id, .. }) => {
                let arrived = (stream, arrived_frame_id);
                let event = TransportEvent::Feedback { client, rtt_us, loss_ppm, estimate_kbps, arrived };
                recorded.transport.push(event);
            }
            Err(error) => recorded.misuse.push(error.text().to_owned()),
        }
    }
}

unsafe extern "C" fn request_keyframe(ctx: *mut c_void, client: u64, stream: u32) {
    // SAFETY: as in `max_level`.
    unsafe { inner(ctx) }.lock().transport.push(TransportEvent::KeyframeRequest(client, stream));
}

unsafe extern "C" fn client_codec(ctx: *mut c_void, client: u64, stream: u32, codec: u32) {
    // SAFETY: as in `max_level`.
    unsafe { inner(ctx) }.lock().transport.push(TransportEvent::Codec(client, stream, codec));
}

unsafe extern "C" fn client_state(ctx: *mut c_void, client: u64, state: u32, reason: abi::Str) {
    // SAFETY: as in `log`.
    let (mut recorded, reason) = unsafe { (inner(ctx).lock(), owned(reason)) };
    let state = match state {
        abi::CLIENT_CONNECTING => ClientState::Connecting,
        abi::CLIENT_CONNECTED => ClientState::Connected,
        abi::CLIENT_FAILED => ClientState::Failed,
        state => return recorded.misuse.push(format!("client_state: {state} is unknown")),
    };
    recorded.transport.push(TransportEvent::State(client, state, reason));
}
