//! The C table of a transport.

use std::marker::PhantomData;

use super::{Message, PacketRef, Transport, TransportLink};
use crate::{
    Error, PacketInfo, Result, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// Builds the table of a transport.
#[derive(Debug)]
pub struct TransportTable<T>(PhantomData<T>);

impl<T: Transport> TransportTable<T> {
    /// The table.
    pub const TABLE: &'static abi::TransportV1 = &abi::TransportV1 {
        struct_size: size32::<abi::TransportV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        info: Some(info::<T>),
        client_open: Some(client_open::<T>),
        client_close: Some(client_close::<T>),
        receive: Some(receive::<T>),
        signal: Some(signal::<T>),
        rtc_config: Some(rtc_config::<T>),
        send_message: Some(send_message::<T>),
        send_packet: Some(send_packet::<T>),
    };
}

/// Everything of a transport is shared between threads.
type TransportSlot<T> = Slot<(), T>;

unsafe extern "C" fn create<T: Transport>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        TransportSlot::<T>::create(host, config, out, |host, config| {
            Ok(((), T::create(host, config, TransportLink::new(host)?)?))
        })
    }
}

unsafe extern "C" fn destroy<T: Transport>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { TransportSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn info<T: Transport>(
    instance: *mut abi::Instance,
    out: *mut abi::TransportInfo,
) -> abi::Status {
    // SAFETY: the instance is not destroyed while the host calls functions of this table; so below.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            let out = Answer::new(out)?;
            let info = transport.info();
            let raw = abi::TransportInfo {
                struct_size: size32::<abi::TransportInfo>(),
                flags: info.flags,
                codec_mask: info.codec_mask,
                stripes: u32::from(info.stripes),
                audio: u32::from(info.audio),
                max_message: info.max_message,
                reserved32: 0,
                reserved: [0; 4],
            };
            Ok(out.give(raw))
        })
    }
}

unsafe extern "C" fn client_open<T: Transport>(
    instance: *mut abi::Instance,
    client: u64,
    hello: abi::Str,
) -> abi::Status {
    // SAFETY: as in `info`; texts and bytes live for the call, so below.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            transport.client_open(client, guard::text(hello)?).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn client_close<T: Transport>(instance: *mut abi::Instance, client: u64, reason: abi::Str) {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            // The client is gone whatever the reason's bytes are.
            transport.client_close(client, guard::text(reason).unwrap_or(""));
            Ok(abi::OK)
        });
    }
}

unsafe extern "C" fn receive<T: Transport>(
    instance: *mut abi::Instance,
    client: u64,
    kind: u32,
    payload: abi::Bytes,
) -> abi::Status {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            transport.receive(client, message(kind, payload)?).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn signal<T: Transport>(
    instance: *mut abi::Instance,
    client: u64,
    json: abi::Str,
) -> abi::Status {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            transport.signal(client, guard::text(json)?).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn rtc_config<T: Transport>(instance: *mut abi::Instance, json: abi::Str) -> abi::Status {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            transport.rtc_config(guard::text(json)?).map(|()| abi::OK)
        })
    }
}

/// Most clients of one call.
const MAX_CLIENTS: usize = 65_536;

unsafe extern "C" fn send_message<T: Transport>(
    instance: *mut abi::Instance,
    clients: *const u64,
    client_count: u32,
    channel: u32,
    kind: u32,
    payload: abi::Bytes,
) -> abi::Status {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            let clients = guard::array(clients, client_count, MAX_CLIENTS, "clients")?;
            transport.send_message(clients, channel, message(kind, payload)?).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn send_packet<T: Transport>(
    instance: *mut abi::Instance,
    clients: *const u64,
    client_count: u32,
    packet: *const abi::Packet,
    payload: abi::Bytes,
) -> abi::Status {
    // SAFETY: as in `client_open`.
    unsafe {
        TransportSlot::<T>::with_shared(instance, |transport, _| {
            let clients = guard::array(clients, client_count, MAX_CLIENTS, "clients")?;
            let raw: &abi::Packet = guard::sized(packet, "packet")?;
            let info = PacketInfo {
                codec: raw.codec,
                flags: raw.flags,
                layer: raw.layer,
                frame_id: raw.frame_id,
                reference_frame_id: raw.reference_frame_id,
                timestamp_ns: raw.timestamp_ns,
                duration_ns: raw.duration_ns,
                area: raw.area,
            };
            let payload = guard::bytes(payload)?;
            transport.send_packet(clients, PacketRef { info, stream: raw.stream, payload }).map(|()| abi::OK)
        })
    }
}

/// # Safety
/// The payload is borrowed for `'a`.
unsafe fn message<'a>(kind: u32, payload: abi::Bytes) -> Result<Message<'a>> {
    // SAFETY: the caller vouches for the payload.
    unsafe {
        match kind {
            abi::MESSAGE_TEXT => {
                Ok(Message::Text(guard::text(abi::Str { ptr: payload.ptr, len: payload.len })?))
            }
            abi::MESSAGE_BINARY => Ok(Message::Binary(guard::bytes(payload)?)),
            kind => Err(Error::invalid(format!("message kind {kind} is not known"))),
        }
    }
}
