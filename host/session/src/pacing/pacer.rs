//! One client's pacer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delay::DelayFloor;
use super::pace::Pace;
use super::page::PageClock;
use super::probes::{self, Probes};
use super::report::{PathReport, Reported};
use super::sent::{Sent, is_after};
use super::stats::PacerStats;
use super::window::{MAX_WINDOW, QUEUE_SHORT, Window};

/// What an acknowledgement without its held time may have waited for the page's timer.
const ACK_TICK: Duration = Duration::from_millis(50);
/// Nothing is added behind a frame that is this much older than the floor explains (acknowledgement tick included).
const BRAKE: Duration = Duration::from_millis(110);
/// A path of this length is taken for granted where frames build on each other, until it was measured.
const UNKNOWN_PATH: Duration = Duration::from_millis(300);
/// Until a client acknowledged something it may be a slow one: that long its frames are far apart.
const UNKNOWN: Duration = Duration::from_secs(1);
/// Longest spacing; a very slow client is held by its window.
const MAX_SPACING: Duration = Duration::from_millis(150);

/// Decides when one client may take another batch, so that what it sees stays young at whatever speed it draws.
///
/// Frames in flight are those sent and not acknowledged. Their number is bounded by a window that grows while it
/// holds frames back and the path shows no queue, and shrinks when every frame of a round (CoDel's rule) waited
/// longer than the floor explains: the window thus follows round trip times frame rate, and no more. The floor is
/// the least delay of the last minute; when it is renewed the window is halved for one round trip, so that a
/// standing queue shows itself. Within the window, frames are spaced by the client's own drawing interval, a little
/// less while nothing queues and a little more while something does.
///
/// A page that needs 35 ms or more for a batch is paced by its own clock instead (`PageClock`): the next batch is
/// sent so that it arrives when the page becomes free, or earlier by what keeps its stay below 64 ms, and none is
/// added behind one that is overdue. Where a whole frame takes longer than 66 ms, [`ClientPacer::rows`] bounds the
/// batches. That needs acknowledgements with held times and answers to marks ([`ClientPacer::wants_mark`]); without
/// them the window alone decides.
///
/// Acknowledgements may come late and in lumps: a stock page sends the newest drawn id every 50 ms with the time it
/// held it. A stock *viewer* sends none at all: after half a second without an acknowledgement, and until the first,
/// [`ClientPacer::on_delivered`] (the pong of a WebSocket ping written behind the batch, which every browser answers)
/// stands in for it; a slow page must not get its first second's frames at once. A client that answers neither gets a
/// lone frame every two seconds.
///
/// Bytes that wait in the socket's queue block every further frame until [`ClientPacer::on_drained`].
#[derive(Debug, Clone, Default)]
pub struct ClientPacer {
    in_flight: VecDeque<Sent>,
    queued_bytes: usize,
    window: Window,
    floor: DelayFloor,
    draining_since: Option<Instant>,
    first_sent: Option<Instant>,
    last_sent: Option<Instant>,
    last_drawn: Option<Instant>,
    draw_interval: Option<Duration>,
    last_delay: Duration,
    acknowledges: bool,
    probes: Probes,
    /// Until when one batch need not keep its distance from the one before.
    hurry_until: Option<Instant>,
    page: PageClock,
    last_acked: Option<u16>,
    pace: Option<Pace>,
    /// The frames build on each other.
    chained: bool,
    /// What the transport says, for a client whose transport controls congestion itself.
    reported: Option<Reported>,
}

impl ClientPacer {
    /// A pacer that knows nothing of its client.
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch was handed to the socket. `frame_id` is the newest id in it, `rows` the height of its stripes together.
    pub fn on_sent(&mut self, now: Instant, frame_id: u16, rows: u32, bytes: usize) {
        if self.last_sent.is_some_and(|at| !self.in_flight.is_empty() && now >= at + self.probe_after()) {
            // A probe: the frames before it are given up, the client acknowledges this one or a later one.
            let speaks = self.reported.as_ref().is_some_and(|reported| reported.is_fresh(now));
            let repeats = self.in_flight.back().is_some_and(|sent| sent.repeats);
            self.probes.sends(self.in_flight.front().map(|sent| sent.at), speaks, repeats);
            self.in_flight.clear();
        }
        if self.spaced_until().is_some_and(|at| now < at) {
            self.hurry_until = None;
        }
        let most = if self.reported.is_some() { Reported::MAX_IN_FLIGHT } else { MAX_WINDOW };
        if self.in_flight.len() >= most {
            self.in_flight.pop_front();
        }
        self.page.sends(rows);
        let repeats = self.last_acked == Some(frame_id);
        self.in_flight.push_back(Sent { id: frame_id, at: now, rows, repeats });
        if self.reported.is_none() {
            self.queued_bytes = self.queued_bytes.saturating_add(bytes);
        }
        self.first_sent.get_or_insert(now);
        self.last_sent = Some(now);
        if self.in_flight.len() >= self.window.size() {
            self.window.limits(now);
        }
    }

