//! `selkies.transport/1`.

use std::sync::Arc;

use selkies_plugin_abi::{self as abi, Bytes, Instance, Status, Str, TransportV1};

use super::core::{Core, required, sized_table};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::services::{
    EncodedPacket, MAX_CLIENTS_PER_CALL, MAX_MESSAGE_BYTES, MessageKind, Role, TransportDesk, TransportSink,
    while_sending,
};
use crate::size::{count_field, size_field};

/// What a transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportInfo {
    /// The host owns the connection; the plugin sees messages.
    pub host_connection: bool,
    /// The plugin owns its sockets and needs signaling.
    pub signaling: bool,
    /// It reports congestion.
    pub feedback: bool,
    /// Codecs it carries, as a mask of `1 << CODEC_*` for codecs below 64.
    pub codec_mask: u64,
    /// It carries stripes; otherwise it needs whole frames.
    pub stripes: bool,
    /// It carries audio packets.
    pub audio: bool,
    /// Largest message it accepts from a client, in bytes, 1 to 16 MiB.
    pub max_message: u32,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Ordered and reliable.
    Control,
    /// Newest wins, may be lost.
    Pointer,
}

type SendMessage = unsafe extern "C" fn(*mut Instance, *const u64, u32, u32, u32, Bytes) -> Status;
type SendPacket = unsafe extern "C" fn(*mut Instance, *const u64, u32, *const abi::Packet, Bytes) -> Status;

#[derive(Clone, Copy)]
struct Functions {
    client_open: unsafe extern "C" fn(*mut Instance, u64, Str) -> Status,
    client_close: unsafe extern "C" fn(*mut Instance, u64, Str),
    receive: unsafe extern "C" fn(*mut Instance, u64, u32, Bytes) -> Status,
    signal: unsafe extern "C" fn(*mut Instance, u64, Str) -> Status,
    rtc_config: unsafe extern "C" fn(*mut Instance, Str) -> Status,
    send_message: SendMessage,
    send_packet: SendPacket,
}

/// A transport and all its clients. Share it in an `Arc`: every function may be called by any thread at any time, and
/// does not block. Dropping the last reference ends it.
pub struct TransportInstance {
    core: Core,
    functions: Functions,
    info: TransportInfo,
}

impl TransportInstance {
    /// Makes the transport and asks what it can carry. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails, or its information breaks the contract.
    pub fn create(origin: &Origin<'_>, sink: Arc<dyn TransportSink>) -> Result<Self, PluginError> {
        let plugin = origin.plugin.id();
        let table: &TransportV1 = origin.plugin.table("transport")?;
        sized_table::<TransportV1>(plugin, "transport", table.struct_size)?;
        let create = required(plugin, "transport.create", table.create)?;
        let destroy = required(plugin, "transport.destroy", table.destroy)?;
        let describe = required(plugin, "transport.info", table.info)?;
        let functions = Functions {
            client_open: required(plugin, "transport.client_open", table.client_open)?,
            client_close: required(plugin, "transport.client_close", table.client_close)?,
            receive: required(plugin, "transport.receive", table.receive)?,
            signal: required(plugin, "transport.signal", table.signal)?,
            rtc_config: required(plugin, "transport.rtc_config", table.rtc_config)?,
            send_message: required(plugin, "transport.send_message", table.send_message)?,
            send_packet: required(plugin, "transport.send_packet", table.send_packet)?,
        };
        let role = Role::Transport(TransportDesk::new(sink));
        let core = Core::plain(origin, role, "transport.create", create, destroy)?;
        let mut out = abi::TransportInfo {
            struct_size: size_field::<abi::TransportInfo>(),
            flags: 0,
            codec_mask: 0,
            stripes: 0,
            audio: 0,
            max_message: 0,
            reserved32: 0,
            reserved: [0; 4],
        };
        // SAFETY: a live instance, and a place of the size that it says.
        core.call("transport.info", |instance| unsafe { describe(instance, &raw mut out) })?;
        let info = read_info(&out).map_err(|wrong| core.contract("transport.info", wrong))?;
        if let Some(desk) = core.context().transport() {
            desk.limit_messages(info.max_message as usize);
        }
        Ok(Self { core, functions, info })
    }

    /// What it can carry.
    #[must_use]
    pub fn info(&self) -> TransportInfo {
        self.info
    }

    /// A client arrived; `hello_json` says what it can decode.
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn client_open(&self, client: u64, hello_json: &str) -> Result<(), PluginError> {
        self.call("transport.client_open", |instance| {
            // SAFETY: a live instance; the text is valid for the call.
            unsafe { (self.functions.client_open)(instance, client, Str::new(hello_json)) }
        })
    }

    /// A client is gone or must go.
    pub fn client_close(&self, client: u64, reason: &str) {
        self.core.tell(|instance| {
            // SAFETY: a live instance; the text is valid for the call.
            unsafe { (self.functions.client_close)(instance, client, Str::new(reason)) }
        });
    }

