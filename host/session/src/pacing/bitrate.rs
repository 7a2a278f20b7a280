//! The bit rate that a path takes, in steps below the one that the settings name.

use std::time::{Duration, Instant};

/// How often the path is judged.
const ROUND: Duration = Duration::from_millis(500);
/// The path is full for so many rounds before the rate falls.
const FULL_ROUNDS: u32 = 2;
/// It is full when a frame is on the way for longer than at best by this many periods of the frame rate, or by the time
/// beside it, if that is more: then the next frame is due when it has hardly arrived …
const FULL: (f64, Duration) = (0.85, Duration::from_millis(14));
/// … and free again below this.
const FREE: (f64, Duration) = (0.7, Duration::from_millis(11));
/// One step down keeps at least and at most this share of the rate.
const STEP_DOWN: (f64, f64) = (0.5, 0.85);
/// What was measured is reached with so much to spare.
const SPARE: f64 = 0.85;
/// One step up is this part of the rate in the settings.
const STEP_UP: u32 = 20;
/// Time between two steps up.
const CLIMB: Duration = Duration::from_secs(1);
/// After a step down the rate stays for so long, …
const FIRST_REST: Duration = Duration::from_secs(4);
/// … and twice as long each time that a climb ended at once in the next step down, up to this.
const LAST_REST: Duration = Duration::from_secs(32);
/// Of what a transport estimates, pictures get this share; headers and what is sent again take the rest.
const ESTIMATE_SHARE: f64 = 0.93;
/// The least rate under an estimate, kbit/s.
const LEAST_ESTIMATED: u32 = 100;
/// An estimate that differs by less than this part of the rate changes nothing, …
const ESTIMATE_NOISE: u32 = 25;
/// … and a higher one nothing for so long after the last change: each costs the encoder a little.
const ESTIMATE_REST: Duration = Duration::from_millis(200);
/// The least rate is this part of the one in the settings, and no less than the second, kbit/s.
const LEAST: (u32, u32) = (8, 100);

/// Chooses the rate for a constant bit rate: what the settings name as long as the lead's path takes it; less, by the
/// measured share, when it does not; and more again, step by step, when nothing waits. Slow pages change nothing: fewer
/// bits would not help them.
#[derive(Debug, Clone)]
pub struct BitrateSteps {
    ceiling: u32,
    least: u32,
    target: u32,
    judged: Option<Instant>,
    full: u32,
    /// From when on the rate may rise.
    rises: Option<Instant>,
    rest: Duration,
    /// It rose after the last step down.
    climbed: bool,
}

impl BitrateSteps {
    /// Begins with the rate in the settings, kbit/s.
    #[must_use]
    pub fn new(ceiling: u32) -> Self {
        Self::between((ceiling / LEAST.0).max(LEAST.1).min(ceiling), ceiling)
    }

    /// The same with another limit below, in any unit.
    pub(super) fn between(least: u32, ceiling: u32) -> Self {
        Self {
            ceiling,
            least,
            target: ceiling,
            judged: None,
            full: 0,
            rises: None,
            rest: FIRST_REST,
            climbed: false,
        }
    }

    /// The rate to use, kbit/s.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.target
    }

    /// The rate in the settings, kbit/s.
    #[must_use]
    pub fn ceiling(&self) -> u32 {
        self.ceiling
    }

    /// Takes what the lead's transport estimates that its path carries, kbit/s; answers the rate if it is another one from now
    /// on. Used instead of [`BitrateSteps::look`] where there is such an estimate: it knows more than delays tell.
    pub fn follow(&mut self, now: Instant, estimate_kbps: u32) -> Option<u32> {
        let wanted =
            ((f64::from(estimate_kbps) * ESTIMATE_SHARE) as u32).max(LEAST_ESTIMATED).min(self.ceiling);
        let noise = self.target / ESTIMATE_NOISE;
        let rests = self.judged.is_some_and(|at| now < at + ESTIMATE_REST);
        let changes = if wanted > self.target {
            // The last step reaches the ceiling, however small it is.
            !rests && (wanted - self.target > noise || wanted == self.ceiling)
        } else {
            self.target - wanted > noise
        };
        if !changes {
            return None;
        }
        self.judged = Some(now);
        self.target = wanted;
        Some(wanted)
    }

    /// Judges the path, twice a second at most; answers the rate if it is another one from now on. `wait` is how much longer
    /// than at best frames are on the way ([`super::ClientPacer::wait`]), `period` the time between two frames at the
    /// frame rate of the settings.
    pub fn look(&mut self, now: Instant, wait: Duration, period: Duration) -> Option<u32> {
        if self.judged.is_some_and(|at| now < at + ROUND) {
            return None;
        }
        self.judged = Some(now);
        let before = self.target;
        let limit = |(periods, least): (f64, Duration)| period.mul_f64(periods).max(least);
        self.full = if wait > limit(FULL) { self.full + 1 } else { 0 };
        if self.full >= FULL_ROUNDS {
            self.full = 0;
            let share = SPARE * period.as_secs_f64() / wait.as_secs_f64();
            let share = share.clamp(STEP_DOWN.0, STEP_DOWN.1);
            self.target = ((f64::from(self.target) * share) as u32).max(self.least);
            let early = self.climbed && self.rises.is_some_and(|at| now < at + self.rest);
            self.rest = if early { (self.rest * 2).min(LAST_REST) } else { FIRST_REST };
            (self.rises, self.climbed) = (Some(now + self.rest), false);
        } else if self.full == 0
            && self.target < self.ceiling
            && wait < limit(FREE)
            && self.rises.is_none_or(|at| now >= at)
        {
            self.target = (self.target + (self.ceiling / STEP_UP).max(1)).min(self.ceiling);
            (self.rises, self.climbed) = (Some(now + CLIMB), true);
        }
        (self.target != before).then_some(self.target)
    }
}
