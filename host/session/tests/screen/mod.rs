//! A simulated screen, encoder, path and page that draws stripes: what a slow page shows, and how old it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use selkies_session::pacing::{Batch, Demand, FanOut, Needs, Packet, Priority};

/// Stripes of a 1080p picture.
pub(crate) const STRIPES: u16 = 17;
/// From the grab to the packets.
const ENCODE: Duration = Duration::from_millis(7);
const CAPTURE: Duration = Duration::from_nanos(16_666_667);

/// What changes on the screen, 60 times a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scene {
    /// Everything.
    Motion,
    /// Twelve of seventeen stripes, and one above them now and then.
    Scroll,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) scene: Scene,
    pub(crate) rtt: Duration,
    /// Decoding and drawing of a whole picture, by all decoders together.
    pub(crate) decode: Duration,
    /// From this time on it takes that long.
    pub(crate) later: Option<(Duration, Duration)>,
    /// Stripes decoded at once.
    pub(crate) decoders: usize,
    /// Up to this share more or less for each stripe.
    pub(crate) jitter: f64,
    /// The stock page's timer; a page of ours acknowledges what it draws at once.
    pub(crate) tick: Option<Duration>,
    /// What is drawn before counts for nothing but `complete`.
    pub(crate) warm_up: Duration,
    /// Changes end here.
    pub(crate) until: Duration,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            scene: Scene::Motion,
            rtt: Duration::from_millis(1),
            decode: Duration::from_millis(5),
            later: None,
            decoders: 1,
            jitter: 0.2,
            tick: None,
            warm_up: Duration::from_secs(3),
            until: Duration::from_secs(10),
        }
    }
}

/// Ages are of single stripes, in ms, without the way to the page.
#[derive(Debug)]
pub(crate) struct Report {
    /// From the grab that a drawn stripe shows to its drawing, while the scene moves. (What is left when it stops is not
    /// grabbed again: it is up to date, however old.)
    pub(crate) age_p95: f64,
    /// From the first change of a stripe that was not shown to the drawing that shows it.
    pub(crate) unseen_p95: f64,
    pub(crate) unseen_worst: f64,
    /// Drawings per second, and the same in whole pictures.
    pub(crate) turns: f64,
    pub(crate) pictures: f64,
    /// Most drawings that a damaged stripe had to let pass.
    pub(crate) passed: u64,
    /// Most batches that were in the page at once.
    pub(crate) in_page: usize,
    /// Most rows in a batch in the second half.
    pub(crate) rows: u32,
    /// What the page shows in the end is the newest of everything.
    pub(crate) complete: bool,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { age_p95, unseen_p95, unseen_worst, turns, pictures, passed, in_page, rows, complete } =
            self;
        write!(
            f,
            "age {age_p95:.0}, unseen {unseen_p95:.0} (worst {unseen_worst:.0}), {turns:.1} turns/s, {pictures:.1} pictures/s, passed {passed}, in page {in_page}, rows {rows}, complete {complete}"
        )
    }
}

/// The grab that a packet shows.
type Payload = Instant;

struct Under {
    arrives: Instant,
    batch: Batch<Payload>,
    drawn: Option<Instant>,
}