    /// The client drew `frame_id` (and, ids wrapping, everything before it), `held_ms` before it said so.
    /// Ids that are not in flight are ignored.
    pub fn on_ack(&mut self, now: Instant, frame_id: u16, held_ms: Option<u32>) {
        if !self.acknowledges {
            // Delays measured to delivery are no floor for delays measured to drawing.
            self.acknowledges = true;
            self.floor = DelayFloor::default();
            self.window.forget_round();
            self.last_drawn = None;
        }
        self.settle(now, frame_id, held_ms.map(|ms| Duration::from_millis(ms.into())));
    }

    /// The batch that ends with `frame_id` has arrived at the client. Measures the path, and stands in for the
    /// acknowledgements of clients that send none.
    pub fn on_delivered(&mut self, now: Instant, frame_id: u16) {
        self.page.marked(now, frame_id);
        let silent = self.first_sent.is_some_and(|at| now.saturating_duration_since(at) >= probes::FIRST);
        if !self.acknowledges && silent {
            self.settle(now, frame_id, Some(Duration::ZERO));
        }
    }

    /// The client's transport controls congestion itself and tells what arrived ([`ClientPacer::on_report`]): frames go to it
    /// at the stream's rate, as long as it takes and delivers them.
    pub fn reports(&mut self) {
        self.reported.get_or_insert_default();
        self.queued_bytes = 0;
    }

    /// The client's transport tells of its path. True when it tells of a frame that had not arrived before.
    pub fn on_report(&mut self, now: Instant, report: PathReport) -> bool {
        let Some(reported) = &mut self.reported else { return false };
        reported.take(now, report);
        let before = self.in_flight.len();
        if let Some(frame_id) = report.arrived {
            self.acknowledges = true;
            self.settle(now, frame_id, Some(Duration::ZERO));
        }
        self.in_flight.len() < before
    }

    /// The client's transport asks for a key frame. Where the path was silent, what is out is given up: the key frame goes at
    /// once, and not at the next probe's turn. Does nothing where the transport does not report, or something is under way that
    /// may yet arrive.
    pub fn resume(&mut self, now: Instant) {
        let Some(oldest) = self.in_flight.front().filter(|_| self.reported.is_some()) else { return };
        let silent = now >= Reported::silent_from(oldest.at, self.floor.get());
        if silent || self.probes.go_alone() {
            self.in_flight.clear();
            self.probes.end();
        }
    }

    /// What the transport estimates that the path takes, kbit/s.
    pub fn estimate(&self) -> Option<u32> {
        self.reported.as_ref()?.estimate()
    }

    /// Whether a mark should follow the batch that was just sent, whose answer goes to [`ClientPacer::on_delivered`].
    pub fn wants_mark(&mut self, now: Instant, frame_id: u16) -> bool {
        self.reported.is_none() && (self.page.wants_mark(now, frame_id) || !self.acknowledges)
    }

    /// Most rows that the next batch should have; `None` without a bound.
    pub fn rows(&self) -> Option<u32> {
        self.page.limit()
    }

    /// From when a batch with this newest id can be told from those in flight; `None` when it can be already.
    pub fn tells_apart_at(&self, now: Instant, frame_id: u16) -> Option<Instant> {
        let newest = self.in_flight.back().filter(|sent| !is_after(frame_id, sent.id))?;
        Some(newest.at + self.probe_after()).filter(|&at| at > now)
    }

    /// The page says that its decoder keeps up with so many frames per second (`DECODE_PACE`); 0, or no number, for any.
    pub fn decodes(&mut self, now: Instant, fps: f64) {
        self.pace = Pace::of(now, fps);
    }

    /// How long a frame takes from its grab to its packets: a slow client's turn begins that much earlier.
    pub fn encodes_in(&mut self, time: Duration) {
        self.page.encodes_in(time);
    }

    /// The frames build on each other, so that one left out costs this client the next ones, too: until its path was
    /// measured it is taken for a long one and not for a slow client.
    pub fn chains(&mut self) {
        if !std::mem::replace(&mut self.chained, true) {
            self.window.chains();
        }
    }

