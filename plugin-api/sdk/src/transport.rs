//! Transport: how packets and messages reach clients.

mod table;

use serde::de::DeserializeOwned;

use crate::{Error, Host, PacketInfo, Result, abi, guard::size32};

pub use table::TransportTable;

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

    /// A message of the session's protocol arrived from a client, on one of `CHANNEL_*`.
    pub fn message(&self, client: u64, channel: u32, message: Message<'_>) {
        if let Some(call) = self.table.message {
            let (kind, payload) = split(message);
            // SAFETY: the function belongs to this context; the payload lives for the call.
            unsafe { call(self.host.ctx(), client, channel, kind, payload) }
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

    /// A client cannot decode a stream ([`PacketRef::stream`]) and asks for a keyframe.
    pub fn request_keyframe(&self, client: u64, stream: u32) {
        if let Some(call) = self.table.request_keyframe {
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client, stream) }
        }
    }

    /// Signaling came to a codec (one of `CODEC_*`) for a stream of a client; see
    /// [`client_codec`](abi::HostTransportV1::client_codec).
    pub fn client_codec(&self, client: u64, stream: u32, codec: u32) {
        if let Some(call) = self.table.client_codec {
            // SAFETY: as in `message`.
            unsafe { call(self.host.ctx(), client, stream, codec) }
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

/// A transport. Every function may be called from any thread at any time, and must not block. For one client each function
/// is called by one thread at a time, in order.
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

    /// A client arrived; `hello` (JSON) says what it may be sent: [`client_open`](abi::TransportV1::client_open).
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
