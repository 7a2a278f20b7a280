//! A bottleneck, an encoder in front of it and a client behind it, in virtual time.

use selkies_webrtc::congestion::{Arrival, Controller};

/// Seconds to nanoseconds.
fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// A path.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// From when on, bit/s.
    pub(crate) rates: Vec<(f64, f64)>,
    /// One way.
    pub(crate) delay_ms: f64,
    /// From when on the way is longer, and by how many milliseconds.
    pub(crate) longer: Option<(f64, f64)>,
    /// Packets that would wait longer are dropped.
    pub(crate) buffer_ms: f64,
    /// Share of packets that get lost whatever is sent.
    pub(crate) loss: f64,
    /// Up to this much is added to a packet's delay, by chance; they overtake each other.
    pub(crate) jitter_ms: f64,
    /// Others on the path: from, to, bit/s.
    pub(crate) cross: Vec<(f64, f64, f64)>,
    /// Times without reports.
    pub(crate) gaps: Vec<(f64, f64)>,
    /// Share of reports that get lost.
    pub(crate) unheard: f64,
    /// What the encoder makes at most, bit/s.
    pub(crate) demand: f64,
    /// Share of the estimate that is sent, headers included; the host keeps some for what is sent again.
    pub(crate) share: f64,
}

impl Link {
    pub(crate) fn steps(rates: &[(f64, f64)]) -> Self {
        Self {
            rates: rates.to_vec(),
            delay_ms: 20.0,
            longer: None,
            buffer_ms: 1000.0,
            loss: 0.0,
            jitter_ms: 0.0,
            cross: Vec::new(),
            gaps: Vec::new(),
            unheard: 0.0,
            demand: f64::MAX,
            share: 1.0,
        }
    }

    pub(crate) fn constant(rate: f64) -> Self {
        Self::steps(&[(0.0, rate)])
    }

    /// One way, in seconds.
    fn delay(&self, now: f64) -> f64 {
        let more = self.longer.filter(|(from, _)| *from <= now).map_or(0.0, |(_, more)| more);
        (self.delay_ms + more) / 1000.0
    }

    fn rate(&self, now: f64) -> f64 {
        let current = self.rates.iter().rev().find(|(from, _)| *from <= now);
        current.map_or(0.0, |(_, rate)| *rate)
    }
}

/// What was seen in one millisecond.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: f64,
    queue_ms: f64,
    estimate: f64,
    rate: f64,
    delivered: f64,
    sent: u32,
    lost: u32,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    samples: Vec<Sample>,
}

impl Run {
    pub(crate) fn between(&self, from: f64, to: f64) -> Self {
        let samples = self.samples.iter().filter(|sample| (from..to).contains(&sample.at));
        Self { samples: samples.copied().collect() }
    }

    fn sum(&self, what: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(what).sum()
    }

    /// Share of the path's rate that arrived.
    pub(crate) fn utilisation(&self) -> f64 {
        self.sum(|sample| sample.delivered * 8.0) / self.sum(|sample| sample.rate / 1000.0)
    }

    /// Share of the packets that were lost.
    pub(crate) fn loss(&self) -> f64 {
        self.sum(|sample| sample.lost.into()) / self.sum(|sample| sample.sent.into())
    }

    /// How long a packet waits; a quantile over time.
    pub(crate) fn queue_ms(&self, quantile: f64) -> f64 {
        let mut queues: Vec<f64> = self.samples.iter().map(|sample| sample.queue_ms).collect();
        queues.sort_by(f64::total_cmp);
        queues[((queues.len() - 1) as f64 * quantile) as usize]
    }

    pub(crate) fn least_estimate(&self) -> f64 {
        self.samples.iter().map(|sample| sample.estimate).fold(f64::MAX, f64::min)
    }

