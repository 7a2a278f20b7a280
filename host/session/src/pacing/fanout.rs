//! One stream's clients: when to encode, and who gets what.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::pacer::ClientPacer;
use super::repeats::{Repeats, Step};
use super::stripes::{Batch, ClientView, Packet, StripeCache};

/// While the lead cannot take a frame, followers may ask for an encode this often: they keep a live picture beside a
/// slow lead, and the lead, once ready, waits at most for one such encode.
const FOLLOWER_INTERVAL: Duration = Duration::from_millis(50);

/// What was grabbed longer ago than this, its encoding not counted, is not sent while something newer is to be grabbed.
const FRESH: Duration = Duration::from_millis(10);

/// Whose pace a stream follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The display's owner: its readiness is what an encode waits for.
    Lead,
    /// Everybody else: takes what there is whenever ready.
    Follower,
}

/// What the encoder should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Grab and encode one frame.
    Encode,
    /// Nothing before damage, an acknowledgement or a drained socket; or, at the latest, ask again at that time.
    Wait(Option<Instant>),
}

#[derive(Debug, Clone)]
struct Member {
    view: ClientView,
    pacer: ClientPacer,
    priority: Priority,
    active: bool,
    /// The newest frame of which it took something, by its grab.
    offered: Option<Instant>,
    repeats: Repeats,
}

/// The clients of one stream. `C` names a client, `P` is a packet's payload.
///
/// The owner of this value (media or server, one thread at a time) calls [`FanOut::on_damage`] when the screen
/// changed, encodes when [`FanOut::demand`] says so, publishes each packet, and then calls [`FanOut::take`] for the
/// clients of [`FanOut::ready`]; it does the same after each acknowledgement, drain and wake-up. No client ever makes
/// another wait: a slow one merely finds newer packets when its turn comes.
#[derive(Debug, Clone)]
pub struct FanOut<C, P> {
    cache: StripeCache<P>,
    members: BTreeMap<C, Member>,
    damaged: bool,
    encoding: bool,
    last_encode: Option<Instant>,
    /// Moving average of the time between grab and packets.
    encode_time: Option<Duration>,
    /// When the newest frame in the cache was grabbed.
    published: Option<Instant>,
    /// Whether the newest packet built on another: then a skipped frame costs a key frame.
    deltas: bool,
}

impl<C: Ord + Copy, P: Clone> Default for FanOut<C, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Ord + Copy, P: Clone> FanOut<C, P> {
    /// A stream without clients.
    pub fn new() -> Self {
        Self {
            cache: StripeCache::new(),
            members: BTreeMap::new(),
            damaged: false,
            encoding: false,
            last_encode: None,
            encode_time: None,
            published: None,
            deltas: false,
        }
    }

    /// Adds a client, or starts an existing one anew (it lacks everything). Call after `START_VIDEO`.
    pub fn start(&mut self, client: C, priority: Priority) {
        let (pacer, repeats) = match self.members.remove(&client) {
            Some(mut before) => {
                before.pacer.reset();
                (before.pacer, before.repeats.anew())
            }
            None => (ClientPacer::new(), Repeats::default()),
        };
        let member =
            Member { view: ClientView::new(), pacer, priority, active: true, offered: None, repeats };
        self.members.insert(client, member);
    }

    /// The client wants no video for now.
    pub fn stop(&mut self, client: C) {
        if let Some(member) = self.members.get_mut(&client) {
            member.active = false;
        }
    }

    /// Forgets a client.
    pub fn leave(&mut self, client: C) {
        self.members.remove(&client);
    }

    /// Changes whose pace the stream follows.
    pub fn set_priority(&mut self, client: C, priority: Priority) {
        if let Some(member) = self.members.get_mut(&client) {
            member.priority = priority;
        }
    }

    /// The client's page loses nothing of what it got. Until this is known, a picture of independent packets is sent to it
    /// again a few times in its first half minute: pages of 2.1.0 may lose stripes while they set up their drawing.
    pub fn keeps(&mut self, client: C) {
        if let Some(member) = self.members.get_mut(&client) {
            member.repeats.drop();
        }
    }

    /// Lets clients lack what rests and is due to be sent again. To be called before [`FanOut::ready`].
    pub fn repeat(&mut self, now: Instant) {
        for member in self.members.values_mut().filter(|member| member.active) {
            match member.repeats.take(now) {
                Some(Step::Note) => member.view.note(),
                Some(Step::Send) if !self.cache.is_chained() => member.view.lose_noted(),
                _ => {}
            }
        }
    }

    /// What comes before `until` may be the answer to the user's input, see [`ClientPacer::hurry`].
    pub fn hurry(&mut self, until: Instant) {
        for member in self.members.values_mut().filter(|member| member.active) {
            member.pacer.hurry(until);
        }
    }

    /// The screen changed.
    pub fn on_damage(&mut self) {
        self.damaged = true;
    }

    /// What to do now.
    pub fn demand(&self, now: Instant) -> Demand {
        if !self.damaged || self.encoding {
            return Demand::Wait(None);
        }
        let active = || self.members.values().filter(|m| m.active);
        // A lead that went silent does not hold the others.
        let lead = active().find(|m| m.priority == Priority::Lead && !m.pacer.is_stalled(now));
        if lead.is_some_and(|m| m.pacer.can_take(now)) {
            return Demand::Encode;
        }
        let someone_ready = active().any(|m| m.pacer.can_take(now));
        let wakeup = active().filter_map(|m| m.pacer.next_wakeup(now)).min();
        let Some(lead) = lead else {
            return if someone_ready { Demand::Encode } else { Demand::Wait(wakeup) };
        };
        if self.deltas {
            // Whatever is encoded past the lead costs it a key frame.
            return Demand::Wait(lead.pacer.next_wakeup(now));
        }
        let turn = self.last_encode.map_or(now, |last| last + FOLLOWER_INTERVAL);
        match someone_ready {
            true if turn <= now => Demand::Encode,
            true => Demand::Wait(Some(wakeup.map_or(turn, |w| w.min(turn)))),
            false => Demand::Wait(wakeup),
        }
    }

