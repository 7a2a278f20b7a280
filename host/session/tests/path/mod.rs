//! A path of changing width in virtual time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use selkies_session::pacing::ClientPacer;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const PERIOD: Duration = Duration::from_micros(16_667);

/// What decides how large frames are.
pub(crate) trait Control {
    /// Judges the path; answers what it chose, if that is something else from now on.
    fn look(&mut self, now: Instant, wait: Duration) -> Option<u32>;
    /// Bytes of the next frame.
    fn bytes(&self) -> usize;
}

/// A path of changing width, and a page that needs `decode` for a frame; the frames have what `control` gives them.
pub(crate) struct Path<C> {
    start: Instant,
    now: Instant,
    pacer: ClientPacer,
    pub(crate) control: C,
    decode: Duration,
    wire_free: Instant,
    decoder_free: Instant,
    drains: Option<Instant>,
    acks: VecDeque<(Instant, u16)>,
    marks: VecDeque<(Instant, u16)>,
    next_damage: Instant,
    id: u16,
    pub(crate) changes: Vec<(Duration, u32)>,
}

impl<C: Control> Path<C> {
    pub(crate) fn new(control: C, decode: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            pacer: ClientPacer::new(),
            control,
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
    pub(crate) fn run(&mut self, seconds: u32, kbps: f64) -> f64 {
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
            if let Some(chosen) = self.control.look(now, self.pacer.wait(now)) {
                self.changes.push((now - self.start, chosen));
            }
            if now >= self.next_damage && self.pacer.can_take(now) {
                self.next_damage = (self.next_damage + PERIOD).max(now);
                self.id += 1;
                let bytes = self.control.bytes();
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