impl Screen {
    pub(crate) fn run(&self) -> Report {
        const STEP: Duration = Duration::from_micros(500);
        let start = Instant::now();
        let (end, counts) = (start + self.until + Duration::from_secs(4), start + self.warm_up);
        let mut fan = FanOut::<u8, Payload>::new();
        fan.start(0, Priority::Lead);
        // Stripe to the first change that no grab shows, and that no drawing shows.
        let mut dirty: BTreeMap<u16, Instant> = (0..STRIPES).map(|y| (y, start)).collect();
        let mut unseen: BTreeMap<u16, VecDeque<Instant>> = BTreeMap::new();
        let mut passed: BTreeMap<u16, u64> = BTreeMap::new();
        let mut encoding: Option<(Instant, Instant, Vec<u16>)> = None;
        let (mut frame, mut next_damage, mut changes) = (65_000u16, start, 0u32);
        let mut under: VecDeque<Under> = VecDeque::new();
        // Arrival, id, and the time it was held; none for the answer to a mark.
        let mut replies: VecDeque<(Instant, u16, Option<u32>)> = VecDeque::new();
        let mut decoders = vec![start; self.decoders];
        let (mut last, mut ticked, mut next_tick) = (None::<(u16, Instant)>, None, start);
        let (mut shown, mut newest) = (BTreeMap::new(), BTreeMap::new());
        let (mut ages, mut waits) = (Vec::new(), Vec::new());
        let (mut turns, mut stripes, mut in_page, mut rows) = (0u64, 0u64, 0, 0);
        let mut worst_passed = 0;
        let mut random = 12_345u64;
        let mut chance = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as f64 / f64::from(1u32 << 31)
        };
        let mut now = start;
        while now < end {
            if now >= next_damage && now < start + self.until {
                (next_damage, changes) = (next_damage + CAPTURE, changes + 1);
                for y in (0..STRIPES).filter(|&y| match self.scene {
                    Scene::Motion => true,
                    Scene::Scroll => y >= 5 || (y == 2 && changes.is_multiple_of(20)),
                }) {
                    dirty.entry(y).or_insert(now);
                    unseen.entry(y).or_default().push_back(now);
                }
                fan.on_damage();
            }
            while let Some((_, id, held)) = replies.pop_front_if(|reply| reply.0 <= now) {
                let pacer = fan.pacer(0).unwrap();
                if held.is_some() { pacer.on_ack(now, id, held) } else { pacer.on_delivered(now, id) }
            }
            if let Some((_, grabbed, taken)) = encoding.take_if(|(at, ..)| *at <= now) {
                frame = frame.wrapping_add(1);
                for y in taken {
                    newest.insert(y * 64, grabbed);
                    fan.publish(Packet {
                        frame_id: frame,
                        y: y * 64,
                        height: 64,
                        needs: Needs::Nothing,
                        discardable: false,
                        bytes: 9000,
                        payload: grabbed,
                    });
                }
                fan.encode_finished(now, true);
            }
            if let Some(batch) = fan.take(now, 0) {
                let pacer = fan.pacer(0).unwrap();
                pacer.on_drained(now);
                let arrives = now + self.rtt / 2;
                if pacer.wants_mark(now, batch.frame_id) {
                    replies.push_back((now + self.rtt, batch.frame_id, None));
                    replies.make_contiguous().sort();
                }
                if now > start + self.until / 2 {
                    rows = rows.max(batch.rows);
                }
                under.push_back(Under { arrives, batch, drawn: None });
            }
            if encoding.is_none() && fan.demand(now) == Demand::Encode {
                fan.encode_started(now);
                encoding = Some((now + ENCODE, now, std::mem::take(&mut dirty).into_keys().collect()));
            }
            // The page starts on a batch when its decoders are done with the one before.
            let mut free = start;
            for under in under.iter_mut().filter(|under| under.arrives <= now) {
                let drawn = *under.drawn.get_or_insert_with(|| {
                    let later = self.later.filter(|(from, _)| now >= start + *from);
                    let whole = later.map_or(self.decode, |(_, decode)| decode);
                    let one = whole.mul_f64(self.decoders as f64 / f64::from(STRIPES));
                    let mut done = start;
                    for _ in &under.batch.packets {
                        let decoder = decoders.iter_mut().min().unwrap();
                        *decoder = (*decoder).max(under.arrives)
                            + one.mul_f64(1.0 + self.jitter * (2.0 * chance() - 1.0));
                        done = done.max(*decoder);
                    }
                    done
                });
                free = free.max(drawn);
            }
            in_page = in_page.max(under.iter().filter(|u| u.arrives <= now && now > counts).count());
            while let Some(Under { batch, .. }) =
                under.pop_front_if(|under| under.drawn.is_some_and(|drawn| drawn <= now))
            {
                let way = self.rtt.as_secs_f64() * 500.0;
                for (y, packet) in batch.packets.iter().map(|packet| (packet.y / 64, packet)) {
                    let queue = unseen.entry(y).or_default();
                    let first = queue.front().copied().filter(|&at| at <= packet.payload);
                    while queue.pop_front_if(|at| *at <= packet.payload).is_some() {}
                    shown.insert(packet.y, packet.payload);
                    if now >= counts {
                        if now < start + self.until {
                            ages.push((now - packet.payload).as_secs_f64() * 1000.0 - way);
                        }
                        waits.extend(first.map(|at| (now - at).as_secs_f64() * 1000.0 - way));
                    }
                    passed.insert(y, 0);
                }
                let grabbed = batch.packets.iter().map(|packet| packet.payload).max().unwrap();
                for (y, queue) in &unseen {
                    if queue.front().is_some_and(|&at| at <= grabbed)
                        && !batch.packets.iter().any(|packet| packet.y / 64 == *y)
                        && now >= counts
                    {
                        let count = passed.entry(*y).or_default();
                        *count += 1;
                        worst_passed = worst_passed.max(*count);
                    }
                }
                if now >= counts && now < start + self.until {
                    turns += 1;
                    stripes += batch.packets.len() as u64;
                }
                last = Some((batch.frame_id, now));
                if self.tick.is_none() {
                    replies.push_back((now + self.rtt / 2, batch.frame_id, Some(0)));
                    replies.make_contiguous().sort();
                }
            }
            if let Some(tick) = self.tick.filter(|_| now >= next_tick) {
                next_tick += tick;
                if let Some((id, at)) = last.filter(|&(id, _)| ticked != Some(id)) {
                    replies.push_back((now + self.rtt / 2, id, Some((now - at).as_millis() as u32)));
                    replies.make_contiguous().sort();
                    ticked = Some(id);
                }
            }
            now += STEP;
        }
        let seconds = (self.until - self.warm_up).as_secs_f64();
        Report {
            age_p95: p95(&mut ages),
            unseen_p95: p95(&mut waits),
            unseen_worst: waits.last().copied().unwrap_or_default(),
            turns: turns as f64 / seconds,
            pictures: stripes as f64 / f64::from(STRIPES) / seconds,
            passed: worst_passed,
            in_page,
            rows,
            complete: shown == newest,
        }
    }
}

fn p95(sample: &mut [f64]) -> f64 {
    sample.sort_unstable_by(f64::total_cmp);
    sample.get(sample.len() * 95 / 100).copied().unwrap_or_default()
}
