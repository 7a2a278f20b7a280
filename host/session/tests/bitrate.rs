//! The choice of a bit rate in virtual time: a path that turns narrow and wide again, and pages that are slow themselves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use selkies_session::pacing::{BitrateSteps, ClientPacer};

const MS: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_micros(16_667);

/// A path of changing width, and a page that needs `decode` for a frame; the frames have what the rate gives them.
struct Path {
    start: Instant,
    now: Instant,
    pacer: ClientPacer,
    steps: BitrateSteps,
    decode: Duration,
    wire_free: Instant,
    decoder_free: Instant,
    drains: Option<Instant>,
    acks: VecDeque<(Instant, u16)>,
    marks: VecDeque<(Instant, u16)>,
    next_damage: Instant,
    id: u16,
    changes: Vec<(Duration, u32)>,
}

impl Path {
    fn new(decode: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            pacer: ClientPacer::new(),
            steps: BitrateSteps::new(8000),
            decode,
            wire_free: start,
            decoder_free: start,
            drains: None,
            acks: VecDeque::new(),
            marks: VecDeque::new(),
            next_damage: start,
            id: 0,
            changes: Vec::new(),
        }
    }

    /// Runs for a while on a path of so many kbit/s; answers frames per second.
    fn run(&mut self, seconds: u32, kbps: f64) -> f64 {
        let (end, first) = (self.now + Duration::from_secs(seconds.into()), self.id);
        let way = 10 * MS;
        while self.now < end {
            let now = self.now;
            if self.drains.take_if(|at| *at <= now).is_some() {
                self.pacer.on_drained(now);
            }
            while self.marks.front().is_some_and(|mark| mark.0 <= now) {
                self.pacer.on_delivered(now, self.marks.pop_front().unwrap().1);
            }
            while self.acks.front().is_some_and(|ack| ack.0 <= now) {
                self.pacer.on_ack(now, self.acks.pop_front().unwrap().1, Some(0));
            }
            if let Some(kbps) = self.steps.look(now, self.pacer.wait(now), PERIOD) {
                self.changes.push((now - self.start, kbps));
            }
            if now >= self.next_damage && self.pacer.can_take(now) {
                self.next_damage = (self.next_damage + PERIOD).max(now);
                self.id += 1;
                let bytes = self.steps.target() as usize * 1000 / 8 / 60;
                self.pacer.on_sent(now, self.id, 1080, bytes);
                let serial = Duration::from_secs_f64(bytes as f64 * 8.0 / (kbps * 1000.0));
                self.wire_free = self.wire_free.max(now) + serial;
                self.drains = Some(now);
                if self.pacer.wants_mark(now, self.id) {
                    self.marks.push_back((self.wire_free + 2 * way, self.id));
                }
                self.decoder_free = self.decoder_free.max(self.wire_free + way) + self.decode;
                self.acks.push_back((self.decoder_free + way, self.id));
            }
            self.now += MS / 4;
        }
        f64::from(self.id - first) / f64::from(seconds)
    }
}

#[test]
fn a_path_that_takes_the_rate_changes_nothing() {
    let mut path = Path::new(4 * MS);
    let fps = path.run(60, 50_000.0);
    assert!(fps > 58.0 && path.changes.is_empty(), "{fps} fps, {:?}", path.changes);
}

#[test]
fn a_narrow_path_gets_fewer_bits_and_keeps_its_frames() {
    let mut path = Path::new(4 * MS);
    path.run(10, 50_000.0);
    path.run(15, 3000.0);
    let (fps, target) = (path.run(15, 3000.0), path.steps.target());
    assert!((1500..=3300).contains(&target), "{target} kbit/s: {:?}", path.changes);
    assert!(fps > 50.0, "{fps} fps: {:?}", path.changes);
    // It is tried again, and ever more seldom.
    let before = path.changes.len();
    path.run(120, 3000.0);
    let tried = path.changes.len() - before;
    assert!(tried <= 60, "{tried} steps in two minutes: {:?}", path.changes);
    path.run(60, 50_000.0);
    assert_eq!(path.steps.target(), 8000, "{:?}", path.changes);
}

#[test]
fn a_slow_page_is_not_helped_by_fewer_bits() {
    let mut path = Path::new(45 * MS);
    path.run(30, 50_000.0);
    assert!(path.changes.is_empty(), "{:?}", path.changes);
}

#[test]
fn the_rate_stays_within_its_limits_and_rests_after_a_step() {
    let start = Instant::now();
    let (full, free) = (PERIOD * 10, Duration::ZERO);
    for (ceiling, least) in [(8000, 1000), (400, 100), (100, 100), (60, 60)] {
        let mut steps = BitrateSteps::new(ceiling);
        for round in 0..100 {
            steps.look(start + round * 500 * MS, full, PERIOD);
        }
        assert_eq!(steps.target(), least);
        let mut now = start + 50_000 * MS;
        while steps.target() < ceiling {
            now += 500 * MS;
            steps.look(now, free, PERIOD);
            assert!(now < start + 120_000 * MS, "it rises again");
        }
    }
    let mut steps = BitrateSteps::new(8000);
    assert_eq!(steps.look(start, full, PERIOD), None, "one bad moment is none");
    assert_eq!(steps.look(start + 100 * MS, full, PERIOD), None, "nor are two at once");
    assert_eq!(steps.look(start + 500 * MS, full, PERIOD), Some(4000), "half at most");
    for at in [1000, 2000, 3000, 4000] {
        assert_eq!(steps.look(start + at * MS, free, PERIOD), None, "{at} ms");
    }
    assert_eq!(steps.look(start + 4500 * MS, free, PERIOD), Some(4400));
    steps.look(start + 5000 * MS, PERIOD * 3 / 2, PERIOD);
    assert_eq!(
        steps.look(start + 5500 * MS, PERIOD * 3 / 2, PERIOD),
        Some(2493),
        "by the share that is missing"
    );
    for round in 12..100 {
        assert_eq!(
            steps.look(start + round * 500 * MS, PERIOD * 8 / 10, PERIOD),
            None,
            "neither full nor free"
        );
    }
}
