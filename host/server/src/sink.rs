//! What the transport plugin calls.

use std::{
    cell::Cell,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use selkies_plugin_host::{ClientState, EmitRefusal, MessageKind, PathFeedback, TransportSink};
use selkies_session::{ClientId, Event};
use tracing::debug;

use crate::{hub::Hub, post::CLOSE_POLICY, queue::Outgoing};

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
    NeedsKeyframe,
}

/// The hub as a transport plugin sees it.
#[derive(Debug)]
pub struct HubSink {
    // The hub owns the transport, which owns this.
    hub: Weak<Hub>,
}

impl HubSink {
    /// The sink of a hub.
    #[must_use]
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::downgrade(hub) }
    }

    fn put_off(&self, said: impl FnOnce() -> Said) -> Option<Arc<Hub>> {
        let hub = self.hub.upgrade()?;
        if WITHIN.get() {
            hub.defer(said());
            return None;
        }
        Some(hub)
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

    fn signal(&self, client: u64, _: &str) {
        debug!(client, "a transport without signaling sent a signaling message");
    }

    fn feedback(&self, client: u64, feedback: PathFeedback) {
        debug!(client, ?feedback, "path feedback");
    }

    fn request_keyframe(&self, _: u64) {
        if let Some(hub) = self.put_off(|| Said::NeedsKeyframe) {
            hub.hear(&Said::NeedsKeyframe);
        }
    }

    fn client_state(&self, client: u64, state: ClientState, reason: &str) {
        if state == ClientState::Failed
            && let Some(queue) = self.hub.upgrade().and_then(|hub| hub.post().queue(client))
        {
            queue.close(CLOSE_POLICY, reason);
        }
    }
}
