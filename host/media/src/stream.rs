//! The meeting point of the video thread and the clients.
//!
//! The video thread asks for demand and publishes packets; socket tasks report acknowledgements and drained queues.
//! Neither waits for the other: everything here is a short critical section.

mod waiting;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_abi::{CODEC_JPEG, PACKET_DISCARDABLE, PACKET_LAST};
use selkies_plugin_host::{EncodedPacket, Waker};
use selkies_session::{
    ClientId,
    latency::{StageReport, Stages},
    pacing::{Demand, FanOut, Needs, PacerStats, Packet, PathReport, Priority},
};

use crate::{
    delivery::{self, Outlet},
    trails::Trails,
};

pub(crate) type Fan = FanOut<ClientId, EncodedPacket>;

#[derive(Default)]
struct State {
    fan: Fan,
    trails: Trails,
    /// Ends the capture's wait.
    waker: Option<Waker>,
    /// While the video thread waits for damage: when it will look at the clients again.
    looks_at: Option<Option<Instant>>,
    /// When input last let a frame ahead of its turn.
    hurried: Option<Instant>,
    /// Until when the next damage counts as the answer to it.
    reaction_until: Option<Instant>,
}

/// Least time between two frames that input lets ahead of the frame rate.
const HURRY_INTERVAL: Duration = Duration::from_millis(100);
/// How long an application may take to answer to input, for its answer to be shown at once.
const REACTION: Duration = Duration::from_millis(80);

/// A frame for those who cannot go on with what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    /// One that is predicted from what they have.
    Anchor,
    /// One that stands alone.
    Keyframe,
}