    /// A message arrived on the host's connection of this client.
    ///
    /// # Errors
    /// What the plugin answers, or a message over [`TransportInfo::max_message`].
    pub fn receive(&self, client: u64, kind: MessageKind, payload: &[u8]) -> Result<(), PluginError> {
        if payload.len() > self.info.max_message as usize {
            let text = format!("{} bytes, {} are accepted", payload.len(), self.info.max_message);
            return Err(self.refusal("transport.receive", text));
        }
        self.call("transport.receive", |instance| {
            // SAFETY: a live instance; the bytes are valid for the call.
            unsafe { (self.functions.receive)(instance, client, kind.to_abi(), Bytes::new(payload)) }
        })
    }

    /// A signaling message arrived from this client.
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn signal(&self, client: u64, json: &str) -> Result<(), PluginError> {
        self.call("transport.signal", |instance| {
            // SAFETY: a live instance; the text is valid for the call.
            unsafe { (self.functions.signal)(instance, client, Str::new(json)) }
        })
    }

    /// ICE servers for the clients to come, as the JSON of the W3C `RTCConfiguration`.
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn rtc_config(&self, json: &str) -> Result<(), PluginError> {
        self.call("transport.rtc_config", |instance| {
            // SAFETY: a live instance; the text is valid for the call.
            unsafe { (self.functions.rtc_config)(instance, Str::new(json)) }
        })
    }

    /// Sends a message of the session's protocol to clients.
    ///
    /// # Errors
    /// What the plugin answers, or a message over 16 MiB. With over 1024 clients the rest is sent to as well, and the
    /// last error is answered.
    pub fn send_message(
        &self,
        clients: &[u64],
        channel: Channel,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<(), PluginError> {
        if payload.len() > MAX_MESSAGE_BYTES {
            return Err(
                self.refusal("transport.send_message", format!("{} bytes are too many", payload.len()))
            );
        }
        let channel = match channel {
            Channel::Control => abi::CHANNEL_CONTROL,
            Channel::Pointer => abi::CHANNEL_POINTER,
        };
        in_groups(clients, |ptr, count| {
            self.call("transport.send_message", |instance| {
                let payload = Bytes::new(payload);
                // SAFETY: a live instance; clients and bytes are valid for the call.
                unsafe {
                    (self.functions.send_message)(instance, ptr, count, channel, kind.to_abi(), payload)
                }
            })
        })
    }

    /// Sends one packet, encoded once, to clients. What cannot be sent is dropped and shows in the feedback. When the
    /// plugin emits the packet's own payload within the call, it is not copied.
    ///
    /// # Errors
    /// What the plugin answers. With over 1024 clients the rest is sent to as well, and the last error is answered.
    pub fn send_packet(&self, clients: &[u64], packet: &EncodedPacket) -> Result<(), PluginError> {
        let payload = packet.data.payload();
        let raw = packet.info.to_abi(payload.len());
        while_sending(self.core.context_number(), &packet.data, || {
            in_groups(clients, |ptr, count| {
                self.call("transport.send_packet", |instance| {
                    let payload = Bytes::new(payload);
                    // SAFETY: a live instance; clients, packet and payload are valid for the call.
                    unsafe { (self.functions.send_packet)(instance, ptr, count, &raw const raw, payload) }
                })
            })
        })
    }

    fn call(
        &self,
        function: &'static str,
        body: impl FnOnce(*mut Instance) -> Status,
    ) -> Result<(), PluginError> {
        self.core.call(function, body).map(|_| ())
    }

    fn refusal(&self, function: &'static str, text: String) -> PluginError {
        let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
        PluginError::caller(self.core.account(), function, class, detail, text)
    }
}

/// Runs `send` for each group of clients that fits a call.
fn in_groups(
    clients: &[u64],
    mut send: impl FnMut(*const u64, u32) -> Result<(), PluginError>,
) -> Result<(), PluginError> {
    let mut outcome = Ok(());
    for group in clients.chunks(MAX_CLIENTS_PER_CALL) {
        let sent = send(group.as_ptr(), count_field(group));
        if sent.is_err() {
            outcome = sent;
        }
    }
    outcome
}

fn read_info(out: &abi::TransportInfo) -> Result<TransportInfo, String> {
    if out.struct_size != size_field::<abi::TransportInfo>() {
        return Err(format!("the struct_size is {}", out.struct_size));
    }
    if out.stripes > 1 || out.audio > 1 {
        return Err("`stripes` or `audio` is neither 0 nor 1".into());
    }
    if out.max_message == 0 {
        return Err("`max_message` is 0".into());
    }
    Ok(TransportInfo {
        host_connection: out.flags & abi::TRANSPORT_HOST_CONNECTION != 0,
        signaling: out.flags & abi::TRANSPORT_SIGNALING != 0,
        feedback: out.flags & abi::TRANSPORT_FEEDBACK != 0,
        codec_mask: out.codec_mask,
        stripes: out.stripes == 1,
        audio: out.audio == 1,
        max_message: out.max_message.min(u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX)),
    })
}

impl std::fmt::Debug for TransportInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportInstance")
            .field("core", &self.core)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
