//! What the transport plugin calls.

use std::sync::Arc;

use bytes::Bytes;
use selkies_media::Studio;
use selkies_plugin_host::{ClientState, EmitRefusal, MessageKind, PathFeedback, TransportSink};
use selkies_session::{ClientId, Event};
use tracing::debug;

use crate::{hub::Hub, post::CLOSE_POLICY, queue::Outgoing};

/// The hub as a transport plugin sees it.
pub struct HubSink(pub Arc<Hub>);

impl TransportSink for HubSink {
    fn message(&self, client: u64, kind: MessageKind, payload: &[u8]) {
        let client = ClientId(client);
        match kind {
            MessageKind::Text => match std::str::from_utf8(payload) {
                Ok(text) => self.0.handle(Event::ClientText { client, text }),
                Err(_) => debug!(client = client.0, "a text message was not UTF-8"),
            },
            MessageKind::Binary => self.0.handle(Event::ClientBinary { client, data: payload }),
        }
    }

    fn emit(&self, clients: &[u64], kind: MessageKind, message: Bytes) -> Result<(), EmitRefusal> {
        let outgoing = match kind {
            MessageKind::Binary => Outgoing::Binary(message),
            MessageKind::Text => match std::str::from_utf8(&message) {
                Ok(text) => Outgoing::Text(text.to_owned()),
                Err(_) => return Err(EmitRefusal::UnknownClients),
            },
        };
        let reached = self.0.post().push_all(clients, &outgoing);
        if reached == 0 { Err(EmitRefusal::UnknownClients) } else { Ok(()) }
    }

    fn signal(&self, client: u64, _: &str) {
        debug!(client, "a transport without signaling sent a signaling message");
    }

    fn feedback(&self, client: u64, feedback: PathFeedback) {
        debug!(client, ?feedback, "path feedback");
    }

    fn request_keyframe(&self, _: u64) {
        self.0.with_studio(Studio::request_keyframe);
    }

    fn client_state(&self, client: u64, state: ClientState, reason: &str) {
        if state == ClientState::Failed
            && let Some(queue) = self.0.post().queue(client)
        {
            queue.close(CLOSE_POLICY, reason);
        }
    }
}