/// One stream: its clients, the newest packet of each stripe, and who may get what.
pub struct Stream {
    state: Mutex<State>,
    changed: Condvar,
    outlet: Arc<dyn Outlet>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("active", &self.active()).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream without clients, whose packets go to `outlet`.
    #[must_use]
    pub fn new(outlet: Arc<dyn Outlet>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), outlet }
    }

    /// The client wants video from now on and has nothing yet.
    pub fn start(&self, client: ClientId, priority: Priority) {
        self.change(|state| {
            state.fan.start(client, priority);
            state.trails.begin(client);
        });
    }

    /// As [`Stream::start`], for a client whose transport controls congestion itself, see [`FanOut::reports`]. What it tells
    /// goes to [`Stream::reported`].
    pub fn start_reporting(&self, client: ClientId, priority: Priority) {
        self.change(|state| {
            state.fan.start(client, priority);
            state.fan.reports(client);
            state.trails.begin(client);
        });
    }

    /// A client's transport tells of its path; `arrived` is the newest frame that arrived whole.
    pub fn reported(
        &self,
        client: ClientId,
        arrived: Option<u64>,
        queued_bytes: usize,
        estimate_kbps: Option<u32>,
    ) {
        let report = PathReport { arrived: arrived.map(wire_id), queued_bytes, estimate_kbps };
        self.pace(client, |state, now| {
            let news = state.fan.pacer(client)?.on_report(now, report);
            if let Some(arrived) = report.arrived.filter(|_| news) {
                state.trails.of(client)?.acked(now, arrived, None);
            }
            Some(())
        });
    }

    /// The client wants no video for now.
    pub fn stop(&self, client: ClientId) {
        self.change(|state| state.fan.stop(client));
    }

    /// The stream follows this client's pace from now on.
    pub fn lead(&self, client: ClientId) {
        self.change(|state| state.fan.set_priority(client, Priority::Lead));
    }

    /// The client's page loses nothing of what it got, see [`FanOut::keeps`].
    pub fn keeps(&self, client: ClientId) {
        self.change(|state| state.fan.keeps(client));
    }

    /// The client is gone.
    pub fn leave(&self, client: ClientId) {
        self.change(|state| {
            state.fan.leave(client);
            state.trails.leave(client);
        });
    }

    /// The client drew a frame, `held_ms` after it had arrived, where the client says so.
    pub fn acknowledge(&self, client: ClientId, frame_id: u16, held_ms: Option<u32>) {
        self.pace(client, |state, now| {
            state.trails.of(client)?.acked(now, frame_id, held_ms);
            state.fan.pacer(client)?.on_ack(now, frame_id, held_ms);
            Some(())
        });
    }

    /// A mark came back: the frame reached the client.
    pub fn delivered(&self, client: ClientId, frame_id: u16) {
        self.pace(client, |state, now| {
            state.fan.pacer(client)?.on_delivered(now, frame_id);
            Some(())
        });
    }

    /// The client's decoder dropped a frame, or everything, see [`FanOut::lose`].
    pub fn lose(&self, client: ClientId, frame_id: Option<u16>) {
        self.change(|state| state.fan.lose(client, frame_id));
    }

    /// The client's transport asks for a key frame for it, see [`FanOut::resume`].
    pub fn resume(&self, client: ClientId) {
        let now = Instant::now();
        self.change(|state| state.fan.resume(now, client));
    }

    /// The client's decoder keeps up with so many frames per second, see
    /// [`ClientPacer::decodes`](selkies_session::pacing::ClientPacer::decodes).
    pub fn decodes(&self, client: ClientId, fps: f64) {
        self.pace(client, |state, now| {
            state.fan.pacer(client)?.decodes(now, fps);
            Some(())
        });
    }

    /// Everything queued for the client was written to its socket.
    pub fn drained(&self, client: ClientId) {
        self.pace(client, |state, now| {
            state.trails.of(client)?.handed(now);
            state.fan.pacer(client)?.on_drained(now);
            Some(())
        });
    }

    /// The client's page says how long it decoded and drew some frames.
    pub fn staged(&self, client: ClientId, reports: &[StageReport]) {
        let now = Instant::now();
        let mut state = self.lock();
        let path = state.fan.pacer(client).and_then(|pacer| pacer.stats(now).path);
        let Some(trail) = state.trails.of(client) else { return };
        reports.iter().for_each(|&report| trail.reported(now, report, path));
    }

    /// How long each client's batches take from the encoder to the page's canvas, by stage.
    #[must_use]
    pub fn stages(&self) -> Vec<(ClientId, Arc<Stages>)> {
        self.lock().trails.stages()
    }

    /// What the pacer knows of a client.
    #[must_use]
    pub fn pacing(&self, client: ClientId) -> Option<PacerStats> {
        self.lock().fan.pacer(client).map(|pacer| pacer.stats(Instant::now()))
    }

    /// Clients that want video.
    #[must_use]
    pub fn active(&self) -> usize {
        self.lock().fan.active()
    }

    /// Input was injected. What changes next is likely the answer, which is then shown at once and not at the frame
    /// rate's next turn, unless other damage waits for that turn already; ten times a second at most.
    pub fn hurry(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.hurried.is_some_and(|at| now.saturating_duration_since(at) < HURRY_INTERVAL) {
            return;
        }
        state.hurried = Some(now);
        state.reaction_until = Some(now + REACTION);
        state.fan.hurry(now + REACTION);
    }

    /// Wakes the video thread from where it waits for demand.
    pub fn notify(&self) {
        // The lock orders this after a check that is under way on the other side.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// True, once for each hurry, while what changes counts as the answer to input.
    pub(crate) fn reacts(&self) -> bool {
        self.lock().reaction_until.take_if(|until| Instant::now() < *until).is_some()
    }

    /// The capture whose wait the stream may end.
    pub(crate) fn wakes(&self, waker: Option<Waker>) {
        self.lock().waker = waker;
    }

    /// The screen changed.
    pub(crate) fn damaged(&self) {
        self.lock().fan.on_damage();
    }

    /// What to do now.
    pub(crate) fn demand(&self) -> Demand {
        self.lock().fan.demand(Instant::now())
    }

    /// A frame with all damage so far is being encoded.
    pub(crate) fn encode_started(&self) {
        self.lock().fan.encode_started(Instant::now());
    }

    /// The frame is encoded: its packets go to whoever can take them.
    pub(crate) fn encode_finished(&self, packets: Vec<EncodedPacket>, success: bool) {
        let now = Instant::now();
        let mut state = self.lock();
        state.fan.encode_finished(now, success);
        let last = packets.iter().map(|packet| packet.info.area.y).max();
        if let Some(packet) = packets.first() {
            state.trails.encoded(now, wire_id(packet.info.frame_id));
        }
        for mut packet in packets {
            if Some(packet.info.area.y) == last {
                packet.info.flags |= PACKET_LAST;
            }
            let info = packet.info;
            state.fan.publish(Packet {
                frame_id: wire_id(info.frame_id),
                y: info.area.y.min(u32::from(u16::MAX)) as u16,
                height: info.area.height.min(u32::from(u16::MAX)) as u16,
                needs: match info.reference_frame_id {
                    // A JPEG packet is a complete image.
                    _ if info.is_key() || info.codec == CODEC_JPEG => Needs::Nothing,
                    0 => Needs::Before,
                    id => Needs::Frame(wire_id(id)),
                },
                discardable: info.flags & PACKET_DISCARDABLE != 0,
                bytes: packet.data.payload().len(),
                payload: packet,
            });
        }
        self.deliver(&mut state, now);
    }

    /// What is to be made now because a client cannot go on without it; a key frame then counts as made.
    pub(crate) fn takes_help(&self) -> Option<Help> {
        let now = Instant::now();
        let mut state = self.lock();
        state.fan.keyframe_due(now).filter(|due| *due <= now)?;
        if state.fan.anchor_does(now) {
            return Some(Help::Anchor);
        }
        state.fan.keyframe_asked(now);
        Some(Help::Keyframe)
    }

    /// How much longer than at best packets are on the way to the lead, see [`FanOut::lead_wait`].
    pub(crate) fn lead_wait(&self) -> Option<Duration> {
        self.lock().fan.lead_wait(Instant::now())
    }

    /// What the lead's transport estimates that its path takes, see [`FanOut::lead_estimate`].
    pub(crate) fn lead_estimate(&self) -> Option<u32> {
        self.lock().fan.lead_estimate()
    }

    /// Whether the encoder in use can predict from older frames than the one before.
    pub(crate) fn set_anchors(&self, anchors: bool) {
        self.lock().fan.set_anchors(anchors);
    }

    /// From which frame the one after `newest` is best predicted, see [`FanOut::known_frame`].
    pub(crate) fn known_frame(&self, newest: u64) -> Option<u64> {
        let known = self.lock().fan.known_frame(Instant::now())?;
        // The fan-out knows the last 16 bits.
        newest.checked_sub(u64::from((newest as u16).wrapping_sub(known)))
    }

    /// Another encoder goes on with the same picture, from a key frame of its own.
    pub(crate) fn succeed(&self) {
        self.lock().fan.succeed();
    }

    /// The picture's size changed, or a new run begins.
    pub(crate) fn restart(&self) {
        self.lock().fan.restart();
    }

    /// Sends what became due.
    pub(crate) fn pump(&self) {
        self.deliver(&mut self.lock(), Instant::now());
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let now = Instant::now();
        let mut state = self.lock();
        change(&mut state);
        self.deliver(&mut state, now);
        self.announce(&state, now);
    }

    /// Changes one client's pace, and gives that client what it may have now; `None` for one that is not there.
    fn pace(&self, client: ClientId, change: impl FnOnce(&mut State, Instant) -> Option<()>) {
        let now = Instant::now();
        let mut state = self.lock();
        if change(&mut state, now).is_none() {
            return;
        }
        self.deliver_to(&mut state, now, vec![client]);
        self.announce(&state, now);
    }

    /// Lets the video thread know, wherever it waits.
    fn announce(&self, state: &State, now: Instant) {
        self.changed.notify_all();
        let Some(looks_at) = state.looks_at else { return };
        if wakeup(&state.fan, now).is_some_and(|due| looks_at.is_none_or(|looks_at| due < looks_at))
            && let Some(waker) = &state.waker
        {
            waker.wake();
        }
    }

    fn deliver(&self, state: &mut State, now: Instant) {
        state.fan.repeat(now);
        let ready = state.fan.ready(now);
        self.deliver_to(state, now, ready);
    }

    /// The lock is kept while the packets are queued: two deliveries must not overtake each other.
    fn deliver_to(&self, state: &mut State, now: Instant, clients: Vec<ClientId>) {
        delivery::deliver(&*self.outlet, &mut state.fan, &mut state.trails, now, clients);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wire has 16 bits; ids run over.
fn wire_id(frame_id: u64) -> u16 {
    (frame_id & 0xffff) as u16
}

/// When the video thread is to look at the clients again: for a turn, or for a keyframe.
fn wakeup(fan: &Fan, now: Instant) -> Option<Instant> {
    fan.next_wakeup(now).into_iter().chain(fan.keyframe_due(now)).min()
}
