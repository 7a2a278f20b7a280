//! Outgoing messages: from the stream through the transport plugin into the clients' queues.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use selkies_media::Outlet;
use selkies_plugin_host::{EncodedPacket, TransportInstance};
use selkies_session::ClientId;
use tracing::{debug, warn};

use crate::{
    queue::{ClientQueue, Outgoing},
    sink::within_hub,
};

/// Close code of a client that does not read (RFC 6455 section 7.4.1: policy violation).
pub(crate) const CLOSE_POLICY: u16 = 1008;

/// Where packets of the stream go: through the transport plugin, back to the clients' queues.
#[derive(Default)]
pub(crate) struct Post {
    pub(crate) transport: OnceLock<TransportInstance>,
    clients: RwLock<HashMap<u64, Arc<ClientQueue>>>,
    sent_bytes: AtomicU64,
}

impl Post {
    pub(crate) fn add(&self, client: u64, queue: Arc<ClientQueue>) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).insert(client, queue);
    }

    pub(crate) fn remove(&self, client: u64) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).remove(&client);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn queue(&self, client: u64) -> Option<Arc<ClientQueue>> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).get(&client).cloned()
    }

    /// Bytes that wait for all clients together.
    pub(crate) fn queued(&self) -> usize {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).values().map(|queue| queue.bytes()).sum()
    }

    /// Bytes queued since the start, for all clients together.
    pub(crate) fn sent(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Queues a message for several clients; answers how many it reached.
    pub(crate) fn push_all(&self, clients: &[u64], message: &Outgoing) -> usize {
        let reached = clients.iter().filter(|client| self.push(**client, message.clone())).count();
        self.sent_bytes.fetch_add(message.len() as u64 * reached as u64, Ordering::Relaxed);
        reached
    }

    /// Queues a message. A client whose queue is full is closed.
    pub(crate) fn push(&self, client: u64, message: Outgoing) -> bool {
        let Some(queue) = self.queue(client) else { return false };
        if let Err(overflow) = queue.push(message) {
            warn!(client, %overflow, "client closed");
            queue.close(CLOSE_POLICY, "does not read");
            return false;
        }
        true
    }
}

impl Outlet for Post {
    fn send(&self, clients: &[ClientId], packet: &EncodedPacket) {
        let Some(transport) = self.transport.get() else { return };
        let clients: Vec<u64> = clients.iter().map(|client| client.0).collect();
        if let Err(error) = within_hub(|| transport.send_packet(&clients, packet)) {
            debug!(%error, "a packet was not sent");
            // It counts as sent: a mark makes the clients' writers report that nothing is left to write.
            for client in clients {
                self.push(client, Outgoing::Mark((packet.info.frame_id & 0xffff) as u16));
            }
        }
    }

    fn mark(&self, client: ClientId, frame_id: u16) {
        self.push(client.0, Outgoing::Mark(frame_id));
    }
}
