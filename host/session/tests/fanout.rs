//! A whole stream in virtual time: one lead and followers of every kind share one encoder.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use selkies_session::pacing::{Batch, Demand, FanOut, Needs, Packet, Priority};

const MS: Duration = Duration::from_millis(1);

/// A page behind a path: draws in order, acknowledges promptly, may stop reading.
struct Page {
    rtt: Duration,
    decode: Duration,
    reads: bool,
    decoder_free: Instant,
    drawing: VecDeque<(Instant, Instant, Batch<u32>)>,
    acks: VecDeque<(Instant, u16)>,
    picture: BTreeMap<u16, u32>,
    ages: Vec<Duration>,
}

impl Page {
    fn new(start: Instant, rtt: u32, decode: u32, reads: bool) -> Self {
        Self {
            rtt: rtt * MS,
            decode: decode * MS,
            reads,
            decoder_free: start,
            drawing: VecDeque::new(),
            acks: VecDeque::new(),
            picture: BTreeMap::new(),
            ages: Vec::new(),
        }
    }

    fn receive(&mut self, now: Instant, batch: Batch<u32>) {
        self.decoder_free = self.decoder_free.max(now + self.rtt / 2) + self.decode;
        self.drawing.push_back((now, self.decoder_free, batch));
    }

    /// Draws what is due; true with an id when an acknowledgement reaches the host.
    fn step(&mut self, now: Instant) -> Option<u16> {
        while self.drawing.front().is_some_and(|d| d.1 <= now) {
            let (sent, at, batch) = self.drawing.pop_front().unwrap();
            batch.packets.iter().for_each(|p| {
                self.picture.insert(p.y, p.payload);
            });
            self.ages.push(at - sent);
            self.acks.push_back((at + self.rtt / 2, batch.frame_id));
        }
        if self.acks.front().is_some_and(|a| a.0 <= now) { self.acks.pop_front().map(|a| a.1) } else { None }
    }

    fn p95(&mut self) -> Duration {
        self.ages.sort_unstable();
        self.ages[self.ages.len() * 95 / 100]
    }
}

/// 20 s of 60 changes a second, then silence. Each frame changes two of eight stripes and takes 5 ms to encode.
fn run(mut pages: BTreeMap<u8, Page>, start: Instant) -> (BTreeMap<u8, Page>, BTreeMap<u16, u32>, usize) {
    let mut fan = FanOut::<u8, u32>::new();
    for &client in pages.keys() {
        fan.start(client, if client == 0 { Priority::Lead } else { Priority::Follower });
    }
    let mut newest = BTreeMap::new();
    let (mut frame, mut encodes, mut next_damage) = (0u32, 0, start);
    let mut dirty: Vec<u16> = (0..8).collect();
    let mut encoding: Option<(Instant, Vec<u16>)> = None;
    let mut now = start;
    while now < start + 25_000 * MS {
        if now >= next_damage && now < start + 20_000 * MS {
            next_damage += Duration::from_micros(16_667);
            let first = (frame % 8) as u16;
            for index in [first, (first * 3 + 1) % 8] {
                if !dirty.contains(&index) {
                    dirty.push(index);
                }
            }
            fan.on_damage();
        }
        if encoding.is_none() && fan.demand(now) == Demand::Encode {
            fan.encode_started(now);
            encoding = Some((now + 5 * MS, std::mem::take(&mut dirty)));
            encodes += 1;
        }
        if let Some((_, stripes)) = encoding.take_if(|(at, _)| *at <= now) {
            frame += 1;
            for index in stripes {
                let y = index * 64;
                let frame_id = frame as u16;
                fan.publish(Packet {
                    frame_id,
                    y,
                    height: 64,
                    needs: Needs::Nothing,
                    discardable: false,
                    bytes: 9000,
                    payload: frame,
                });
                newest.insert(y, frame);
            }
            fan.encode_finished(now, true);
        }
        for client in fan.ready(now) {
            let batch = fan.take(now, client).expect("ready clients take");
            let page = pages.get_mut(&client).unwrap();
            if page.reads {
                fan.pacer(client).unwrap().on_drained(now);
                page.receive(now, batch);
            }
        }
        for (&client, page) in &mut pages {
            if let Some(id) = page.step(now) {
                fan.pacer(client).unwrap().on_ack(now, id, Some(0));
            }
        }
        now += MS / 4;
    }
    (pages, newest, encodes)
}

