//! How much arrives, and how fast what left together arrives.

use std::collections::VecDeque;

use super::difference;

/// Time over which the rate is taken.
const WINDOW_NS: i64 = 300_000_000;
/// The highest rate of this time counts: a stream has pauses.
const PEAK_NS: i64 = 1_000_000_000;
/// Packets that leave within this time of each other are one burst.
const TOGETHER_NS: u64 = 1_500_000;
/// Packets that a burst has at least.
const LEAST: u32 = 3;
/// Arrival times come in quarters of a millisecond; what is shorter cannot be told apart.
const SHORTEST: f64 = 1e6;
/// Bursts of which the middle one counts.
const BURSTS: usize = 7;
/// A burst that is older says nothing.
const OLDEST_NS: i64 = 1_500_000_000;

#[derive(Clone, Copy, Debug)]
struct Burst {
    last_sent: u64,
    first_arrived: u64,
    last_arrived: u64,
    packets: u32,
    /// Bytes behind the first packet.
    bytes: u64,
}

/// Rates of what arrived, bit/s.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    arrived: VecDeque<(u64, u32)>,
    bytes: u64,
    peaks: VecDeque<(u64, f64)>,
    burst: Option<Burst>,
    bursts: VecDeque<(u64, f64)>,
}

impl Delivery {
    /// A packet that arrived.
    pub(super) fn add(&mut self, sent_ns: u64, arrived_ns: u64, size: u32) {
        self.count(arrived_ns, size);
        match &mut self.burst {
            Some(burst) if sent_ns.saturating_sub(burst.last_sent) <= TOGETHER_NS => {
                burst.last_sent = burst.last_sent.max(sent_ns);
                // Overtaken packets would make it look longer or shorter than it was.
                if difference(arrived_ns, burst.last_arrived) >= 0 {
                    burst.last_arrived = arrived_ns;
                }
                burst.packets += 1;
                burst.bytes += u64::from(size);
            }
            _ => {
                let new = Burst {
                    last_sent: sent_ns,
                    first_arrived: arrived_ns,
                    last_arrived: arrived_ns,
                    packets: 1,
                    bytes: 0,
                };
                if let Some(burst) = self.burst.replace(new) {
                    self.judge(&burst);
                }
            }
        }
    }

    fn count(&mut self, arrived_ns: u64, size: u32) {
        self.arrived.push_back((arrived_ns, size));
        self.bytes += u64::from(size);
        while let Some(&(first, size)) = self.arrived.front()
            && difference(arrived_ns, first) > WINDOW_NS
        {
            self.arrived.pop_front();
            self.bytes -= u64::from(size);
        }
        let rate = self.bytes as f64 * 8e9 / WINDOW_NS as f64;
        while self.peaks.front().is_some_and(|(at, _)| difference(arrived_ns, *at) > PEAK_NS) {
            self.peaks.pop_front();
        }
        while self.peaks.back().is_some_and(|(_, peak)| *peak <= rate) {
            self.peaks.pop_back();
        }
        self.peaks.push_back((arrived_ns, rate));
    }

    fn judge(&mut self, burst: &Burst) {
        if burst.packets < LEAST {
            return;
        }
        let time = (difference(burst.last_arrived, burst.first_arrived) as f64).max(SHORTEST);
        if self.bursts.len() == BURSTS {
            self.bursts.pop_front();
        }
        self.bursts.push_back((burst.last_arrived, burst.bytes as f64 * 8e9 / time));
    }

    /// What arrived of late, bit/s: the highest rate of the last second.
    pub(super) fn peak(&self) -> f64 {
        self.peaks.front().map_or(0.0, |(_, rate)| *rate)
    }

    /// What arrived in the last moments, bit/s.
    pub(super) fn rate(&self) -> f64 {
        self.bytes as f64 * 8e9 / WINDOW_NS as f64
    }

    /// How fast bursts arrive of late: the middle one of the last. `None` without.
    pub(super) fn capacity(&self) -> Option<f64> {
        self.middle(BURSTS)
    }

    /// The same of the last three.
    pub(super) fn newest(&self) -> Option<f64> {
        self.middle(3)
    }

    fn middle(&self, count: usize) -> Option<f64> {
        let newest = self.arrived.back()?.0;
        let recent =
            self.bursts.iter().rev().take(count).filter(|(at, _)| difference(newest, *at) < OLDEST_NS);
        let mut rates: Vec<f64> = recent.map(|(_, rate)| *rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }
}
