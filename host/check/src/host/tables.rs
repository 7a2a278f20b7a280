//! The host's tables.

use std::{ffi::c_void, io::Write, time::Instant};

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Context, PacketRecord, Role, bytes, count_line, find, refused, size32, sized, text, transport::TRANSPORT,
};
use crate::{
    journal,
    rules::{
        encoder::{
            ENC_008, ENC_011, ENC_012, ENC_013, ENC_014, ENC_016, ENC_017, ENC_018, ENC_019, ENC_020,
            ENC_021, ENC_029,
        },
        lifecycle::LIF_020,
    },
};

const GONE: abi::Status = abi::failure(abi::CLASS_FATAL_INSTANCE, abi::DETAIL_WRONG_STATE);
const NO_SLAB: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES);

/// Flags that an encoder may set on a packet.
const PACKET_FLAGS: u32 = abi::PACKET_KEY
    | abi::PACKET_INTRA
    | abi::PACKET_ANCHOR
    | abi::PACKET_DISCARDABLE
    | abi::PACKET_REFINEMENT;

pub(super) unsafe extern "C" fn query(ctx: *mut c_void, id: abi::Str) -> *const c_void {
    let Some(context) = find(ctx, "query") else { return std::ptr::null() };
    // SAFETY: the plugin borrows the id to the call.
    let Ok(id) = (unsafe { text(id) }) else {
        journal::fail(&LIF_020, "query was asked for an id that is not UTF-8");
        return std::ptr::null();
    };
    match (id, context.role) {
        (ids::HOST_LOG_V1, _) => (&raw const LOG).cast(),
        (ids::HOST_CLOCK_V1, _) => (&raw const CLOCK).cast(),
        (ids::HOST_METRICS_V1, _) => (&raw const METRICS).cast(),
        (ids::HOST_MEMORY_V1, Role::Encoder | Role::Transport) => (&raw const MEMORY).cast(),
        (ids::HOST_ENCODER_V1, Role::Encoder) => (&raw const ENCODER).cast(),
        (ids::HOST_TRANSPORT_V1, Role::Transport) => (&raw const TRANSPORT).cast(),
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
    find(ctx, "max_level");
    abi::LEVEL_INFO
}

unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: u32,
    target: abi::Str,
    message: abi::Str,
    fields: abi::Str,
) {
    if find(ctx, "log").is_none() {
        return;
    }
    // SAFETY: the texts live for the call; so in every function below.
    let (target, message, fields) = unsafe { (text(target), text(message), text(fields)) };
    for (name, given) in [("target", &target), ("message", &message), ("fields", &fields)] {
        if let Err(why) = given {
            journal::fail(&LIF_020, format!("log: its {name} is {why}"));
        }
    }
    if let Ok(fields) = fields
        && !fields.is_empty()
        && !serde_json::from_str::<serde_json::Value>(fields).is_ok_and(|fields| fields.is_object())
    {
        journal::fail(&LIF_020, format!("log: the fields are no JSON object: {fields}"));
    }
    if !(abi::LEVEL_ERROR..=abi::LEVEL_PLUGIN_MISBEHAVING).contains(&level) {
        journal::fail(&LIF_020, format!("log: level {level} is unknown"));
    }
    if level <= abi::LEVEL_INFO || level > abi::LEVEL_TRACE {
        count_line();
    }
    // Read by people who debug a plugin with --in-process, and kept with a crash.
    let (target, message) = (target.unwrap_or_default(), message.unwrap_or_default());
    let _ = writeln!(std::io::stderr(), "log {level} {target}: {message}");
}

unsafe extern "C" fn fail(ctx: *mut c_void, status: abi::Status, reason: abi::Str) {
    let Some(context) = find(ctx, "fail") else { return };
    // SAFETY: as in `log`.
    match unsafe { text(reason) } {
        Ok(reason) => {
            let said = (status, reason.chars().take(1024).collect());
            context.state().reasons.insert(std::thread::current().id(), said);
        }
        Err(why) => journal::fail(&LIF_020, format!("fail: its text is {why}")),
    }
}

static CLOCK: abi::ClockV1 =
    abi::ClockV1 { struct_size: size32::<abi::ClockV1>(), reserved: 0, now_ns: Some(now_ns) };

unsafe extern "C" fn now_ns(ctx: *mut c_void) -> u64 {
    find(ctx, "now_ns");
    crate::call::now_ns()
}

static METRICS: abi::MetricsV1 = abi::MetricsV1 {
    struct_size: size32::<abi::MetricsV1>(),
    reserved: 0,
    counter_add: Some(counter_add),
    gauge_set: Some(number),
    observe: Some(number),
};

fn metric(ctx: *mut c_void, name: abi::Str) {
    if find(ctx, "a metric").is_none() {
        return;
    }
    // SAFETY: the name lives for the call.
    let name = unsafe { text(name) }.unwrap_or("(not UTF-8)");
    let letters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(letters) {
        journal::fail(&LIF_020, format!("a metric is called {name:?}"));
    }
}

unsafe extern "C" fn counter_add(ctx: *mut c_void, name: abi::Str, _: u64) {
    metric(ctx, name);
}

unsafe extern "C" fn number(ctx: *mut c_void, name: abi::Str, _: f64) {
    metric(ctx, name);
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
    let Some(context) = find(ctx, "slab") else { return GONE };
    if out.is_null() || !out.is_aligned() {
        return refused(&ENC_014, "slab: out is NULL or misaligned");
    }
    match context.state().slabs.give(min_len) {
        Some(slab) => {
            // SAFETY: writable, as the plugin says.
            unsafe { out.write(slab) };
            abi::OK
        }
        None => NO_SLAB,
    }
}

