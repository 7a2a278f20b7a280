//! From the fan-out to the clients.

use std::time::Instant;

use selkies_plugin_host::EncodedPacket;
use selkies_session::ClientId;

use crate::{stream::Fan, trails::Trails};

/// Where packets go.
pub trait Outlet: Send + Sync {
    /// Hands one packet to clients. Must not block, and must not call the stream.
    fn send(&self, clients: &[ClientId], packet: &EncodedPacket);
    /// Sends, behind the packets, a mark that the client answers by itself (a WebSocket ping): the sign of life of
    /// clients that do not acknowledge frames, and for the others, a few times a second, the measure of the path
    /// without the page's own work. The answer goes to [`Stream::delivered`](crate::Stream::delivered).
    fn mark(&self, client: ClientId, frame_id: u16);
}

/// Sends to each of these clients what it lacks and may have, each packet once to all who get it.
pub(crate) fn deliver(
    outlet: &dyn Outlet,
    fan: &mut Fan,
    trails: &mut Trails,
    now: Instant,
    clients: Vec<ClientId>,
) {
    let mut parcels: Vec<(EncodedPacket, Vec<ClientId>)> = Vec::new();
    let mut marks = Vec::new();
    for client in clients {
        let Some(batch) = fan.take(now, client) else { continue };
        trails.sent(client, batch.frame_id);
        if fan.pacer(client).is_some_and(|pacer| pacer.wants_mark(now, batch.frame_id)) {
            marks.push((client, batch.frame_id));
        }
        for packet in batch.packets {
            let info = packet.payload.info;
            let place = (info.frame_id, info.area.y);
            match parcels
                .binary_search_by_key(&place, |(packet, _)| (packet.info.frame_id, packet.info.area.y))
            {
                Ok(at) => parcels[at].1.push(client),
                Err(at) => parcels.insert(at, (packet.payload, vec![client])),
            }
        }
    }
    for (packet, clients) in &parcels {
        outlet.send(clients, packet);
    }
    for (client, frame_id) in marks {
        outlet.mark(client, frame_id);
    }
}
