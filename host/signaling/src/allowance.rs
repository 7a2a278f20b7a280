//! How much one client may send.

use std::time::Instant;

/// Packets that may come at once, and packets per second from then on.
const PACKETS: (f64, f64) = (500.0, 100.0);
/// Bytes that may come at once, and bytes per second from then on.
const BYTES: (f64, f64) = (16e6, 4e6);

/// What one client has left: two buckets that fill with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    packets: f64,
    bytes: f64,
    at: Instant,
}

impl Allowance {
    pub(crate) fn new(now: Instant) -> Self {
        Self { packets: PACKETS.0, bytes: BYTES.0, at: now }
    }

    /// Takes one packet of this size; false when there is nothing left for it.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.packets = (self.packets + passed * PACKETS.1).min(PACKETS.0) - 1.0;
        self.bytes = (self.bytes + passed * BYTES.1).min(BYTES.0) - bytes as f64;
        self.packets >= 0.0 && self.bytes >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert_eq!((0..1000).take_while(|_| allowance.take(10, start)).count(), 500);
        let mut allowance = Allowance::new(start);
        assert_eq!((0..1000).take_while(|_| allowance.take(1_000_000, start)).count(), 16);
        let mut allowance = Allowance::new(start);
        for tick in 0..10_000_u32 {
            assert!(allowance.take(1000, start + Duration::from_millis(10) * tick), "100 a second for ever");
        }
    }
}
