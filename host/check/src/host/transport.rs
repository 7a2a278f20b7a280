//! What a transport tells the host.

use std::ffi::c_void;

use selkies_plugin_abi as abi;

use super::{find, size32, sized, tables::copied, text};

/// One call of `selkies.host.transport/1`. Values that make no sense are kept: rules judge them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportEvent {
    Message { client: u64, channel: u32, kind: u32, payload: Option<Vec<u8>> },
    Emit { clients: Vec<u64>, kind: u32, header: Option<Vec<u8>>, payload: Option<Vec<u8>> },
    Signal { client: u64, json: Option<String> },
    Feedback { client: u64, complete: bool },
    Keyframe { client: u64 },
    Codec { client: u64, codec: u32 },
    State { client: u64, state: u32 },
}

/// Most clients of one call.
const MAX_CLIENTS: usize = 65_536;

pub(super) static TRANSPORT: abi::HostTransportV1 = abi::HostTransportV1 {
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

fn note(ctx: *mut c_void, function: &'static str, event: TransportEvent) {
    if let Some(context) = find(ctx, function) {
        context.state().transport.push(event);
        context.announce();
    }
}

unsafe extern "C" fn message(ctx: *mut c_void, client: u64, channel: u32, kind: u32, payload: abi::Bytes) {
    // SAFETY: the bytes live for the call; so in every function below.
    let payload = unsafe { copied(payload) };
    note(ctx, "message", TransportEvent::Message { client, channel, kind, payload });
}

unsafe extern "C" fn emit(
    ctx: *mut c_void,
    clients: *const u64,
    count: u32,
    kind: u32,
    header: abi::Bytes,
    payload: abi::Bytes,
) -> abi::Status {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let clients = if clients.is_null() || !clients.is_aligned() || count > MAX_CLIENTS {
        Vec::new()
    } else {
        // SAFETY: not NULL, aligned and of bounded length; readable as the plugin says.
        unsafe { std::slice::from_raw_parts(clients, count) }.to_vec()
    };
    // SAFETY: as in `message`.
    let (header, payload) = unsafe { (copied(header), copied(payload)) };
    note(ctx, "emit", TransportEvent::Emit { clients, kind, header, payload });
    abi::OK
}

unsafe extern "C" fn signal(ctx: *mut c_void, client: u64, json: abi::Str) {
    // SAFETY: as in `message`.
    let json = unsafe { text(json) }.ok().map(str::to_owned);
    note(ctx, "signal", TransportEvent::Signal { client, json });
}

unsafe extern "C" fn feedback(ctx: *mut c_void, client: u64, feedback: *const abi::Feedback) {
    // SAFETY: as in `message`.
    let complete = unsafe { sized(feedback) }.is_some();
    note(ctx, "feedback", TransportEvent::Feedback { client, complete });
}

unsafe extern "C" fn request_keyframe(ctx: *mut c_void, client: u64, _: u32) {
    note(ctx, "request_keyframe", TransportEvent::Keyframe { client });
}

unsafe extern "C" fn client_codec(ctx: *mut c_void, client: u64, _: u32, codec: u32) {
    note(ctx, "client_codec", TransportEvent::Codec { client, codec });
}

unsafe extern "C" fn client_state(ctx: *mut c_void, client: u64, state: u32, _: abi::Str) {
    note(ctx, "client_state", TransportEvent::State { client, state });
}
