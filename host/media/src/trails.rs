//! When frames were encoded, and what became of them at each client.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use selkies_session::{
    ClientId,
    latency::{Stages, Trail},
};

/// Frames whose time is remembered; what is older than that waits in no queue.
const MAX_FRAMES: usize = 64;

#[derive(Default)]
pub(crate) struct Trails {
    /// Oldest first.
    encoded: VecDeque<(u16, Instant)>,
    clients: BTreeMap<ClientId, Trail>,
}

impl Trails {
    /// A frame has all its packets.
    pub(crate) fn encoded(&mut self, now: Instant, frame_id: u16) {
        if self.encoded.len() >= MAX_FRAMES {
            self.encoded.pop_front();
        }
        self.encoded.push_back((frame_id, now));
    }

    /// The client begins, or begins anew.
    pub(crate) fn begin(&mut self, client: ClientId) {
        self.clients.entry(client).or_default().forget();
    }

    pub(crate) fn leave(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    /// A batch was queued for a client.
    pub(crate) fn sent(&mut self, client: ClientId, frame_id: u16) {
        let Some(trail) = self.clients.get_mut(&client) else { return };
        let encoded = self.encoded.iter().rev().find(|(id, _)| *id == frame_id);
        trail.sent(frame_id, encoded.map(|&(_, at)| at));
    }

    pub(crate) fn of(&mut self, client: ClientId) -> Option<&mut Trail> {
        self.clients.get_mut(&client)
    }

    /// What was measured, by client.
    pub(crate) fn stages(&self) -> Vec<(ClientId, Arc<Stages>)> {
        self.clients.iter().map(|(&client, trail)| (client, trail.stages())).collect()
    }
}