    /// How many frames the client draws in this time, as far as is known; at least one.
    pub fn draws_in(&self, time: Duration) -> Option<usize> {
        let interval = self.draw_interval.filter(|interval| !interval.is_zero())?;
        Some(((time.as_secs_f64() / interval.as_secs_f64()) as usize).max(1))
    }

    /// The socket has taken everything handed to it.
    pub fn on_drained(&mut self, _now: Instant) {
        self.queued_bytes = 0;
    }

    /// Forgets the frames in flight, for after `PIPELINE_RESETTING`: the page drops them unacknowledged.
    pub fn reset(&mut self) {
        self.in_flight.clear();
        self.last_drawn = None;
        self.last_acked = None;
        self.probes.end();
        self.page.reset();
    }

    /// What comes before `until` may be the answer to the user's input: one batch need not keep its distance from the
    /// one before, if nothing queues at the client. The window holds all the same.
    pub fn hurry(&mut self, until: Instant) {
        self.hurry_until = Some(until);
    }

    /// Whether the client may take a batch now.
    pub fn can_take(&self, now: Instant) -> bool {
        self.queued_bytes == 0 && self.next_chance(now).is_some_and(|at| at <= now)
    }

    /// When [`ClientPacer::can_take`] turns true by the mere passing of time; `None` when it is true already, or when
    /// only an acknowledgement or a drained socket can help.
    pub fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        if self.queued_bytes > 0 { None } else { self.next_chance(now).filter(|&at| at > now) }
    }

    /// How much longer than at best batches are on the way, or in the socket's queue. Tells nothing of the page.
    pub fn wait(&self, now: Instant) -> Duration {
        if let Some(reported) = &self.reported {
            return reported.queue();
        }
        let blocked = self.last_sent.filter(|_| self.queued_bytes > 0);
        let blocked = blocked.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.page.path_load().unwrap_or_default().max(blocked)
    }

    /// The state, for metrics.
    pub fn stats(&self, now: Instant) -> PacerStats {
        PacerStats {
            in_flight: self.in_flight.len(),
            window: self.effective_window(),
            queued_bytes: self.queued_bytes,
            floor: self.floor.get(),
            last_delay: self.last_delay,
            draw_interval: self.draw_interval,
            path: self.page.path(),
            batch_time: self.page.cost(),
            rows: self.page.limit(),
            acknowledges: self.acknowledges,
            stalled: self.is_stalled(now),
        }
    }

    /// Whether frames are out and the client has gone silent, for four seconds or through two probes.
    pub fn is_stalled(&self, now: Instant) -> bool {
        self.probes.were_in_vain() || self.silent_from().is_some_and(|at| at <= now)
    }

    /// When [`ClientPacer::is_stalled`] turns true if nothing comes back; `None` when it is true already, or nothing is out.
    pub fn stalls_at(&self, now: Instant) -> Option<Instant> {
        self.silent_from().filter(|&at| at > now && !self.is_stalled(now))
    }

    /// Whether the batch with this newest id is out and was neither acknowledged nor given up.
    pub(super) fn is_under_way(&self, frame_id: u16) -> bool {
        self.in_flight.iter().any(|sent| sent.id == frame_id)
    }

    /// Whether a batch handed over now would be the only one under way.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.queued_bytes == 0
    }

    /// From when on it counts as stalled that nothing came back of what is out. What waits in the socket is out, too, although
    /// frames in flight were forgotten.
    fn silent_from(&self) -> Option<Instant> {
        let queued = self.last_sent.filter(|_| self.queued_bytes > 0);
        self.probes.stall_at(self.in_flight.front().map(|sent| sent.at).or(queued))
    }

    fn effective_window(&self) -> usize {
        let size = self.window.size();
        if self.draining_since.is_some() { (size / 2).max(1) } else { size }
    }

    /// The time from which a batch may go, as things stand.
    fn next_chance(&self, now: Instant) -> Option<Instant> {
        let paced = self.last_sent.zip(self.pace).map_or(now, |(last, pace)| pace.opens(now, last));
        let (Some(oldest), Some(last_sent)) = (self.in_flight.front(), self.last_sent) else {
            return Some(paced);
        };
        let probe = last_sent + self.probe_after();
        if let Some(reported) = &self.reported {
            let chance = reported.chance(now, oldest.at, self.in_flight.len(), self.floor.get());
            return Some(
                chance.filter(|_| !self.probes.go_alone()).map_or(probe, |at| at.min(probe)).max(paced),
            );
        }
        let hurried =
            self.window.standing_queue() < QUEUE_SHORT && self.hurry_until.is_some_and(|until| now < until);
        let mut spaced = self.spaced_until().filter(|_| !hurried).unwrap_or(last_sent);
        let floor = self.floor.get();
        let unmeasured = self.chained && floor.is_zero();
        let mut brake = oldest.at + if unmeasured { UNKNOWN_PATH } else { floor } + BRAKE;
        if let Some(gate) = self.page.gate(self.in_flight.iter().map(|sent| sent.load())) {
            spaced = if self.page.slow().is_some() { gate.opens } else { gate.opens.max(spaced) };
            brake = brake.min(gate.closes);
        }
        let open = !self.probes.go_alone()
            && self.in_flight.len() < self.effective_window()
            && spaced.max(now) < brake;
        Some(if open { spaced.min(probe) } else { probe }.max(paced))
    }

    /// Until when the batch before keeps the next one at a distance.
    fn spaced_until(&self) -> Option<Instant> {
        let (first_sent, last_sent) = (self.first_sent?, self.last_sent?);
        let known_for = last_sent.saturating_duration_since(first_sent);
        if !self.acknowledges && (probes::FIRST..UNKNOWN).contains(&known_for) {
            return Some(last_sent + MAX_SPACING);
        }
        Some(last_sent + self.draw_interval?.mul_f64(self.window.spacing()).min(MAX_SPACING))
    }

    fn probe_after(&self) -> Duration {
        let repeats = self.in_flight.back().is_some_and(|sent| sent.repeats);
        match (self.page.path(), self.page.cost()) {
            // Whoever does not repeat an acknowledgement has drawn it by then.
            (Some(path), Some(cost)) if repeats => path + cost * 2 + ACK_TICK,
            _ => self.probes.wait().max(self.floor.get() * 2),
        }
    }

    fn settle(&mut self, now: Instant, frame_id: u16, held: Option<Duration>) {
        // In flight the ids ascend (wrapping). An id between two batches is that of a stripe inside the later one: it
        // settles the earlier. An id past the newest was never sent.
        if self.in_flight.back().is_none_or(|newest| is_after(frame_id, newest.id)) {
            return;
        }
        let Some(index) = self.in_flight.iter().rposition(|sent| !is_after(sent.id, frame_id)) else {
            return;
        };
        let first = self.in_flight[0];
        let acked = self.in_flight[index];
        self.in_flight.drain(..=index);
        self.probes.end();
        self.last_acked = Some(frame_id);
        if acked.id != frame_id {
            return;
        }
        // A held time longer than the frame has been out is the page's clock, not ours.
        let delay = now.saturating_duration_since(acked.at);
        let tolerance = if held.is_some() { Duration::ZERO } else { ACK_TICK };
        let late = held.unwrap_or_default().min(delay);
        let delay = delay - late;
        let drawn = acked.at + delay;
        self.last_delay = delay;
        self.learn_interval(first.at, drawn, index as u32 + 1);
        if self.acknowledges && held.is_some() {
            self.page.drew(first.load(), acked.load(), index as u32 + 1, drawn, late);
        }
        if self.draining_since.is_some_and(|since| acked.at >= since) {
            self.draining_since = None;
        }
        if self.floor.sample(now, delay) {
            self.draining_since = Some(now);
        }
        let mut queue = delay.saturating_sub(self.floor.get() + tolerance);
        if self.page.slow().is_some() {
            // What waits in a slow page is bounded by its gate; what is left to the window is the path.
            queue = queue.min(self.page.path_queue().unwrap_or(queue));
        }
        self.window.sample(now, delay, queue, self.draw_interval);
    }

    /// Drawing intervals count only while the client always had a next frame, else they tell how often we sent.
    fn learn_interval(&mut self, first_sent: Instant, drawn: Instant, frames: u32) {
        if let Some(previous) = self.last_drawn
            && first_sent + self.page.path().unwrap_or_default() <= previous
            && drawn > previous
        {
            let interval = (drawn - previous) / frames;
            self.draw_interval = Some(self.draw_interval.map_or(interval, |old| (old * 3 + interval) / 4));
        } else {
            // The client had run dry: whatever it was, it is not slower than we feed it.
            self.draw_interval = self.draw_interval.map(|old| old * 3 / 4);
        }
        self.last_drawn = Some(drawn);
    }
}
