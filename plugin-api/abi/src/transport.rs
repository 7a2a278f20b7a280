//! `selkies.transport/1`: how packets and messages reach clients.

use core::ffi::c_void;

use crate::{Bytes, Host, Instance, Packet, Status, Str};

/// Transport flag: the host owns the connection (a WebSocket); the plugin sees messages and frames packets.
pub const TRANSPORT_HOST_CONNECTION: u32 = 1;
/// Transport flag: the plugin owns its sockets and needs signaling messages to set them up (WebRTC).
pub const TRANSPORT_SIGNALING: u32 = 1 << 1;
/// Transport flag: reports congestion through [`HostTransportV1::feedback`].
pub const TRANSPORT_FEEDBACK: u32 = 1 << 2;

/// Message kind: UTF-8 text.
pub const MESSAGE_TEXT: u32 = 1;
/// Message kind: bytes.
pub const MESSAGE_BINARY: u32 = 2;

/// Channel: ordered and reliable.
pub const CHANNEL_CONTROL: u32 = 0;
/// Channel: newest wins, may be lost (pointer echoes).
pub const CHANNEL_POINTER: u32 = 1;

/// Client state: being set up.
pub const CLIENT_CONNECTING: u32 = 1;
/// Client state: packets flow.
pub const CLIENT_CONNECTED: u32 = 2;
/// Client state: gone; the host calls `client_close`.
pub const CLIENT_FAILED: u32 = 3;

/// What a transport can carry.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct TransportInfo {
    /// `sizeof(TransportInfo)`.
    pub struct_size: u32,
    /// `TRANSPORT_*` flags.
    pub flags: u32,
    /// Codecs it carries, as a mask of `1 << CODEC_*` for codecs below 64.
    pub codec_mask: u64,
    /// 1 when it carries stripes, 0 when it needs whole frames.
    pub stripes: u32,
    /// 1 when it carries audio packets.
    pub audio: u32,
    /// Largest message it accepts from a client, in bytes.
    pub max_message: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What a transport learned about the path to one client.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct Feedback {
    /// `sizeof(Feedback)`.
    pub struct_size: u32,
    /// Loss in parts per million of the last interval.
    pub loss_ppm: u32,
    /// Round trip, microseconds; 0 when unknown.
    pub rtt_us: u64,
    /// Estimated capacity, kbit/s; 0 when unknown.
    pub estimate_kbps: u32,
    /// Bytes waiting in the transport for this client.
    pub queued_bytes: u32,
    /// Newest `frame_id` of `stream` known to have arrived whole; 0 when unknown.
    pub arrived_frame_id: u64,
    /// The stream ([`Packet::stream`](crate::Packet::stream)) that `arrived_frame_id` counts in. The other fields
    /// describe the whole path.
    pub stream: u32,
    /// Zero.
    pub reserved32: u32,
    /// Zero.
    pub reserved: [u64; 3],
}

/// `selkies.host.transport/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct HostTransportV1 {
    /// `sizeof(HostTransportV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[any]` A message of the session's protocol arrived from a client, on one of `CHANNEL_*`; those of one channel
    /// in the order in which they were sent.
    pub message:
        Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, channel: u32, kind: u32, payload: Bytes)>,
    /// `[any]` Sends on the connections that the host owns: `header` (at most
    /// [`SLAB_HEADROOM`](crate::SLAB_HEADROOM) bytes) and `payload` as one message. Inside `send_packet`, a `payload`
    /// that is the packet's own is not copied.
    pub emit: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            clients: *const u64,
            client_count: u32,
            kind: u32,
            header: Bytes,
            payload: Bytes,
        ) -> Status,
    >,
    /// `[any]` Sends a signaling message (JSON) to a client.
    pub signal: Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, json: Str)>,
    /// `[any]` Reports what was learned about a path.
    pub feedback: Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, feedback: *const Feedback)>,
    /// `[any]` A client cannot decode a stream ([`Packet::stream`](crate::Packet::stream)) and asks for a keyframe. The
    /// host limits the rate.
    pub request_keyframe: Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, stream: u32)>,
    /// `[any]` Signaling came to a codec (one of `CODEC_*`) for a stream of a client: packets of it are wanted from now
    /// on, those of another codec are dropped. Once for the picture, once for the sound, before
    /// [`CLIENT_CONNECTED`]; again when it changes. Without signaling it is never called, and every codec of the
    /// client's hello is welcome.
    pub client_codec: Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, stream: u32, codec: u32)>,
    /// `[any]` A client's state changed; one of `CLIENT_*`.
    pub client_state: Option<unsafe extern "C" fn(ctx: *mut c_void, client: u64, state: u32, reason: Str)>,
}

/// `selkies.transport/1`. One instance serves all its clients.
///
/// For one client the host calls each function from one thread at a time, in order: the packets of a stream with rising
/// `frame_id`, messages and signals as they came. Different functions may run at the same time, and so may calls for
/// different clients. `client_open` returns before anything else is said of its client.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "verify", derive(abi_stable::StableAbi))]
pub struct TransportV1 {
    /// `sizeof(TransportV1)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// `[control]` Makes the transport. `config_json` is the plugin's configuration, an object.
    pub create:
        Option<unsafe extern "C" fn(host: *const Host, config_json: Str, out: *mut *mut Instance) -> Status>,
    /// `[control]` Ends the transport and every client on it.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// `[any]` Describes the transport.
    pub info: Option<unsafe extern "C" fn(instance: *mut Instance, out: *mut TransportInfo) -> Status>,
    /// `[any]` A client arrived: one viewer's connection. `hello_json` is an object with `codecs`: what the host may send
    /// it, best first, of `jpeg`, `h264`, `h265`, `vp8`, `vp9`, `av1`, `opus` (names not known here are skipped). It may
    /// have `displays`: names, in the order of [`Packet::stream`](crate::Packet::stream), one display without it; and
    /// `viewer`: a text, the same for all connections of one viewer, who has this one only without it. Unknown members
    /// are ignored.
    pub client_open:
        Option<unsafe extern "C" fn(instance: *mut Instance, client: u64, hello_json: Str) -> Status>,
    /// `[any]` A client is gone or must go. Nothing follows for it but calls that had begun.
    pub client_close: Option<unsafe extern "C" fn(instance: *mut Instance, client: u64, reason: Str)>,
    /// `[any]` A message arrived on the host's connection of this client, which is one ordered channel.
    pub receive: Option<
        unsafe extern "C" fn(instance: *mut Instance, client: u64, kind: u32, payload: Bytes) -> Status,
    >,
    /// `[any]` A signaling message (JSON) arrived from this client.
    pub signal: Option<unsafe extern "C" fn(instance: *mut Instance, client: u64, json: Str) -> Status>,
    /// `[any]` ICE servers for the clients to come, as the JSON of the W3C `RTCConfiguration`.
    pub rtc_config: Option<unsafe extern "C" fn(instance: *mut Instance, json: Str) -> Status>,
    /// `[any]` Sends a message of the session's protocol to clients on one of `CHANNEL_*`.
    pub send_message: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            clients: *const u64,
            client_count: u32,
            channel: u32,
            kind: u32,
            payload: Bytes,
        ) -> Status,
    >,
    /// `[any]` Sends one packet, encoded once, to clients (at most 65536). Must not block; what cannot be sent is dropped and shows in
    /// the feedback. `payload` is valid for the call.
    pub send_packet: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            clients: *const u64,
            client_count: u32,
            packet: *const Packet,
            payload: Bytes,
        ) -> Status,
    >,
}
