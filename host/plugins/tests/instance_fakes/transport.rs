//! A transport that speaks the bare ABI and does what its configuration says, also what no transport may.

use selkies_plugin_abi::{self as abi, Instance, Status, Str};

use super::{View, create, destroy, fake, note, say};

thread_local! {
    /// What the last `receive` on this thread saw.
    pub(crate) static LAST: std::cell::Cell<Option<View>> = const { std::cell::Cell::new(None) };
}

pub(crate) static TABLE: abi::TransportV1 = abi::TransportV1 {
    struct_size: size_of::<abi::TransportV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    info: Some(info),
    client_open: Some(client_open),
    client_close: Some(client_close),
    receive: Some(receive),
    signal: Some(signal),
    rtc_config: Some(rtc_config),
    send_message: Some(send_message),
    send_packet: Some(send_packet),
};

fn view(instance: *mut Instance) -> View {
    // SAFETY: an instance of this fake; its host is not changed.
    unsafe { fake(instance) }.view
}

/// The host's side of the transport.
pub(crate) fn host(view: &View) -> &'static abi::HostTransportV1 {
    view.table(abi::ids::HOST_TRANSPORT_V1).unwrap()
}

fn text(text: Str) -> String {
    // SAFETY: the host's texts are UTF-8 and valid for the call.
    unsafe { std::str::from_utf8(std::slice::from_raw_parts(text.ptr, text.len)) }.unwrap().to_owned()
}

unsafe extern "C" fn info(instance: *mut Instance, out: *mut abi::TransportInfo) -> Status {
    // SAFETY: an instance of this fake, and a place of the host.
    unsafe {
        let act = fake(instance).act.as_str();
        *out = abi::TransportInfo {
            struct_size: if act == "info-size" { 0 } else { size_of::<abi::TransportInfo>() as u32 },
            flags: abi::TRANSPORT_HOST_CONNECTION | abi::TRANSPORT_FEEDBACK,
            codec_mask: 1 << abi::CODEC_JPEG,
            stripes: if act == "info-bool" { 2 } else { 1 },
            audio: 0,
            max_message: if act == "info-zero" { 0 } else { 1000 },
            reserved32: 0,
            reserved: [0; 4],
        };
    }
    0
}

unsafe extern "C" fn client_open(instance: *mut Instance, client: u64, hello: Str) -> Status {
    let view = view(instance);
    note(format!("open {client} {}", text(hello)));
    // SAFETY: a host function with valid texts.
    unsafe {
        host(&view).client_state.unwrap()(view.ctx(), client, abi::CLIENT_CONNECTED, Str::new("hello"))
    };
    if client == 13 {
        say(&view, abi::failure(abi::CLASS_RETRY, abi::DETAIL_UNSUPPORTED), "no codec")
    } else {
        0
    }
}

unsafe extern "C" fn client_close(_: *mut Instance, client: u64, reason: Str) {
    note(format!("close {client} {}", text(reason)));
}