    /// A frame with all damage so far is being encoded.
    pub fn encode_started(&mut self, now: Instant) {
        self.damaged = false;
        self.encoding = true;
        self.last_encode = Some(now);
    }

    /// The encode is over. Without success the damage counts again.
    pub fn encode_finished(&mut self, now: Instant, success: bool) {
        self.encoding = false;
        self.damaged |= !success;
        if let Some(began) = self.last_encode.filter(|_| success) {
            let took = now.saturating_duration_since(began);
            let time = self.encode_time.map_or(took, |time| (time * 7 + took) / 8);
            self.encode_time = Some(time);
            self.published = Some(began);
            self.members.values_mut().for_each(|member| member.pacer.encodes_in(time));
        }
    }

    /// Takes one encoded packet in. False when it was refused, see [`StripeCache::publish`].
    pub fn publish(&mut self, packet: Packet<P>) -> bool {
        self.deltas = !packet.independent;
        self.cache.publish(packet)
    }

    /// The picture's size or the encoder changed: old packets are void and everybody lacks everything.
    pub fn restart(&mut self) {
        self.cache.clear();
        self.encoding = false;
        self.damaged = true;
        self.deltas = false;
        for member in self.members.values_mut() {
            member.pacer.reset();
        }
    }

    /// The clients that may take a batch now and for whom there is one, the lead first.
    pub fn ready(&self, now: Instant) -> Vec<C> {
        let due = self.members.iter().filter(|&(&client, _)| self.is_due(now, client));
        let mut ready: Vec<(Priority, C)> = due.map(|(&client, m)| (m.priority, client)).collect();
        ready.sort_unstable();
        ready.into_iter().map(|(_, client)| client).collect()
    }

    /// Takes the client's batch and counts it as sent. `None` when the client may take none or lacks none.
    pub fn take(&mut self, now: Instant, client: C) -> Option<Batch<P>> {
        if !self.is_due(now, client) {
            return None;
        }
        let member = self.members.get_mut(&client)?;
        let rows = member.pacer.rows();
        let batch = self.cache.take(&mut member.view, rows)?;
        member.offered = self.published;
        member.repeats.sends(now, self.cache.epoch());
        member.pacer.on_sent(now, batch.frame_id, batch.rows, batch.bytes);
        Some(batch)
    }

    /// Whether the client may have a batch now, and there is one for it.
    fn is_due(&self, now: Instant, client: C) -> bool {
        self.members.get(&client).is_some_and(|member| {
            member.active
                && member.pacer.can_take(now)
                && !(member.priority == Priority::Lead && self.is_stale(now, member))
                && self.apart_at(now, member).is_some_and(|at| at <= now)
        })
    }

    /// From when on the acknowledgement of the client's next batch could be told from those of the ones before; `None`
    /// when there is no next batch.
    fn apart_at(&self, now: Instant, member: &Member) -> Option<Instant> {
        let id = self.cache.next_id(&member.view, member.pacer.rows())?;
        Some(member.pacer.tells_apart_at(now, id).unwrap_or(now))
    }

    /// Whether a new frame is due for a lead that may take one, and worth waiting for: what the cache has was left by an
    /// earlier turn, or grew old.
    fn is_stale(&self, now: Instant, lead: &Member) -> bool {
        let fresh = self.encode_time.unwrap_or_default() + FRESH;
        let left = lead.offered.is_some() && lead.offered == self.published;
        (self.damaged || self.encoding)
            && self.published.is_some_and(|grabbed| left || now.saturating_duration_since(grabbed) > fresh)
    }

    /// Whose most important client waits for an independent packet, if any: for followers the caller should not ask
    /// the encoder more than once a second.
    pub fn keyframe_wanted(&self) -> Option<Priority> {
        let waiting = self.members.values().filter(|m| m.active && self.cache.needs_keyframe(&m.view));
        waiting.map(|m| m.priority).min()
    }

    /// A client's pacer, for acknowledgements, drains and statistics.
    pub fn pacer(&mut self, client: C) -> Option<&mut ClientPacer> {
        self.members.get_mut(&client).map(|m| &mut m.pacer)
    }

    /// When to look at [`FanOut::ready`] and [`FanOut::demand`] again at the latest.
    pub fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        let waiting = self.members.values().filter(|m| m.active && self.cache.has_news(&m.view));
        let apart = |m: &Member| self.apart_at(now, m).filter(|&at| at > now);
        let batch = waiting.filter_map(|m| m.pacer.next_wakeup(now).or_else(|| apart(m))).min();
        let encode = match self.demand(now) {
            Demand::Wait(at) => at,
            Demand::Encode => Some(now),
        };
        let repeats = self.members.values().filter(|m| m.active).filter_map(|m| m.repeats.next()).min();
        batch.into_iter().chain(encode).chain(repeats).min()
    }

    /// Number of clients that want video.
    pub fn active(&self) -> usize {
        self.members.values().filter(|m| m.active).count()
    }
}