#[test]
fn followers_neither_slow_the_lead_nor_see_old_pictures() {
    let start = Instant::now();
    let alone = run(BTreeMap::from([(0, Page::new(start, 10, 4, true))]), start);
    let pages = BTreeMap::from([
        (0, Page::new(start, 10, 4, true)),
        (1, Page::new(start, 50, 40, true)),
        (2, Page::new(start, 200, 100, true)),
        (3, Page::new(start, 10, 1, false)),
        (4, Page::new(start, 100, 2, true)),
    ]);
    let (mut pages, newest, encodes) = run(pages, start);
    let fps = |page: &Page| page.ages.len() as f64 / 20.0;
    assert!(fps(&pages[&0]) >= 59.0 && fps(&pages[&0]) >= fps(&alone.0[&0]) - 1.0, "{}", fps(&pages[&0]));
    assert!(pages.get_mut(&0).unwrap().p95() <= 15 * MS);
    assert!(encodes <= 1210, "one encode serves all: {encodes}");
    assert!(fps(&pages[&1]) >= 20.0 && fps(&pages[&2]) >= 6.0 && fps(&pages[&4]) >= 55.0);
    assert!(pages.get_mut(&1).unwrap().p95() <= 125 * MS + 25 * MS);
    for (client, page) in pages.iter().filter(|(_, p)| p.reads) {
        assert_eq!(page.picture, newest, "client {client}");
    }
}

#[test]
fn followers_stay_live_beside_a_slow_or_dead_lead() {
    let start = Instant::now();
    for (reads, least) in [(true, 15.0), (false, 15.0)] {
        let pages =
            BTreeMap::from([(0, Page::new(start, 10, 200, reads)), (1, Page::new(start, 10, 4, true))]);
        let (pages, newest, _) = run(pages, start);
        let fps = pages[&1].ages.len() as f64 / 20.0;
        assert!(fps >= least, "{fps}");
        assert_eq!(pages[&1].picture, newest);
    }
}

/// When a client on a resting display of four stripes gets packets, and how many; it acknowledges at once. One stripe
/// more changes every 100 ms, where `moves`, and is not counted.
fn deliveries(own_page: bool, independent: bool, moves: bool) -> Vec<(Duration, usize)> {
    let start = Instant::now();
    let end = start + 60_000 * MS;
    let mut fan = FanOut::<u8, u32>::new();
    fan.start(0, Priority::Lead);
    if own_page {
        fan.keeps(0);
    }
    let stripe = |frame_id, index: u16, independent| Packet {
        frame_id,
        y: index * 64,
        height: 64,
        needs: if independent { Needs::Nothing } else { Needs::Before },
        discardable: false,
        bytes: 9000,
        payload: 1,
    };
    for index in 0..4 {
        fan.publish(stripe(1, index, true));
        if !independent {
            fan.publish(stripe(2, index, false));
        }
    }
    let mut deliveries = Vec::new();
    let (mut now, mut frame_id, mut change) = (start, 2, start + 100 * MS);
    let mut newest = 0;
    while now < end {
        if moves && now >= change {
            frame_id += 1;
            change += 100 * MS;
            fan.publish(stripe(frame_id, 4, true));
        }
        fan.repeat(now);
        for client in fan.ready(now) {
            let batch = fan.take(now, client).expect("ready clients take");
            let resting = batch.packets.iter().filter(|packet| packet.y < 256).count();
            if resting > 0 {
                deliveries.push((now - start, resting));
            }
            for packet in batch.packets.iter().filter(|packet| packet.y == 256) {
                assert!(packet.frame_id > newest, "what moves is not sent twice");
                newest = packet.frame_id;
            }
            fan.pacer(client).unwrap().on_drained(now);
            fan.pacer(client).unwrap().on_ack(now, batch.frame_id, Some(0));
        }
        // The wake-ups alone must lead from one delivery to the next.
        let next = fan.next_wakeup(now).unwrap_or(end);
        assert!(next > now, "a wake-up in the past is a busy loop");
        now = if moves { next.min(change) } else { next };
    }
    deliveries
}

#[test]
fn a_picture_is_sent_again_to_pages_that_may_have_lost_it() {
    let at = |seconds: u32| (seconds * 1000 * MS, 4);
    assert_eq!(deliveries(false, true, false), [at(0), at(2), at(8), at(30)]);
    assert_eq!(deliveries(true, true, false), [at(0)], "a page of ours loses nothing");
    let chained = deliveries(false, false, false);
    assert_eq!(
        chained,
        [(Duration::ZERO, 8)],
        "where packets build on each other, a decoder asks for what it lacks"
    );
    let beside_motion: Vec<_> = deliveries(false, true, true).iter().map(|delivery| delivery.1).collect();
    assert_eq!(beside_motion, [4, 4, 4, 4]);
}
