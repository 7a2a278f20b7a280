//! Congestion control: what the path to a client takes, from when its packets arrived.
//!
//! Sans-IO. Times are arguments, in nanoseconds of any clock that does not go back; arrival times are those of the client's
//! clock, of which only differences matter.
//!
//! The shape is that of draft-ietf-rmcat-gcc-02: a delay-based estimate (`trend.rs`: a queue that grows) and a loss-based one
//! (`loss.rs`), of which the lower holds. Two things are added, because a screen's stream is bursts with pauses between:
//!
//! - **Every frame is a probe.** Its packets leave together, and arrive as far apart as the bottleneck spaces them
//!   (`delivery.rs`). So it is known how far the estimate may rise, and it rises fast up to there, slowly beyond.
//! - **The queue itself is measured** (`queue.rs`), against the shortest delay of late. One that stands, without growing, is
//!   emptied; and what is under way is limited to what the path takes in its round trip and a bit.

mod delivery;
mod loss;
mod queue;
mod trend;

use delivery::Delivery;
use loss::Loss;
use queue::Queue;
use trend::{Trend, Usage};

/// A packet of which the client reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it left, by this side's clock.
    pub sent_ns: u64,
    /// When it arrived, by the client's clock; `None` when it did not.
    pub arrived_ns: Option<u64>,
    /// Bytes.
    pub size: u32,
}

const MILLISECOND: u64 = 1_000_000;
/// The estimate before anything is known, bit/s.
const START: f64 = 6e6;
/// Its bounds, bit/s.
const BOUNDS: (f64, f64) = (150e3, 300e6);
/// What is left of the measured rate when there is too much.
const BACK_OFF: f64 = 0.85;
/// Share of the estimate that a stream uses when it fills the path.
const FILLED: f64 = 0.5;
/// Up to here the estimate grows without proof: a picture at rest proves nothing, and must not be stuck with a low one.
const UNPROVEN: f64 = 3e6;
/// Growth per second: while there is room as far as bursts tell, near the limit, and beyond it.
const GROWTH: [f64; 3] = [6.0, 1.15, 1.04];
/// The estimate grows to this many times what arrives: where bursts find room, and otherwise.
const PROVEN: [f64; 2] = [2.2, 1.5];
/// A queue that is longer is emptied, one that is shorter lets the rate grow.
const QUEUE: (u64, u64) = (45 * MILLISECOND, 22 * MILLISECOND);
/// Decreases in a row that leave a queue as it is, before it is taken for a longer way.
const UNMOVED: u32 = 3;
/// What may be under way beyond the round trip's worth, as time.
const SLACK: u64 = 110 * MILLISECOND;
/// Reports come every 50 to 100 ms; without any for this long, something is wrong.
const SILENCE: u64 = 500 * MILLISECOND;

/// The estimate of one path.
#[derive(Debug)]
pub struct Controller {
    estimate: f64,
    trend: Trend,
    queue: Queue,
    delivery: Delivery,
    loss: Loss,
    rtt: RoundTrip,
    updated_ns: u64,
    decreased_ns: u64,
    /// The queue when the estimate was last lowered.
    decreased_queue: u64,
    /// How often in a row it was lowered, and the queue stayed as it was.
    unmoved: u32,
    reported_ns: u64,
    /// Bytes that left since the last report.
    unreported: u64,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            estimate: START,
            trend: Trend::default(),
            queue: Queue::default(),
            delivery: Delivery::default(),
            loss: Loss::new(BOUNDS),
            rtt: RoundTrip::default(),
            updated_ns: 0,
            decreased_ns: 0,
            decreased_queue: 0,
            unmoved: 0,
            reported_ns: 0,
            unreported: 0,
        }
    }
}

impl Controller {
    /// A packet leaves.
    pub fn sent(&mut self, now_ns: u64, size: u32) {
        if self.unreported == 0 {
            self.reported_ns = self.reported_ns.max(now_ns.saturating_sub(SILENCE / 2));
        }
        self.unreported += u64::from(size);
    }

    /// The client reports on packets, in the order in which they left.
    pub fn feedback(&mut self, now_ns: u64, arrivals: &[Arrival]) {
        if arrivals.is_empty() {
            return;
        }
        self.unreported = 0;
        self.reported_ns = now_ns;
        let (mut first_delay, mut newest) = (i64::MAX, None);
        for arrival in arrivals {
            self.loss.add(arrival.arrived_ns.is_none());
            let Some(arrived_ns) = arrival.arrived_ns else { continue };
            let delay = difference(arrived_ns, arrival.sent_ns);
            first_delay = first_delay.min(delay);
            newest = Some(arrival.sent_ns);
            self.queue.add(now_ns, delay);
            self.trend.add(arrival.sent_ns, arrived_ns);
            self.delivery.add(arrival.sent_ns, arrived_ns, arrival.size);
        }
        if let Some(sent_ns) = newest {
            self.rtt.add(now_ns, now_ns.saturating_sub(sent_ns));
            self.queue.report(first_delay);
        }
        self.follow(now_ns);
    }

