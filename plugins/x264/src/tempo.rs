//! How far apart pictures come, so that each has the bits of the time until the next one: a bit rate that is counted in frames
//! is not used up by content that changes less often than the frame rate allows.

/// Pictures that are further apart get no more bits for that, microseconds: what follows would have to wait for them.
const LONGEST_US: u32 = 50_000;
/// A longer pause tells nothing of what follows it, nanoseconds.
const PAUSE_NS: u64 = 250_000_000;

/// The pace of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tempo {
    last_ns: Option<u64>,
    /// Time between two pictures of late, microseconds; 0 when nothing is known.
    gap_us: u32,
    /// What the bits follow; it changes by a tenth at least.
    used_us: u32,
}

impl Tempo {
    /// A picture is coded of content that changed; `fps` is the most per second. Answers how many there are, numerator and
    /// denominator.
    pub(crate) fn beat(&mut self, now_ns: u64, fps: (u32, u32)) -> (u32, u32) {
        let period =
            (u64::from(fps.1) * 1_000_000 / u64::from(fps.0.max(1))).clamp(1, u32::MAX.into()) as u32;
        let longest = period.max(LONGEST_US);
        let gap = self.last_ns.replace(now_ns).map(|last| now_ns.saturating_sub(last));
        self.gap_us = match gap.filter(|&gap| gap < PAUSE_NS) {
            None => period,
            Some(gap) => {
                let gap = u32::try_from(gap / 1000).unwrap_or(longest).clamp(period, longest);
                let known = self.gap_us.clamp(period, longest);
                // Sooner down than up: too many bits are worse than too few.
                if gap < known {
                    (known + gap) / 2
                } else {
                    (known / 8 * 7).saturating_add(gap / 8).max(known)
                }
            }
        };
        if self.used_us.abs_diff(self.gap_us) > self.used_us / 10 {
            self.used_us = self.gap_us;
        }
        if self.used_us <= period.saturating_add(period / 10) { fps } else { (1_000_000, self.used_us) }
    }

    /// What changed has come to rest.
    pub(crate) fn rest(&mut self) {
        self.last_ns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Pictures a second as they are counted, after so many that are so many ms apart.
    fn counted(tempo: &mut Tempo, now: &mut u64, pictures: u32, ms: u64) -> f64 {
        let mut fps = (0, 1);
        for _ in 0..pictures {
            *now += ms * MS;
            fps = tempo.beat(*now, (60, 1));
        }
        f64::from(fps.0) / f64::from(fps.1)
    }

    #[test]
    fn pictures_are_counted_as_they_come_down_to_twenty_a_second() {
        let (mut tempo, mut now) = (Tempo::default(), 0);
        assert_eq!(counted(&mut tempo, &mut now, 10, 16), 60.0);
        let slow = counted(&mut tempo, &mut now, 60, 33);
        assert!((30.0..33.5).contains(&slow), "{slow}");
        let slowest = counted(&mut tempo, &mut now, 60, 200);
        assert!((20.0..22.5).contains(&slowest), "{slowest}");
        assert!(counted(&mut tempo, &mut now, 3, 16) > 35.0, "more often is seen soon");
        assert_eq!(counted(&mut tempo, &mut now, 5, 16), 60.0);
    }

    #[test]
    fn after_a_pause_or_at_rest_nothing_is_known() {
        let (mut tempo, mut now) = (Tempo::default(), 0);
        counted(&mut tempo, &mut now, 60, 33);
        assert_eq!(counted(&mut tempo, &mut now, 1, 300), 60.0);
        counted(&mut tempo, &mut now, 60, 33);
        tempo.rest();
        assert_eq!(counted(&mut tempo, &mut now, 1, 33), 60.0);
    }

    #[test]
    fn a_frame_rate_below_is_kept() {
        let mut tempo = Tempo::default();
        assert!((0..20).all(|i| tempo.beat(i * 100 * MS, (10, 1)) == (10, 1)));
        assert!((0..20).all(|i| tempo.beat(i * 100 * MS, (1, 1001)) == (1, 1001)));
    }
}
