//! The meeting point of the video thread and the clients.
//!
//! The video thread asks for demand and publishes packets; socket tasks report acknowledgements and drained queues.
//! Neither waits for the other: everything here is a short critical section.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use selkies_plugin_abi::{CODEC_JPEG, PACKET_LAST};
use selkies_plugin_host::EncodedPacket;
use selkies_session::{
    ClientId,
    pacing::{Demand, FanOut, PacerStats, Packet, Priority},
};

/// Where packets go.
pub trait Outlet: Send + Sync {
    /// Hands one packet to clients. Must not block, and must not call the stream.
    fn send(&self, clients: &[ClientId], packet: &EncodedPacket);
    /// Sends, behind the packets, a mark that the client answers by itself (a WebSocket ping): the sign of life of
    /// clients that do not acknowledge frames. The answer goes to [`Stream::delivered`].
    fn mark(&self, client: ClientId, frame_id: u16);
}

/// One stream: its clients, the newest packet of each stripe, and who may get what.
pub struct Stream {
    fan: Mutex<FanOut<ClientId, EncodedPacket>>,
    changed: Condvar,
    outlet: Arc<dyn Outlet>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("active", &self.lock().active()).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream without clients, whose packets go to `outlet`.
    #[must_use]
    pub fn new(outlet: Arc<dyn Outlet>) -> Self {
        Self { fan: Mutex::new(FanOut::new()), changed: Condvar::new(), outlet }
    }

    /// The client wants video from now on and has nothing yet.
    pub fn start(&self, client: ClientId, priority: Priority) {
        self.change(|fan, _| fan.start(client, priority));
    }

    /// The client wants no video for now.
    pub fn stop(&self, client: ClientId) {
        self.change(|fan, _| fan.stop(client));
    }

    /// The stream follows this client's pace from now on.
    pub fn lead(&self, client: ClientId) {
        self.change(|fan, _| fan.set_priority(client, Priority::Lead));
    }

    /// The client is gone.
    pub fn leave(&self, client: ClientId) {
        self.change(|fan, _| fan.leave(client));
    }

    /// The client drew a frame, `held_ms` after it had arrived, where the client says so.
    pub fn acknowledge(&self, client: ClientId, frame_id: u16, held_ms: Option<u32>) {
        self.change(|fan, now| {
            if let Some(pacer) = fan.pacer(client) {
                pacer.on_ack(now, frame_id, held_ms);
            }
        });
    }

    /// A mark came back: the frame reached the client.
    pub fn delivered(&self, client: ClientId, frame_id: u16) {
        self.change(|fan, now| {
            if let Some(pacer) = fan.pacer(client) {
                pacer.on_delivered(now, frame_id);
            }
        });
    }

    /// Everything queued for the client was written to its socket.
    pub fn drained(&self, client: ClientId) {
        self.change(|fan, now| {
            if let Some(pacer) = fan.pacer(client) {
                pacer.on_drained(now);
            }
        });
    }

    /// What the pacer knows of a client.
    #[must_use]
    pub fn pacing(&self, client: ClientId) -> Option<PacerStats> {
        self.lock().pacer(client).map(|pacer| pacer.stats(Instant::now()))
    }

    /// Clients that want video.
    #[must_use]
    pub fn active(&self) -> usize {
        self.lock().active()
    }

    /// Wakes the video thread from [`Stream::pause`].
    pub fn notify(&self) {
        // The lock orders this after a check that is under way on the other side.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// The screen changed. Answers what to do.
    pub(crate) fn damaged(&self) -> Demand {
        let mut fan = self.lock();
        fan.on_damage();
        fan.demand(Instant::now())
    }

    /// What to do now.
    pub(crate) fn demand(&self) -> Demand {
        self.lock().demand(Instant::now())
    }

    /// When to call [`Stream::pump`] at the latest.
    pub(crate) fn next_wakeup(&self) -> Option<Instant> {
        self.lock().next_wakeup(Instant::now())
    }

    /// Blocks until something changed for which `ready` is true, or until `limit`.
    pub(crate) fn pause(
        &self,
        limit: Option<Instant>,
        ready: impl Fn(&FanOut<ClientId, EncodedPacket>) -> bool,
    ) {
        let mut fan = self.lock();
        loop {
            if ready(&fan) {
                return;
            }
            fan = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return,
                Some(left) => self.changed.wait_timeout(fan, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(fan).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// A frame with all damage so far is being encoded.
    pub(crate) fn encode_started(&self) {
        self.lock().encode_started(Instant::now());
    }

    /// The frame is encoded: its packets go to whoever can take them.
    pub(crate) fn encode_finished(&self, packets: Vec<EncodedPacket>, success: bool) {
        let mut fan = self.lock();
        fan.encode_finished(success);
        let last = packets.iter().map(|packet| packet.info.area.y).max();
        for mut packet in packets {
            if Some(packet.info.area.y) == last {
                packet.info.flags |= PACKET_LAST;
            }
            let info = packet.info;
            fan.publish(Packet {
                // The wire has 16 bits; ids run over.
                frame_id: (info.frame_id & 0xffff) as u16,
                y: info.area.y.min(u32::from(u16::MAX)) as u16,
                height: info.area.height.min(u32::from(u16::MAX)) as u16,
                // A JPEG packet is a complete image.
                independent: info.is_key() || info.codec == CODEC_JPEG,
                bytes: packet.data.payload().len(),
                payload: packet,
            });
        }
        self.deliver(fan, Instant::now());
    }

    /// Whose most important client cannot go on without an independent packet.
    pub(crate) fn keyframe_wanted(&self) -> Option<Priority> {
        self.lock().keyframe_wanted()
    }

    /// The picture's size or the encoder changed.
    pub(crate) fn restart(&self) {
        self.lock().restart();
    }

    /// Sends what became due.
    pub(crate) fn pump(&self) {
        self.deliver(self.lock(), Instant::now());
    }

    fn change(&self, change: impl FnOnce(&mut FanOut<ClientId, EncodedPacket>, Instant)) {
        let now = Instant::now();
        let mut fan = self.lock();
        change(&mut fan, now);
        self.deliver(fan, now);
        self.changed.notify_all();
    }

    /// Sends to every client that is ready what it lacks. The lock is kept while the packets are queued: two deliveries
    /// must not overtake each other.
    fn deliver(&self, mut fan: MutexGuard<'_, FanOut<ClientId, EncodedPacket>>, now: Instant) {
        let mut parcels: Vec<(EncodedPacket, Vec<ClientId>)> = Vec::new();
        let mut marks = Vec::new();
        for client in fan.ready(now) {
            let Some(batch) = fan.take(now, client) else { continue };
            if fan.pacer(client).is_some_and(|pacer| !pacer.stats(now).acknowledges) {
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
            self.outlet.send(clients, packet);
        }
        for (client, frame_id) in marks {
            self.outlet.mark(client, frame_id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FanOut<ClientId, EncodedPacket>> {
        self.fan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