    fn follow(&mut self, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.updated_ns).min(200 * MILLISECOND);
        self.updated_ns = now_ns;
        let rate = self.delivery.rate();
        let burst = self.delivery.capacity();
        // Reports on what left before the last decrease say nothing about it.
        let settled = now_ns.saturating_sub(self.decreased_ns) > self.rtt.least() + 60 * MILLISECOND;
        let queue = self.queue.length();
        if queue < QUEUE.1 {
            self.decreased_queue = 0;
        }
        let over = self.trend.usage() == Usage::Over || queue > QUEUE.0;
        if over {
            if settled {
                self.decrease(now_ns, rate, self.delivery.newest(), queue);
            }
        } else if queue < QUEUE.1 && self.trend.usage() == Usage::Normal && settled {
            self.increase(elapsed, burst);
        }
        self.estimate = self.loss.limit(self.estimate, burst, now_ns).clamp(BOUNDS.0, BOUNDS.1);
    }

    fn decrease(&mut self, now_ns: u64, rate: f64, burst: Option<f64>, queue: u64) {
        // A stream that needs little fills no path: what it measured is what it needed. Unless it waits for long.
        let fills = rate > self.estimate * FILLED || queue > 2 * QUEUE.0;
        // What arrives is what the path takes, if that is filled; how fast bursts arrive, tells sooner.
        let measured = match burst {
            Some(burst) if fills => burst.min(rate),
            Some(burst) => burst,
            None => rate,
        };
        // The longer the queue, the less, so that it is gone within half a second.
        let drained = 1.0 - queue as f64 / 500e6;
        let target = measured * BACK_OFF.min(drained.max(0.5));
        let is_filled = burst.is_some() || fills;
        if is_filled && target < self.estimate {
            self.estimate = target;
        } else if queue >= self.decreased_queue.max(QUEUE.1) {
            // Bursts find a free path, or there is too little to tell, and yet the queue grows: there are others. Or it is
            // jitter; a stream that is not the cause does not give way without end.
            let least = if is_filled { 0.0 } else { 4.0 * self.delivery.peak() + 500e3 };
            self.estimate = (self.estimate * BACK_OFF).max(least.min(self.estimate));
        } else {
            return;
        }
        // A queue that does not care what is sent is none: the way has become longer.
        let is_same = queue.abs_diff(self.decreased_queue) < queue / 5;
        self.unmoved = if is_same { self.unmoved + 1 } else { 0 };
        if self.unmoved == UNMOVED {
            self.queue.forget();
            self.unmoved = 0;
        }
        self.decreased_queue = queue;
        self.decreased_ns = now_ns;
    }

    fn increase(&mut self, elapsed: u64, burst: Option<f64>) {
        let seconds = elapsed as f64 / 1e9;
        let room = burst.map_or(1.0, |burst| 0.95 * burst / self.estimate);
        let growth = match burst {
            Some(_) if room > 1.1 => GROWTH[0],
            Some(_) if room < 1.0 => GROWTH[2],
            _ => GROWTH[1],
        };
        let grown = self.estimate * growth.powf(seconds);
        // A stream that does not fill the estimate proves nothing about more.
        let proven = PROVEN[usize::from(room <= 1.1)] * self.delivery.peak() + 100e3;
        let proven = proven.max(UNPROVEN);
        let grown = if room > 1.0 { grown.min(self.estimate * room) } else { grown };
        self.estimate = grown.min(proven.max(self.estimate));
    }

    /// Time passes; at least ten times a second while packets leave.
    pub fn tick(&mut self, now_ns: u64) {
        let silent = now_ns.saturating_sub(self.reported_ns.max(self.decreased_ns));
        if self.unreported > 0 && silent > SILENCE.max(3 * self.rtt.least()) {
            self.estimate = (self.estimate * 0.8).max(BOUNDS.0);
            self.decreased_ns = now_ns;
        }
    }

    /// What the path takes, kbit/s.
    #[must_use]
    pub fn estimate_kbps(&self) -> u32 {
        (self.estimate / 1000.0) as u32
    }

    /// How fast packets of one frame may leave, bit/s; `None` while no frame has shown it.
    #[must_use]
    pub fn pace(&self) -> Option<f64> {
        self.delivery.capacity().map(|capacity| capacity.max(2.0 * self.estimate))
    }

    /// The round trip, nanoseconds; 0 when unknown. It has the time that a report takes to be made.
    #[must_use]
    pub fn rtt_ns(&self) -> u64 {
        self.rtt.least()
    }

    /// How long packets wait on the path, nanoseconds.
    #[must_use]
    pub fn queue_ns(&self) -> u64 {
        self.queue.length()
    }

    /// The same in bytes.
    #[must_use]
    pub fn queue_bytes(&self) -> u64 {
        (self.queue.length() as f64 * self.estimate / 8e9) as u64
    }

    /// Whether one more frame may leave while so many bytes are under way; `least` may always be.
    ///
    /// More than the path takes in its round trip is no harm by itself: reports come late, too. It is when packets wait on
    /// the path, or when nothing is heard of it.
    #[must_use]
    pub fn has_place(&self, now_ns: u64, in_flight: u64, least: u64) -> bool {
        let time = self.rtt.least() + SLACK;
        let window = (time as f64 * self.estimate / 8e9) as u64;
        let is_silent =
            self.unreported > 0 && now_ns.saturating_sub(self.reported_ns) > SILENCE / 2 + self.rtt.least();
        in_flight <= window.max(least) || !(is_silent || self.queue.length() > QUEUE.0)
    }
}

/// `later - earlier`, of different clocks.
fn difference(later: u64, earlier: u64) -> i64 {
    later.wrapping_sub(earlier).cast_signed()
}

/// The shortest round trip of the last seconds.
#[derive(Debug, Default)]
struct RoundTrip {
    halves: [u64; 2],
    began_ns: u64,
}

impl RoundTrip {
    const HALF: u64 = 2_000 * MILLISECOND;

    fn add(&mut self, now_ns: u64, sample: u64) {
        if now_ns.saturating_sub(self.began_ns) > Self::HALF {
            self.halves = [0, self.halves[0]];
            self.began_ns = now_ns;
        }
        let least = &mut self.halves[0];
        *least = if *least == 0 { sample } else { sample.min(*least) };
    }

    fn least(&self) -> u64 {
        self.halves.iter().copied().filter(|half| *half > 0).min().unwrap_or(0)
    }
}
