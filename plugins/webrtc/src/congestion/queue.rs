//! How long packets wait on the path: the delay beyond the shortest of late.

use std::collections::VecDeque;

/// Time of one part of the memory; the shortest delay is that of the last parts.
const PART_NS: u64 = 2_000_000_000;
/// Parts that are remembered: 20 s. Longer, and a drift of the clocks would look like a queue.
const PARTS: usize = 10;

/// The delay's floor, and what is above it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// When a part began, and its shortest delay.
    parts: VecDeque<(u64, i64)>,
    length: u64,
}

impl Queue {
    /// One packet's delay, with the offset between the clocks.
    pub(super) fn add(&mut self, now_ns: u64, delay: i64) {
        match self.parts.back_mut() {
            Some((began, least)) if now_ns.saturating_sub(*began) < PART_NS => *least = delay.min(*least),
            _ => {
                if self.parts.len() == PARTS {
                    self.parts.pop_front();
                }
                self.parts.push_back((now_ns, delay));
            }
        }
    }

    /// The shortest delay of one report: a single packet that was late makes no queue.
    pub(super) fn report(&mut self, delay: i64) {
        let floor = self.parts.iter().map(|(_, least)| *least).min().unwrap_or(delay);
        self.length = u64::try_from(delay.saturating_sub(floor)).unwrap_or(0);
    }

    /// What was known of the path does not hold any more.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
        self.length = 0;
    }

    /// Nanoseconds.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}
