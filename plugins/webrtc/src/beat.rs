//! When packets of sound begin. A receiver takes their times for numbers of samples, and repairs what does not fit: so each
//! begins where the one before ended, unless there was a gap. Times are in nanoseconds.

/// The clock of the sound card and that of the host may be apart by so much; beyond, there was a gap.
const TOLERANCE_NS: u64 = 40_000_000;
/// A sound card whose clock is quicker than the host's gives more packets than time passes. By so much they may be ahead, as
/// more is seen where a browser keeps sound and picture together; then one is left out.
const LEAD_NS: u64 = 80_000_000;
/// No clock is so quick: these times are those of another one.
const FOREIGN_NS: u64 = 500_000_000;
/// Longest packet of Opus (RFC 6716, 3.2.5).
const LONGEST_NS: u64 = 120_000_000;

/// The times of one stream of sound.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    /// Where the packet before ended.
    end_ns: Option<u64>,
}

impl Beat {
    /// Where a packet begins that was captured at `time_ns`; `None` for one to be left out.
    pub(crate) fn place(&mut self, time_ns: u64, packet: &[u8]) -> Option<u64> {
        let lead = self.end_ns.map_or(0, |end| end.saturating_sub(time_ns));
        if (LEAD_NS + 1..FOREIGN_NS).contains(&lead) {
            return None;
        }
        let begin = match self.end_ns {
            Some(end) if time_ns.abs_diff(end) > TOLERANCE_NS => time_ns.max(end),
            Some(end) => end,
            None => time_ns,
        };
        self.end_ns = Some(begin + duration_ns(packet));
        Some(begin)
    }
}

/// How long a packet of Opus sounds (RFC 6716, 3.1 and 3.2).
fn duration_ns(packet: &[u8]) -> u64 {
    let Some(&head) = packet.first() else { return 0 };
    let (configuration, code) = (head >> 3, head & 3);
    let frame_us = match (configuration, configuration & 3) {
        (0..=11, 0) => 10_000,
        (0..=11, 1) => 20_000,
        (0..=11, 2) => 40_000,
        (0..=11, _) => 60_000,
        (12..=15, size) => 10_000 * (u64::from(size & 1) + 1),
        (_, size) => 2_500 << size,
    };
    let frames = match code {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).copied().unwrap_or(0) & 0x3f),
    };
    (frames * frame_us * 1000).min(LONGEST_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// Packets of fullband CELT with one frame of 10 and of 20 ms.
    const SHORT: &[u8] = &[30 << 3, 7];
    const LONG: &[u8] = &[31 << 3, 7];

    #[test]
    fn packets_follow_one_another_though_their_times_waver() {
        let mut beat = Beat::default();
        assert_eq!(beat.place(1000 * MS, SHORT), Some(1000 * MS));
        assert_eq!(beat.place(1013 * MS, SHORT), Some(1010 * MS));
        assert_eq!(beat.place(1017 * MS, LONG), Some(1020 * MS));
        assert_eq!(beat.place(1040 * MS, LONG), Some(1040 * MS));
        // A gap; and a clock that went back.
        assert_eq!(beat.place(2000 * MS, LONG), Some(2000 * MS));
        assert_eq!(beat.place(500 * MS, LONG), Some(2020 * MS));
    }

    #[test]
    fn a_card_of_another_speed_stays_with_the_hosts_clock() {
        // Ten times as far from right as cards are: in an hour, 1.8 s.
        for (period, what) in [(9_995_000, "quick"), (10_005_000, "slow")] {
            let (mut beat, mut left_out, mut end) = (Beat::default(), 0_u64, 0);
            for n in 0..360_000_u64 {
                let time = 1000 * MS + n * period;
                let Some(begin) = beat.place(time, SHORT) else {
                    left_out += 1;
                    continue;
                };
                assert!(begin >= end, "{what}: packets overlap at {n}");
                assert!(begin.abs_diff(time) <= LEAD_NS, "{what}: {begin} for {time}");
                end = begin + 10 * MS;
            }
            // What is too much, but for the lead that is allowed.
            let wanted = if what == "quick" { 172..=180 } else { 0..=0 };
            assert!(wanted.contains(&left_out), "{what}: {left_out}");
        }
    }

    #[test]
    fn durations_are_those_of_the_format() {
        for (packet, ms) in [
            (&[0_u8][..], 10),
            (&[3 << 3], 60),
            (&[12 << 3], 10),
            (&[15 << 3], 20),
            (&[31 << 3 | 1], 40),
            (&[30 << 3 | 3, 4], 40),
            (&[31 << 3 | 3, 0x3f], 120),
            (&[], 0),
        ] {
            assert_eq!(duration_ns(packet), ms * MS, "{packet:?}");
        }
        assert_eq!(duration_ns(&[16 << 3]), 2_500_000);
    }
}
