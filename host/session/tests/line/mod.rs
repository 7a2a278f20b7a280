//! A simulated path and page: serialising wire, delay, jitter, in-order decoder, acknowledgements.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use selkies_session::pacing::ClientPacer;

/// How the page tells what it has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Acks {
    /// Each frame when drawn.
    Prompt,
    /// The newest drawn frame at every tick, with or without the time it was held.
    Every { tick: Duration, held: bool },
    /// Only WebSocket pongs, on arrival: a stock viewer.
    Delivery,
    /// Nothing at all.
    Never,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) rtt: Duration,
    pub(crate) jitter: Duration,
    pub(crate) decode: Duration,
    /// From this time on decoding takes that long.
    pub(crate) slow_from: Option<(Duration, Duration)>,
    pub(crate) acks: Acks,
    pub(crate) bytes: usize,
    pub(crate) bytes_per_s: u64,
    pub(crate) reads: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            rtt: Duration::from_millis(10),
            jitter: Duration::ZERO,
            decode: Duration::from_millis(4),
            slow_from: None,
            acks: Acks::Prompt,
            bytes: 20_000,
            bytes_per_s: 125_000_000,
            reads: true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    /// Frames drawn per second, first two seconds left out.
    pub(crate) fps: f64,
    /// The same over the last five seconds.
    pub(crate) fps_last_seconds: f64,
    /// Sending to drawing.
    pub(crate) age_p95: Duration,
    pub(crate) worst_age: Duration,
    pub(crate) sent: usize,
    pub(crate) most_in_flight: usize,
    pub(crate) stalled: bool,
}

#[derive(Clone, Copy)]
enum Reply {
    Ack(u16, Option<u32>),
    Pong(u16),
}

impl Line {
    /// Runs the line in steps of a quarter millisecond.
    pub(crate) fn run(&self, length: Duration) -> Report {
        const STEP: Duration = Duration::from_micros(250);
        const CAPTURE: Duration = Duration::from_nanos(16_666_667);
        let start = Instant::now();
        let mut pacer = ClientPacer::new();
        let (mut now, end) = (start, start + length);
        let (mut next_damage, mut damaged) = (start, false);
        let mut id = 65_000u16;
        let (mut wire_free, mut decoder_free, mut last_arrival) = (start, start, start);
        let mut drain_at: Option<Instant> = None;
        // Frame id, sent, drawn; in order, as a TCP connection and a decoder are.
        let mut frames: VecDeque<(u16, Instant)> = VecDeque::new();
        let mut replies: VecDeque<(Instant, Reply)> = VecDeque::new();
        let (mut last_drawn, mut next_tick) = (None::<(u16, Instant)>, start);
        let mut ticked = None;
        let mut drawn: Vec<(Instant, Duration)> = Vec::new();
        let (mut sent, mut most_in_flight) = (0, 0);
        let mut random = 12_345u64;
        let mut jitter = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.jitter.mul_f64((random >> 33) as f64 / f64::from(1u32 << 31))
        };
        while now < end {
            if now >= next_damage {
                damaged = true;
                next_damage += CAPTURE;
            }
            if drain_at.is_some_and(|at| at <= now) {
                drain_at = None;
                pacer.on_drained(now);
            }
            while replies.front().is_some_and(|(at, _)| *at <= now) {
                match replies.pop_front().unwrap().1 {
                    Reply::Ack(id, held) => pacer.on_ack(now, id, held),
                    Reply::Pong(id) => pacer.on_delivered(now, id),
                }
            }
            while frames.front().is_some_and(|(_, at)| *at <= now) {
                let (id, at) = frames.pop_front().unwrap();
                last_drawn = Some((id, at));
                if matches!(self.acks, Acks::Prompt) {
                    replies.push_back((at + self.rtt / 2, Reply::Ack(id, Some(0))));
                }
            }
            if let Acks::Every { tick, held } = self.acks
                && now >= next_tick
            {
                next_tick += tick;
                if let Some((id, at)) = last_drawn.filter(|&(id, _)| ticked != Some(id)) {
                    let held = held.then(|| (now - at).as_millis() as u32);
                    replies.push_back((now + self.rtt / 2, Reply::Ack(id, held)));
                    ticked = Some(id);
                }
            }
            if damaged && pacer.can_take(now) {
                damaged = false;
                id = id.wrapping_add(1);
                sent += 1;
                pacer.on_sent(now, id, 1080, self.bytes);
                most_in_flight = most_in_flight.max(pacer.stats(now).in_flight);
                if self.reads {
                    let serial = Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_s as f64);
                    wire_free = wire_free.max(now) + serial;
                    drain_at = Some(wire_free);
                    last_arrival = last_arrival.max(wire_free + self.rtt / 2 + jitter());
                    let slow = self.slow_from.filter(|(from, _)| now >= start + *from);
                    let decode = slow.map_or(self.decode, |(_, decode)| decode);
                    decoder_free = decoder_free.max(last_arrival) + decode;
                    frames.push_back((id, decoder_free));
                    drawn.push((decoder_free, decoder_free - now));
                    if matches!(self.acks, Acks::Delivery) {
                        replies.push_back((last_arrival + self.rtt / 2, Reply::Pong(id)));
                    }
                }
            }
            now += STEP;
        }
        let rate = |from: Instant| {
            let count = drawn.iter().filter(|(at, _)| *at >= from && *at < end).count();
            count as f64 / (end - from).as_secs_f64()
        };
        let mut ages: Vec<Duration> = drawn.iter().map(|d| d.1).collect();
        ages.sort_unstable();
        Report {
            fps: rate(start + Duration::from_secs(2)),
            fps_last_seconds: rate(end - Duration::from_secs(5)),
            age_p95: ages.get(ages.len() * 95 / 100).copied().unwrap_or_default(),
            worst_age: ages.last().copied().unwrap_or_default(),
            sent,
            most_in_flight,
            stalled: pacer.is_stalled(end),
        }
    }
}