unsafe extern "C" fn receive(instance: *mut Instance, client: u64, kind: u32, payload: abi::Bytes) -> Status {
    let view = view(instance);
    LAST.set(Some(view));
    let (host, ctx) = (host(&view), view.ctx());
    // SAFETY: host functions; the pointers are valid or meant to be refused.
    unsafe {
        let first = if payload.len == 0 { 0 } else { *payload.ptr };
        match first {
            b'!' => {
                let message = host.message.unwrap();
                let long = vec![0u8; 1001];
                message(ctx, client, 0, 9, payload);
                let nothing = abi::Bytes { ptr: std::ptr::null(), len: 3 };
                message(ctx, client, 0, abi::MESSAGE_BINARY, nothing);
                message(ctx, client, 0, abi::MESSAGE_BINARY, abi::Bytes::new(&long));
                message(ctx, client, 0, abi::MESSAGE_TEXT, abi::Bytes::new(b"\xff"));
                host.signal.unwrap()(ctx, client, Str::new("{"));
                host.signal.unwrap()(ctx, client, Str { ptr: b"\xff".as_ptr(), len: 1 });
                let small = abi::Feedback { struct_size: 8, ..Default::default() };
                let lossy = abi::Feedback {
                    struct_size: size_of::<abi::Feedback>() as u32,
                    loss_ppm: 1_000_001,
                    ..Default::default()
                };
                host.feedback.unwrap()(ctx, client, &small);
                host.feedback.unwrap()(ctx, client, &lossy);
                host.feedback.unwrap()(ctx, client, std::ptr::null());
                host.client_state.unwrap()(ctx, client, 4, Str::EMPTY);
                let (emit, none) = (host.emit.unwrap(), abi::Bytes::new(&[]));
                let clients = [1u64; 1025];
                let header = abi::Bytes::new(&[0; 65]);
                note(emit(ctx, std::ptr::null(), 1, abi::MESSAGE_BINARY, none, none));
                note(emit(ctx, clients.as_ptr(), 1025, abi::MESSAGE_BINARY, none, none));
                note(emit(ctx, clients.as_ptr(), 1, 0, none, none));
                note(emit(ctx, clients.as_ptr(), 1, abi::MESSAGE_BINARY, header, none));
                note(emit(ctx, clients.as_ptr(), 1, abi::MESSAGE_TEXT, none, abi::Bytes::new(b"\xff")));
            }
            _ => {
                host.message.unwrap()(ctx, client, abi::CHANNEL_CONTROL, kind, payload);
                host.request_keyframe.unwrap()(ctx, client, 2);
                host.client_codec.unwrap()(ctx, client, 2, abi::CODEC_H264);
                let feedback = abi::Feedback {
                    struct_size: size_of::<abi::Feedback>() as u32,
                    loss_ppm: 10,
                    rtt_us: 20_000,
                    stream: 2,
                    ..Default::default()
                };
                host.feedback.unwrap()(ctx, client, &feedback);
            }
        }
    }
    0
}

unsafe extern "C" fn signal(instance: *mut Instance, client: u64, json: Str) -> Status {
    let view = view(instance);
    // SAFETY: a host function with a valid text.
    unsafe { host(&view).signal.unwrap()(view.ctx(), client, json) };
    0
}

unsafe extern "C" fn rtc_config(_: *mut Instance, json: Str) -> Status {
    note(text(json));
    0
}

unsafe extern "C" fn send_message(
    instance: *mut Instance,
    clients: *const u64,
    client_count: u32,
    channel: u32,
    kind: u32,
    payload: abi::Bytes,
) -> Status {
    let view = view(instance);
    note(format!("message {client_count} {channel}"));
    // SAFETY: a host function with what the host gave.
    unsafe {
        host(&view).emit.unwrap()(view.ctx(), clients, client_count, kind, abi::Bytes::new(b"m:"), payload)
    }
}

unsafe extern "C" fn send_packet(
    instance: *mut Instance,
    clients: *const u64,
    client_count: u32,
    packet: *const abi::Packet,
    payload: abi::Bytes,
) -> Status {
    let view = view(instance);
    // SAFETY: an instance of this fake; a host function with what the host gave.
    unsafe {
        let act = fake(instance).act.clone();
        assert_eq!((*packet).len, payload.len);
        let (header, emit) = ((*packet).frame_id.to_be_bytes(), host(&view).emit.unwrap());
        let header = abi::Bytes::new(&header);
        match act.as_str() {
            "part" => {
                let part = abi::Bytes { ptr: payload.ptr.add(1), len: payload.len - 1 };
                emit(view.ctx(), clients, client_count, abi::MESSAGE_BINARY, header, part)
            }
            "elsewhere" => {
                let (clients, payload, header) =
                    (clients as usize, payload.ptr as usize, header.ptr as usize);
                let len = (*packet).len;
                let thread = std::thread::spawn(move || {
                    let view = view;
                    let payload = abi::Bytes { ptr: payload as *const u8, len };
                    let header = abi::Bytes { ptr: header as *const u8, len: 8 };
                    emit(
                        view.ctx(),
                        clients as *const u64,
                        client_count,
                        abi::MESSAGE_BINARY,
                        header,
                        payload,
                    )
                });
                thread.join().unwrap()
            }
            _ => emit(view.ctx(), clients, client_count, abi::MESSAGE_BINARY, header, payload),
        }
    }
}
