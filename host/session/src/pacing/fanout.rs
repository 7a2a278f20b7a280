//! One stream's clients: when to encode, and who gets what.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::member::Member;
use super::pacer::ClientPacer;
use super::recovery::ANCHOR_INTERVAL;
use super::repeats::Step;
use super::stripes::{Batch, Needs, Packet, StripeCache};

/// While the lead cannot take a frame, followers may ask for an encode this often: they keep a live picture beside a
/// slow lead, and the lead, once ready, waits at most for one such encode.
const FOLLOWER_INTERVAL: Duration = Duration::from_millis(50);

/// What was grabbed longer ago than this, its encoding not counted, is not sent while something newer is to be grabbed.
const FRESH: Duration = Duration::from_millis(10);

/// No encoder knows pictures that are older than so many frames.
const FAR: u16 = 16;
/// While frames come at least this often, a client waits for one that is predicted from what it has.
const SOON: Duration = Duration::from_millis(100);

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
    /// When the newest frame was grabbed of which some packet stood alone.
    keyframe: Option<Instant>,
    /// A packet of the frame being encoded stands alone.
    keyed: bool,
    /// When the newest frame was asked to be predicted from an older one.
    anchored: Option<Instant>,
    /// The encoder can predict from older frames.
    anchors: bool,
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
            keyframe: None,
            keyed: false,
            anchored: None,
            anchors: false,
        }
    }

    /// Whether the encoder can predict from frames older than the one before, see [`FanOut::known_frame`].
    pub fn set_anchors(&mut self, anchors: bool) {
        self.anchors = anchors;
    }

    /// Adds a client, or starts an existing one anew (it lacks everything). Call after `START_VIDEO`.
    pub fn start(&mut self, client: C, priority: Priority) {
        let before = self.members.remove(&client);
        self.members.insert(client, Member::new(before, priority));
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

    /// The client's transport controls congestion itself and tells what arrives, see [`ClientPacer::reports`]; it loses
    /// nothing that it does not ask for again.
    pub fn reports(&mut self, client: C) {
        if let Some(member) = self.members.get_mut(&client) {
            member.reports();
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
        if self.cache.is_chained() {
            // Whatever is encoded past the lead it must catch up with, or have a key frame. Once it is stalled the others
            // go on.
            let stalls = lead.pacer.stalls_at(now);
            return Demand::Wait(lead.pacer.next_wakeup(now).into_iter().chain(stalls).min());
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
        self.keyed = false;
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
            if std::mem::take(&mut self.keyed) {
                self.keyframe = Some(began);
            }
            for member in self.members.values_mut() {
                member.pacer.encodes_in(time);
                if self.cache.is_chained() && member.priority == Priority::Follower {
                    member.pacer.chains();
                }
            }
        }
    }

    /// Takes one encoded packet in. False when it was refused, see [`StripeCache::publish`].
    pub fn publish(&mut self, packet: Packet<P>) -> bool {
        self.keyed |= packet.needs == Needs::Nothing;
        self.cache.publish(packet)
    }

    /// The picture's size changed, or a new run begins: old packets are void and everybody lacks everything.
    pub fn restart(&mut self) {
        self.cache.clear();
        self.encoding = false;
        self.damaged = true;
        (self.keyframe, self.keyed) = (None, false);
        for member in self.members.values_mut() {
            member.pacer.reset();
        }
    }

    /// Another encoder goes on with the same picture, from a key frame of its own, see [`StripeCache::succeed`].
    pub fn succeed(&mut self) {
        self.cache.succeed();
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
        let hastes = self.hastes(now);
        let member = self.members.get_mut(&client)?;
        let batch = member.take(now, &self.cache, hastes)?;
        member.offered = self.published;
        Some(batch)
    }

    /// Whether the client may have a batch now, and there is one for it.
    fn is_due(&self, now: Instant, client: C) -> bool {
        self.members.get(&client).is_some_and(|member| {
            member.active
                && member.pacer.can_take(now)
                && !(member.priority == Priority::Lead
                    && !self.cache.is_chained()
                    && self.is_stale(now, member))
                && self.apart_at(now, member).is_some_and(|at| at <= now)
        })
    }

    /// From when on the acknowledgement of the client's next batch could be told from those of the ones before; `None`
    /// when there is no next batch.
    fn apart_at(&self, now: Instant, member: &Member) -> Option<Instant> {
        let id = self.cache.next_id(&member.view, member.bounds(self.hastes(now)))?;
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

    /// The client's decoder dropped a frame, or, with `None`, its picture as a whole: what stands alone is sent to it
    /// again, and where packets build on each other it waits for one that it can decode. The picture as a whole is not lost
    /// once more while a key frame is on the way to the client.
    pub fn lose(&mut self, client: C, frame_id: Option<u16>) {
        if let Some(member) = self.members.get_mut(&client) {
            member.lose(&self.cache, frame_id);
        }
    }

    /// The client's transport asks for a key frame for it: its turn is now, see [`ClientPacer::resume`].
    pub fn resume(&mut self, now: Instant, client: C) {
        if let Some(member) = self.members.get_mut(&client) {
            member.pacer.resume(now);
        }
    }

    /// From when on the encoder is to be asked for a key frame, because somebody cannot go on without one; `None` while
    /// there is no such client, or none that could take it. See `Recovery` for how often.
    pub fn keyframe_due(&self, now: Instant) -> Option<Instant> {
        let due = |member: &Member| {
            let bound = member.recovery.due(now, self.keyframe, member.priority == Priority::Lead);
            let anchor = self.published.filter(|_| self.known_to(member).is_some()).map(|at| at + SOON);
            let takes = if member.pacer.can_take(now) { Some(now) } else { member.pacer.next_wakeup(now) };
            takes.map(|takes| anchor.into_iter().fold(takes.max(bound), Instant::max))
        };
        self.lost(now).filter_map(due).min()
    }

    /// Whether those for whom a key frame is due merely missed the newest frames of content that rests now: then one that is
    /// predicted from what they have does ([`FanOut::known_frame`]), and nobody's picture begins anew. Tried once for each.
    pub fn anchor_does(&self, now: Instant) -> bool {
        let apart = self.anchored.is_none_or(|at| now >= at + ANCHOR_INTERVAL);
        let mut due = self.lost(now).filter(|m| m.pacer.can_take(now)).peekable();
        let does = |m: &Member| self.known_to(m).is_some_and(|(_, known)| m.tried != Some(known));
        apart && due.peek().is_some() && due.all(|m| does(m) && m.may_anchor(now))
    }

    /// A key frame is asked for: clients whose turn it is are counted as its cause.
    pub fn keyframe_asked(&mut self, now: Instant) {
        let (cache, hastes) = (&self.cache, self.hastes(now));
        let ready = self.members.values_mut().filter(|m| m.active && m.pacer.can_take(now));
        for member in ready.filter(|m| cache.needs_keyframe(&m.view, m.bounds(hastes))) {
            member.recovery.used(now);
        }
    }

    /// From which frame, or an older one, the next is best predicted, so that a client which missed some can go on with
    /// it; for encoders that can ([`FanOut::set_anchors`]), and at most 20 times a second, because such a frame is larger.
    /// For a viewer that says again and again that it lost frames, the interval doubles each time, up to 16 s; up to 2 s where
    /// its transport reports.
    pub fn known_frame(&mut self, now: Instant) -> Option<u16> {
        if self.anchored.is_some_and(|at| now < at + ANCHOR_INTERVAL) {
            return None;
        }
        let asks = |m: &Member| m.pacer.can_take(now) && m.may_anchor(now);
        // What the one had that is furthest behind, the others are likely to have had, too.
        let known = self.lost(now).filter(|m| asks(m)).filter_map(|m| self.known_to(m)).max()?.1;
        self.anchored = Some(now);
        self.members.values_mut().filter(|m| m.active && asks(m)).for_each(|m| m.anchored(now));
        Some(known)
    }

    /// How far a member is behind and what it knows, if the next frame can be predicted from that.
    fn known_to(&self, member: &Member) -> Option<(u16, u16)> {
        let behind = self.cache.behind(&member.view).filter(|_| self.anchors)?;
        (1..=FAR).contains(&behind).then(|| Some((behind, member.view.known()?)))?
    }

    /// Clients that cannot go on with what there is.
    fn lost(&self, now: Instant) -> impl Iterator<Item = &Member> {
        let hastes = self.hastes(now);
        let lost = move |m: &&Member| m.active && self.cache.needs_keyframe(&m.view, m.bounds(hastes));
        self.members.values().filter(lost)
    }

    /// Whether a frame comes soon that a client which missed some can do with alone.
    fn hastes(&self, now: Instant) -> bool {
        let coming = self.damaged || self.encoding || self.published.is_some_and(|at| now < at + SOON);
        self.anchors && coming
    }

    /// How much longer than at best batches are on the way to the lead, if there is a lead that answers.
    pub fn lead_wait(&self, now: Instant) -> Option<Duration> {
        let lead = self.members.values().find(|m| m.active && m.priority == Priority::Lead)?;
        Some(&lead.pacer).filter(|pacer| !pacer.is_stalled(now)).map(|pacer| pacer.wait(now))
    }

    /// What the lead's transport estimates that its path takes, kbit/s, where it says so.
    pub fn lead_estimate(&self) -> Option<u32> {
        self.members.values().find(|m| m.active && m.priority == Priority::Lead)?.pacer.estimate()
    }

    /// A client's pacer, for acknowledgements, drains and statistics.
    pub fn pacer(&mut self, client: C) -> Option<&mut ClientPacer> {
        self.members.get_mut(&client).map(|m| &mut m.pacer)
    }

    /// When to look at [`FanOut::ready`] and [`FanOut::demand`] again at the latest.
    pub fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        let hastes = self.hastes(now);
        let news = |m: &&Member| m.active && self.cache.has_news(&m.view, m.bounds(hastes));
        let waiting = self.members.values().filter(news);
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
