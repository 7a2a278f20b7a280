//! A stream of deltas in virtual time: sixty frames a second, a lead, and viewers of several kinds.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use selkies_session::pacing::{Batch, Demand, FanOut, Needs, Packet, Priority};

const MS: Duration = Duration::from_millis(1);
const LENGTH: Duration = Duration::from_secs(60);
const KEY_BYTES: usize = 60_000;
const DELTA_BYTES: usize = 8_000;
/// Pictures that the encoder remembers.
const MEMORY: u64 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fast,
    /// 10 kB/s.
    Narrow,
    /// Reads nothing.
    Stalled,
    /// 300 ms there and back.
    Far,
    /// Needs 40 ms for a frame.
    SlowPage,
    /// A path that takes 40 ms for a frame.
    Heavy,
}

#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) kind: Kind,
    arriving: VecDeque<(Instant, Instant, Packet<u64>)>,
    acks: VecDeque<(Instant, u16)>,
    drains: Option<Instant>,
    decoder_free: Instant,
    /// Frames in its decoder.
    decoded: BTreeSet<u64>,
    newest: u64,
    ages: Vec<Duration>,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) viewers: Vec<Viewer>,
    pub(crate) keyframes: usize,
}

impl Viewer {
    fn new(kind: Kind, start: Instant) -> Self {
        Self {
            kind,
            arriving: VecDeque::new(),
            acks: VecDeque::new(),
            drains: None,
            decoder_free: start,
            decoded: BTreeSet::new(),
            newest: 0,
            ages: Vec::new(),
        }
    }

    pub(crate) fn frames(&self) -> usize {
        self.ages.len()
    }

    pub(crate) fn fps(&self) -> f64 {
        self.ages.len() as f64 / LENGTH.as_secs_f64()
    }

    /// From the grab to the canvas.
    pub(crate) fn age_p95(&self) -> Duration {
        let mut ages = self.ages.clone();
        ages.sort_unstable();
        ages.get(ages.len() * 95 / 100).copied().unwrap_or_default()
    }

    /// From the grab to the canvas, in order.
    pub(crate) fn ages(&self) -> &[Duration] {
        &self.ages
    }

    fn receive(&mut self, now: Instant, grabs: &[Instant], batch: Batch<u64>) {
        let (rate, way, decode) = match self.kind {
            Kind::Fast => (12_500_000, 5 * MS, 4 * MS),
            Kind::Narrow => (10_000, 20 * MS, 4 * MS),
            Kind::Stalled => return,
            Kind::Far => (12_500_000, 150 * MS, 4 * MS),
            Kind::SlowPage => (12_500_000, 5 * MS, 40 * MS),
            Kind::Heavy => (200_000, 5 * MS, 4 * MS),
        };
        let mut sent = self.drains.unwrap_or(now).max(now);
        for packet in batch.packets {
            sent += Duration::from_secs_f64(packet.bytes as f64 / f64::from(rate));
            self.decoder_free = self.decoder_free.max(sent + way) + decode;
            self.arriving.push_back((self.decoder_free, grabs[packet.payload as usize - 1], packet));
        }
        self.drains = Some(sent);
        self.acks.push_back((self.decoder_free + way, batch.frame_id));
    }

    fn draw(&mut self, now: Instant) {
        while self.arriving.front().is_some_and(|arrival| arrival.0 <= now) {
            let (at, grabbed, packet) = self.arriving.pop_front().unwrap();
            let id = packet.payload;
            assert!(id > self.newest, "frames come in order");
            match packet.needs {
                Needs::Nothing => self.decoded.clear(),
                Needs::Before => {
                    assert!(self.decoded.contains(&(id - 1)), "{:?}: {id} without its base", self.kind)
                }
                Needs::Frame(base) => assert!(self.decoded.contains(&u64::from(base)), "{id} without {base}"),
            }
            self.decoded.insert(id);
            self.newest = id;
            self.ages.push(at - grabbed);
        }
    }
}

/// A minute of motion; the first of `kinds` is the lead.
pub(crate) fn run(kinds: &[Kind], anchors: bool) -> Outcome {
    let start = Instant::now();
    let mut fan = FanOut::<usize, u64>::new();
    fan.set_anchors(anchors);
    let mut viewers: Vec<Viewer> = kinds.iter().map(|&kind| Viewer::new(kind, start)).collect();
    for client in 0..viewers.len() {
        fan.start(client, if client == 0 { Priority::Lead } else { Priority::Follower });
    }
    let mut grabs: Vec<Instant> = Vec::new();
    let (mut keyframes, mut key, mut next_damage) = (0, true, start);
    let mut encoding: Option<(Instant, Packet<u64>)> = None;
    let mut now = start;
    while now < start + LENGTH {
        if now >= next_damage {
            next_damage += Duration::from_micros(16_667);
            fan.on_damage();
        }
        if !key && fan.keyframe_due(now).is_some_and(|due| due <= now) {
            fan.keyframe_asked(now);
            fan.on_damage();
            key = true;
        }
        if encoding.is_none() && fan.demand(now) == Demand::Encode {
            let known = if key { None } else { fan.known_frame(now).map(u64::from) };
            fan.encode_started(now);
            grabs.push(now);
            let id = grabs.len() as u64;
            let needs = match known.filter(|known| id - known <= MEMORY && id - known > 1) {
                _ if key => Needs::Nothing,
                Some(known) => Needs::Frame(known as u16),
                None => Needs::Before,
            };
            let bytes = match needs {
                Needs::Nothing => KEY_BYTES,
                Needs::Before => DELTA_BYTES,
                Needs::Frame(_) => DELTA_BYTES * 2,
            };
            keyframes += usize::from(std::mem::take(&mut key));
            let frame_id = id as u16;
            let packet =
                Packet { frame_id, y: 0, height: 1080, needs, discardable: false, bytes, payload: id };
            encoding = Some((now + 5 * MS, packet));
        }
        if let Some((_, packet)) = encoding.take_if(|(at, _)| *at <= now) {
            fan.publish(packet);
            fan.encode_finished(now, true);
        }
        for client in fan.ready(now) {
            let batch = fan.take(now, client).expect("ready clients take");
            viewers[client].receive(now, &grabs, batch);
        }
        for (client, viewer) in viewers.iter_mut().enumerate() {
            viewer.draw(now);
            let pacer = fan.pacer(client).unwrap();
            if viewer.drains.take_if(|at| *at <= now).is_some() {
                pacer.on_drained(now);
            }
            while viewer.acks.front().is_some_and(|ack| ack.0 <= now) {
                pacer.on_ack(now, viewer.acks.pop_front().unwrap().1, Some(0));
            }
        }
        now += MS / 2;
    }
    Outcome { viewers, keyframes }
}
