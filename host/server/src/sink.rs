//! What the transport plugins call.

use std::{
    cell::Cell,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use selkies_plugin_abi::{CODEC_AV1, CODEC_H264, CODEC_H265, CODEC_JPEG, CODEC_OPUS, CODEC_VP8, CODEC_VP9};
use selkies_plugin_host::{ClientState, EmitRefusal, MessageKind, PathFeedback, TransportSink};
use selkies_session::{ClientId, Codec, Event, sound::OPCODE_SOUND};
use tracing::debug;

use crate::{hub::Hub, queue::Outgoing};

/// The stream of pictures, the only one that clients of this host have.
const PICTURE: u32 = 0;

thread_local! {
    /// True while this thread holds locks of the hub.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Calls a transport, or what calls one, under the hub's locks. What the transport says from within the call is put off:
/// its functions may be called from everywhere, but a lock is not taken twice.
pub(crate) fn within_hub<T>(call: impl FnOnce() -> T) -> T {
    struct Leave(bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }
    // Also when the call panics.
    let _leave = Leave(WITHIN.replace(true));
    call()
}

/// What a transport said.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A client's text.
    Text(ClientId, String),
    /// A client's bytes.
    Binary(ClientId, Vec<u8>),
    /// A client cannot decode.
    NeedsKeyframe(ClientId),
    /// Signaling came to a codec.
    Agreed(ClientId, Codec),
    /// Packets flow to a client.
    Connected(ClientId),
    /// The connection to a client failed, for this reason.
    Failed(ClientId, String),
    /// What is known of the path to a client.
    Path(ClientId, PathFeedback),
}

/// The hub as a transport plugin sees it.
#[derive(Debug)]
pub struct HubSink {
    // The hub owns the transport, which owns this.
    hub: Weak<Hub>,
}

impl HubSink {
    /// The sink of a hub, for one transport or several.
    #[must_use]
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::downgrade(hub) }
    }

    /// The hub, if it can be told at once; else what was said is put off.
    fn put_off(&self, said: impl FnOnce() -> Said) -> Option<Arc<Hub>> {
        let hub = self.hub.upgrade()?;
        if WITHIN.get() {
            hub.defer(said());
            return None;
        }
        Some(hub)
    }

    fn say(&self, said: Said) {
        let Some(hub) = self.hub.upgrade() else { return };
        if WITHIN.get() {
            hub.defer(said);
        } else {
            hub.hear(said);
        }
    }
}

impl TransportSink for HubSink {
    fn message(&self, client: u64, kind: MessageKind, payload: &[u8]) {
        let client = ClientId(client);
        match kind {
            MessageKind::Text => match std::str::from_utf8(payload) {
                Ok(text) => {
                    if let Some(hub) = self.put_off(|| Said::Text(client, text.to_owned())) {
                        hub.handle(Event::ClientText { client, text });
                    }
                }
                Err(_) => debug!(client = client.0, "a text message was not UTF-8"),
            },
            MessageKind::Binary => {
                if let Some(hub) = self.put_off(|| Said::Binary(client, payload.to_owned())) {
                    hub.handle(Event::ClientBinary { client, data: payload });
                }
            }
        }
    }

    fn emit(&self, clients: &[u64], kind: MessageKind, message: Bytes) -> Result<(), EmitRefusal> {
        let outgoing = match kind {
            MessageKind::Binary if message.first() == Some(&OPCODE_SOUND) => Outgoing::Sound(message),
            MessageKind::Binary => Outgoing::Binary(message),
            MessageKind::Text => match std::str::from_utf8(&message) {
                Ok(text) => Outgoing::Text(text.to_owned()),
                Err(_) => return Err(EmitRefusal::UnknownClients),
            },
        };
        let Some(hub) = self.hub.upgrade() else { return Err(EmitRefusal::UnknownClients) };
        let reached = hub.post().push_all(clients, &outgoing);
        if reached == 0 { Err(EmitRefusal::UnknownClients) } else { Ok(()) }
    }

    fn signal(&self, client: u64, json: &str) {
        let Some(hub) = self.hub.upgrade() else { return };
        let line = hub.post().with(client, |addressee| {
            addressee.signaled.as_ref().map(|signaled| format!("{}{json}", signaled.prefix))
        });
        match line.flatten() {
            Some(line) => {
                hub.post().push(client, Outgoing::Text(line));
            }
            None => debug!(client, "a signaling message for a client that has no signaling"),
        }
    }

    fn feedback(&self, client: u64, feedback: PathFeedback) {
        self.say(Said::Path(ClientId(client), feedback));
    }

    fn request_keyframe(&self, client: u64) {
        self.say(Said::NeedsKeyframe(ClientId(client)));
    }

    fn client_codec(&self, client: u64, stream: u32, codec: u32) {
        match codec_of(codec) {
            Some(codec) if stream == PICTURE => self.say(Said::Agreed(ClientId(client), codec)),
            // Sound has one codec: there is nothing to choose by.
            _ if codec == CODEC_OPUS => {}
            _ => debug!(client, stream, codec, "a codec that is none of pictures was agreed"),
        }
    }

    fn client_state(&self, client: u64, state: ClientState, reason: &str) {
        match state {
            ClientState::Connecting => debug!(client, "the connection is being made"),
            ClientState::Connected => self.say(Said::Connected(ClientId(client))),
            ClientState::Failed => self.say(Said::Failed(ClientId(client), reason.to_owned())),
        }
    }
}

/// The codecs of pictures by their numbers in the plugins' ABI.
const CODECS: [(u32, Codec); 6] = [
    (CODEC_JPEG, Codec::Jpeg),
    (CODEC_H264, Codec::H264),
    (CODEC_H265, Codec::H265),
    (CODEC_VP8, Codec::Vp8),
    (CODEC_VP9, Codec::Vp9),
    (CODEC_AV1, Codec::Av1),
];

fn codec_of(number: u32) -> Option<Codec> {
    CODECS.iter().find(|(known, _)| *known == number).map(|&(_, codec)| codec)
}

/// Whether a codec is one of a mask of `1 << CODEC_*`.
pub(crate) fn is_in_mask(codec: Codec, mask: u64) -> bool {
    CODECS.iter().any(|&(number, known)| known == codec && mask & (1 << number) != 0)
}
