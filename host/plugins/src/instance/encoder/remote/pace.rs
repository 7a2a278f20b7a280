//! How long a frame may take before its child counts as hung.

use std::time::Duration;

use crate::{child::Deadlines, instance::EncoderSettings};

/// How long frames took since the encoder got its settings.
#[derive(Default)]
pub(super) struct Pace {
    /// Moving average; `None` before the first frame. Not the longest: one frame that a busy machine held up must not make
    /// the host wait longer for a hang.
    usual: Option<Duration>,
}

impl Pace {
    /// A frame took that long.
    pub(super) fn note(&mut self, took: Duration, deadlines: &Deadlines) {
        // The first one may have compiled kernels, which tells nothing of the others.
        let first = took.min(deadlines.frame);
        // Nor may one tell that was never in time.
        let took = took.min(deadlines.first_frame);
        self.usual = Some(self.usual.map_or(first, |usual| (usual * 3 + took) / 4));
    }

    /// How long the next frame may take, where three take `period`.
    pub(super) fn allowance(&self, period: Duration, deadlines: &Deadlines) -> Duration {
        let Deadlines { first_frame, frame, start_up, .. } = *deadlines;
        // Who asks for a frame in a minute waits for a hang as long as others do.
        let period = period.min(start_up);
        match self.usual {
            None => first_frame.max(period),
            Some(usual) => frame.max(period).max((usual * 4).min(first_frame)),
        }
    }
}

/// The time of three frames.
pub(super) fn period(settings: &EncoderSettings) -> Duration {
    let (numerator, denominator) = settings.fps;
    Duration::from_secs(3) * denominator / numerator.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_frame_never_gets_more_time_than_the_first() {
        let deadlines =
            Deadlines { start_up: ms(5000), call: ms(2000), first_frame: ms(1000), frame: ms(150) };
        let mut pace = Pace::default();
        assert_eq!(pace.allowance(ms(50), &deadlines), ms(1000));
        // Kernels were compiled.
        pace.note(ms(900), &deadlines);
        assert_eq!(pace.allowance(ms(50), &deadlines), ms(600));
        (0..50).for_each(|_| pace.note(ms(10), &deadlines));
        assert_eq!(pace.allowance(ms(50), &deadlines), ms(150));
        assert_eq!(pace.allowance(ms(300), &deadlines), ms(300));
        (0..50).for_each(|_| pace.note(ms(60_000), &deadlines));
        assert_eq!(pace.allowance(ms(50), &deadlines), ms(1000));
        assert_eq!(pace.allowance(Duration::MAX, &deadlines), ms(5000));
    }
}