unsafe extern "C" fn commit(
    ctx: *mut c_void,
    slab: *const abi::Slab,
    packet: *const abi::Packet,
) -> abi::Status {
    let Some(context) = find(ctx, "commit") else { return GONE };
    // SAFETY: slab and packet live for the call.
    let (slab, packet) = unsafe { (slab.as_ref(), sized(packet)) };
    let (Some(slab), Some(packet)) = (slab, packet) else {
        return refused(&ENC_014, "commit: slab or packet is NULL or too small");
    };
    let status = judge(&context, slab, packet);
    context.announce();
    status
}

fn judge(context: &Context, slab: &abi::Slab, packet: &abi::Packet) -> abi::Status {
    let mut state = context.state();
    let state = &mut *state;
    let Some(returned) = state.slabs.take(slab.token, packet.len) else {
        let again = if state.slabs.was_given(slab.token) { "is not out any more" } else { "was never given" };
        return refused(&ENC_014, format!("commit: slab {} {again}", slab.token));
    };
    if let Some(damage) = returned.damage {
        journal::fail(&ENC_013, damage);
    }
    if packet.len == 0 {
        return refused(&ENC_011, format!("a packet of frame {} has no bytes", packet.frame_id));
    }
    if packet.len > returned.capacity {
        let found = format!("a packet of {} bytes in a slab of {}", packet.len, returned.capacity);
        return refused(&ENC_012, found);
    }
    let id = packet.frame_id;
    let Some(flight) = state.frames.flights.get_mut(&id).filter(|flight| !flight.refused) else {
        return refused(&ENC_016, format!("a packet names frame {id}, which is not in flight"));
    };
    if flight.done.is_some() {
        return refused(&ENC_017, format!("a packet of frame {id} came after its done"));
    }
    if state.agreed.is_some_and(|agreed| agreed.codec != packet.codec) {
        return refused(&ENC_018, format!("a packet of codec {}", packet.codec));
    }
    if packet.flags & !PACKET_FLAGS != 0 {
        journal::fail(&ENC_018, format!("a packet with flags {:#x}", packet.flags));
    }
    let area = packet.area;
    let inside =
        |start: u32, len: u32, edge: u32| len > 0 && start.checked_add(len).is_some_and(|end| end <= edge);
    if !inside(area.x, area.width, flight.width) || !inside(area.y, area.height, flight.height) {
        let abi::Rect { x, y, width, height } = area;
        let (fw, fh) = (flight.width, flight.height);
        return refused(&ENC_019, format!("an area of {width}x{height} at {x},{y} in a frame of {fw}x{fh}"));
    }
    if packet.timestamp_ns != flight.timestamp_ns {
        let (found, wanted) = (packet.timestamp_ns, flight.timestamp_ns);
        journal::fail(&ENC_020, format!("a packet of frame {id} says {found} ns, the frame {wanted} ns"));
    }
    if id < state.frames.newest_with_packets {
        let newest = state.frames.newest_with_packets;
        journal::fail(&ENC_021, format!("a packet of frame {id} came after one of frame {newest}"));
    }
    state.frames.newest_with_packets = state.frames.newest_with_packets.max(id);
    flight.packets.push(PacketRecord {
        flags: packet.flags,
        layer: packet.layer,
        area,
        payload: returned.payload,
    });
    abi::OK
}

unsafe extern "C" fn abandon(ctx: *mut c_void, slab: *const abi::Slab) {
    let Some(context) = find(ctx, "abandon") else { return };
    // SAFETY: the slab lives for the call.
    let Some(slab) = (unsafe { slab.as_ref() }) else {
        journal::fail(&ENC_014, "abandon: slab is NULL");
        return;
    };
    match context.state().slabs.take(slab.token, 0) {
        None => journal::fail(&ENC_014, format!("abandon: slab {} is not out", slab.token)),
        Some(returned) => {
            if let Some(damage) = returned.damage {
                journal::fail(&ENC_013, damage);
            }
        }
    }
}

unsafe extern "C" fn retain(ctx: *mut c_void, token: u64) -> abi::Status {
    let Some(context) = find(ctx, "retain") else { return GONE };
    let mut state = context.state();
    let limit = state.agreed.map_or(0, |agreed| agreed.max_retained);
    match state.frames.retain(token, limit) {
        Ok(()) => abi::OK,
        Err(why) => refused(&ENC_029, why),
    }
}

unsafe extern "C" fn release(ctx: *mut c_void, token: u64) {
    let Some(context) = find(ctx, "release") else { return };
    if let Err(why) = context.state().frames.release(token) {
        journal::fail(&ENC_029, why);
    }
}

static ENCODER: abi::HostEncoderV1 =
    abi::HostEncoderV1 { struct_size: size32::<abi::HostEncoderV1>(), reserved: 0, done: Some(done) };

unsafe extern "C" fn done(ctx: *mut c_void, done: *const abi::FrameDone) {
    let Some(context) = find(ctx, "done") else { return };
    // SAFETY: the report lives for the call.
    let Some(done) = (unsafe { sized(done) }) else {
        journal::fail(&ENC_008, "done: NULL or too small");
        return;
    };
    let id = done.frame_id;
    match context.state().frames.flights.get_mut(&id).filter(|flight| !flight.refused) {
        None => journal::fail(&ENC_008, format!("frame {id} was reported, which is not in flight")),
        Some(flight) if flight.done.is_some() => {
            journal::fail(&ENC_008, format!("frame {id} was reported twice"));
        }
        Some(flight) => flight.done = Some((done.status, Instant::now())),
    }
    context.announce();
}

/// Bytes that the plugin lends for the call.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn copied(given: abi::Bytes) -> Option<Vec<u8>> {
    // SAFETY: as the caller says.
    unsafe { bytes(given) }.ok().map(<[u8]>::to_vec)
}
