//! Transport: how packets and messages reach clients.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, PacketInfo, Result, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// What a transport can carry. Fields as in [`abi::TransportInfo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportInfo {
    /// `TRANSPORT_*` flags.
    pub flags: u32,
    /// Mask of `1 << CODEC_*`.
    pub codec_mask: u64,
    /// Carries stripes.
    pub stripes: bool,
    /// Carries audio.
    pub audio: bool,
    /// Largest message from a client, bytes.
    pub max_message: u32,
}

/// A message of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// One encoded packet, borrowed for the call.
#[derive(Clone, Copy, Debug)]
pub struct PacketRef<'a> {
    /// What it is.
    pub info: PacketInfo,
    /// Which of the client's streams it belongs to, from 0.
    pub stream: u32,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A client's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// Being set up.
    Connecting,
    /// Packets flow.
    Connected,
    /// Gone; the host closes it.
    Failed,
}

/// The host's side of a transport. Cheap to copy; may be used from every thread while the instance lives.
#[derive(Clone, Copy, Debug)]
pub struct TransportLink {
    host: Host,
    table: &'static abi::HostTransportV1,
}

impl TransportLink {
    fn new(host: Host) -> Result<Self> {
        let table = host.table(abi::ids::HOST_TRANSPORT_V1);
        Ok(Self {
            host,
            table: table.ok_or_else(|| Error::fatal("the host offers no selkies.host.transport/1"))?,
        })
    }

    /// A message of the session's protocol arrived from a client.
    pub fn message(&self, client: u64, message: Message<'_>) {
        if let Some(call) = self.table.message {
            let (kind, payload) = split(message);
            // SAFETY: the function belongs to this context; the payload lives for the call.
            unsafe { call(self.host.ctx(), client, kind, payload) }
        }
    }

    /// Sends on connections that the host owns: `header` (at most [`abi::SLAB_HEADROOM`] bytes) and `payload` as one
    /// message.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn emit(&self, clients: &[u64], header: &[u8], payload: Message<'_>) -> Result<()> {
        let emit = self.table.emit.ok_or_else(|| Error::fatal("the host's transport table has no emit"))?;
        let count = u32::try_from(clients.len()).map_err(|_| Error::invalid("too many clients"))?;
        let (kind, payload) = split(payload);
        // SAFETY: as in `message`.
        match unsafe {
            emit(self.host.ctx(), clients.as_ptr(), count, kind, abi::Bytes::new(header), payload)
        } {
            abi::OK => Ok(()),
            status => Err(Error::from_status(status, "the host refuses the message")),
        }
    }

    /// Sends a signaling message (JSON) to a client.
    pub fn signal(&self, client: u64, json: &str) {
        if let Some(call) = self.table.signal {
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client, abi::Str::new(json)) }
        }
    }

    /// Reports what was learned about a path; `struct_size` is filled here.
    pub fn feedback(&self, client: u64, feedback: abi::Feedback) {
        if let Some(call) = self.table.feedback {
            let feedback = abi::Feedback { struct_size: size32::<abi::Feedback>(), ..feedback };
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client, &raw const feedback) }
        }
    }

    /// A client cannot decode and asks for a keyframe.
    pub fn request_keyframe(&self, client: u64) {
        if let Some(call) = self.table.request_keyframe {
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client) }
        }
    }

    /// A client's state changed.
    pub fn client_state(&self, client: u64, state: ClientState, reason: &str) {
        if let Some(call) = self.table.client_state {
            let state = match state {
                ClientState::Connecting => abi::CLIENT_CONNECTING,
                ClientState::Connected => abi::CLIENT_CONNECTED,
                ClientState::Failed => abi::CLIENT_FAILED,
            };
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client, state, abi::Str::new(reason)) }
        }
    }
}

pub(crate) fn split(message: Message<'_>) -> (u32, abi::Bytes) {
    match message {
        Message::Text(text) => (abi::MESSAGE_TEXT, abi::Bytes::new(text.as_bytes())),
        Message::Binary(bytes) => (abi::MESSAGE_BINARY, abi::Bytes::new(bytes)),
    }
}

/// A transport. Every function may be called from any thread at any time, and must not block.
pub trait Transport: Send + Sync + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Makes the transport.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config, link: TransportLink) -> Result<Self>;

    /// What it can carry.
    fn info(&self) -> TransportInfo;

    /// A client arrived; `hello` says what it can decode (JSON).
    ///
    /// # Errors
    /// The client is refused then.
    fn client_open(&self, client: u64, hello: &str) -> Result<()>;

    /// A client is gone or must go.
    fn client_close(&self, client: u64, reason: &str);

    /// A message arrived on the host's connection of this client.
    ///
    /// # Errors
    /// The message is dropped then.
    fn receive(&self, client: u64, message: Message<'_>) -> Result<()>;

    /// A signaling message arrived.
    ///
    /// # Errors
    /// [`Error::unsupported`] without signaling.
    fn signal(&self, client: u64, json: &str) -> Result<()> {
        let _ = json;
        Err(Error::unsupported(format!("client {client}: this transport takes no signaling")))
    }

    /// ICE servers for the clients to come.
    ///
    /// # Errors
    /// When the text is not a usable `RTCConfiguration`.
    fn rtc_config(&self, json: &str) -> Result<()> {
        let _ = json;
        Ok(())
    }

    /// Sends a message to clients on one of `CHANNEL_*`.
    ///
    /// # Errors
    /// When it could not be sent to any of them.
    fn send_message(&self, clients: &[u64], channel: u32, message: Message<'_>) -> Result<()>;

    /// Sends one packet to clients.
    ///
    /// # Errors
    /// When it could not be sent to any of them.
    fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<()>;
}

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