    pub(crate) fn highest_estimate(&self) -> f64 {
        self.samples.iter().map(|sample| sample.estimate).fold(0.0, f64::max)
    }
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// A packet that is not reported yet.
#[derive(Clone, Copy, Debug)]
struct Packet {
    sent: f64,
    arrives: Option<f64>,
    size: u32,
}

const MTU: f64 = 1200.0;
const STEP: f64 = 0.001;
/// Time between two frames, and two reports.
const FRAME: f64 = 1.0 / 60.0;
const REPORT: f64 = 0.05;
/// The client's clock is another.
const OFFSET: u64 = 1 << 40;

/// Streams over a link for so many seconds.
pub(crate) fn run(link: Link, seconds: f64) -> Run {
    let (mut controller, mut chance) = (Controller::default(), Chance(7));
    let (mut queue, mut under_way, mut samples) = (0.0_f64, Vec::<Packet>::new(), Vec::new());
    let mut reports: Vec<(f64, Vec<Arrival>)> = Vec::new();
    let (mut frame_at, mut report_at) = (0.0, 0.0);
    for step in 0..(seconds / STEP) as u64 {
        let now = step as f64 * STEP;
        let rate = link.rate(now);
        let mut sample =
            Sample { at: now, queue_ms: 0.0, estimate: 0.0, rate, delivered: 0.0, sent: 0, lost: 0 };
        queue = (queue - rate * STEP / 8.0).max(0.0);
        for (from, to, cross) in &link.cross {
            if (*from..*to).contains(&now) {
                queue += cross * STEP / 8.0;
            }
        }
        let in_flight: u64 = under_way.iter().map(|packet| u64::from(packet.size)).sum();
        let has_place = controller.has_place(ns(now), in_flight, 48 * 1024);
        if now >= frame_at {
            frame_at += FRAME;
            if has_place {
                let target = f64::from(controller.estimate_kbps()) * 1000.0 * link.share;
                let mut bytes = target.min(link.demand) * FRAME / 8.0 * (0.8 + 0.4 * chance.next());
                while bytes > 0.0 {
                    let size = bytes.min(MTU);
                    bytes -= MTU;
                    controller.sent(ns(now), size as u32);
                    sample.sent += 1;
                    let wait = queue * 8.0 / rate;
                    let is_lost = chance.next() < link.loss || wait * 1000.0 > link.buffer_ms;
                    sample.lost += u32::from(is_lost);
                    if wait * 1000.0 <= link.buffer_ms {
                        queue += size;
                    }
                    let jitter = chance.next() * link.jitter_ms / 1000.0;
                    let arrives = now + queue * 8.0 / rate + link.delay(now) + jitter;
                    let arrives = (!is_lost).then_some(arrives);
                    under_way.push(Packet { sent: now, arrives, size: size as u32 });
                }
            }
        }
        sample.delivered += under_way
            .iter()
            .filter(|packet| packet.arrives.is_some_and(|at| at > now && at <= now + STEP))
            .map(|packet| f64::from(packet.size))
            .sum::<f64>();
        if now >= report_at {
            report_at += REPORT;
            let is_heard = !link.gaps.iter().any(|(from, to)| (*from..*to).contains(&now))
                && (link.unheard == 0.0 || chance.next() >= link.unheard);
            // Everything before the newest that arrived is reported; what did not arrive by then is called lost.
            let newest = under_way.iter().rposition(|packet| packet.arrives.is_some_and(|at| at <= now));
            if let Some(newest) = newest {
                let reported = under_way.drain(..=newest).map(|packet| Arrival {
                    sent_ns: ns(packet.sent),
                    // In quarters of a millisecond.
                    arrived_ns: packet
                        .arrives
                        .filter(|at| *at <= now)
                        .map(|at| OFFSET + (at * 4000.0) as u64 * 250_000),
                    size: packet.size,
                });
                let reported: Vec<Arrival> = reported.collect();
                if is_heard {
                    reports.push((now + link.delay_ms / 1000.0, reported));
                }
            }
        }
        while reports.first().is_some_and(|(at, _)| *at <= now) {
            let (_, report) = reports.remove(0);
            controller.feedback(ns(now), &report);
        }
        if step % 100 == 0 {
            controller.tick(ns(now));
        }
        sample.queue_ms = queue * 8000.0 / rate;
        sample.estimate = f64::from(controller.estimate_kbps()) * 1000.0;
        samples.push(sample);
    }
    if std::env::var_os("CONGESTION_TRACE").is_some() {
        for sample in samples.iter().step_by(100) {
            eprintln!(
                "{:.1} s: {:.2} Mbit/s, queue {:.0} ms",
                sample.at,
                sample.estimate / 1e6,
                sample.queue_ms
            );
        }
    }
    Run { samples }
}
