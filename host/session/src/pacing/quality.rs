//! The quality of changing content where it is constant, as the lead's path takes it.

use std::time::{Duration, Instant};

use super::bitrate::BitrateSteps;

/// Most steps of the quantiser by which it is coarser than in the settings …
const MOST: u32 = 8;
/// … of which so many halve the bytes, roughly.
const HALF: f64 = 6.0;
/// All bytes.
const WHOLE: u32 = 1000;
/// What is left of them after [`MOST`] steps.
const LEAST: u32 = 397;
/// The frame rate gives way first: to half of it, and up to this time between two frames in any case.
const ENOUGH: Duration = Duration::from_millis(33);
/// Where a transport estimates what its path takes, so long are bytes counted before they are compared with it.
const COUNTED: Duration = Duration::from_millis(500);
/// Of what a transport estimates, pictures may take this share.
const ESTIMATE_SHARE: f64 = 0.9;
/// It becomes finer only where this share more would fit …
const SPARE: f64 = 1.25;
/// … for so long.
const SPARE_FOR: Duration = Duration::from_secs(2);

/// Chooses the quantiser for a constant quality: that of the settings as long as the lead's path takes half the frames at it;
/// up to eight steps more when it does not, until the path takes all of them; and fewer again when there is room.
///
/// Only for encoders that refine what rests: there, only what moves is coarser. Slow pages change nothing.
#[derive(Debug, Clone)]
pub struct QualitySteps {
    finest: u32,
    coarsest: u32,
    target: u32,
    /// The share of the bytes that the settings' quantiser would need.
    share: BitrateSteps,
    counted: Counted,
}

/// What pictures took.
#[derive(Debug, Clone, Default)]
struct Counted {
    since: Option<Instant>,
    bytes: u64,
    /// The last time, that was more than fits.
    over: bool,
    /// Since when more would fit.
    spare: Option<Instant>,
}

impl QualitySteps {
    /// Begins with the quantiser in the settings; `worst` is the encoder's coarsest.
    #[must_use]
    pub fn new(quantiser: u32, worst: u32) -> Self {
        Self {
            finest: quantiser,
            coarsest: quantiser.saturating_add(MOST).min(worst).max(quantiser),
            target: quantiser,
            share: BitrateSteps::between(LEAST, WHOLE),
            counted: Counted::default(),
        }
    }

    /// The quantiser in use.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.target
    }

    /// The quantiser in the settings.
    #[must_use]
    pub fn finest(&self) -> u32 {
        self.finest
    }

    /// A picture took so many bytes.
    pub fn spends(&mut self, bytes: u64) {
        self.counted.bytes = self.counted.bytes.saturating_add(bytes);
    }

    /// The encoder uses this quantiser now.
    pub fn takes(&mut self, quantiser: u32) {
        self.target = quantiser;
    }

    /// Judges the path; answers the quantiser to use where that is another one, until [`QualitySteps::takes`] says that it is
    /// used. `wait` and `period` as in [`BitrateSteps::look`].
    pub fn look(&mut self, now: Instant, wait: Duration, period: Duration) -> Option<u32> {
        // Once it is coarser, enough so that every frame fits.
        let kept = if self.share.target() < WHOLE { period } else { (period * 2).max(ENOUGH) };
        self.share.look(now, wait, kept);
        let coarser = (HALF * (f64::from(WHOLE) / f64::from(self.share.target())).log2()).round() as u32;
        let target = (self.finest + coarser).min(self.coarsest);
        (self.target != target).then_some(target)
    }

    /// As [`QualitySteps::look`], for a lead whose transport estimates what its path takes, kbit/s: such a path has no queue that
    /// tells when it is full, because what it does not take is dropped. What pictures took ([`QualitySteps::spends`]) is
    /// compared with that.
    pub fn follow(&mut self, now: Instant, estimate_kbps: u32) -> Option<u32> {
        let since = *self.counted.since.get_or_insert(now);
        let time = now.saturating_duration_since(since);
        if time < COUNTED {
            return None;
        }
        let bytes = std::mem::take(&mut self.counted.bytes);
        self.counted.since = Some(now);
        let took = bytes as f64 * 8.0 / time.as_secs_f64();
        let takes = f64::from(estimate_kbps) * 1000.0 * ESTIMATE_SHARE;
        // How many steps the bytes are away from what fits, up or down.
        let steps = |share: f64| HALF * share.log2();
        // Once may be a key frame.
        let over = std::mem::replace(&mut self.counted.over, took > takes);
        if took > takes {
            self.counted.spare = None;
            if !over {
                return None;
            }
            let target = (self.target + steps(took / takes.max(1.0)).ceil() as u32).min(self.coarsest);
            return (target != self.target).then_some(target);
        }
        if self.target == self.finest || took * SPARE > takes {
            self.counted.spare = None;
            return None;
        }
        if now.saturating_duration_since(*self.counted.spare.get_or_insert(now)) < SPARE_FOR {
            return None;
        }
        self.counted.spare = None;
        let finer = steps(takes / took.max(1.0)).floor().max(1.0) as u32;
        Some(self.target.saturating_sub(finer).max(self.finest))
    }
}
