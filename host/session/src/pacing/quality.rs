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
        }
    }

    /// The quantiser to use.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.target
    }

    /// The quantiser in the settings.
    #[must_use]
    pub fn finest(&self) -> u32 {
        self.finest
    }

    /// Judges the path; answers the quantiser if it is another one from now on. `wait` and `period` as in
    /// [`BitrateSteps::look`].
    pub fn look(&mut self, now: Instant, wait: Duration, period: Duration) -> Option<u32> {
        // Once it is coarser, enough so that every frame fits.
        let kept = if self.share.target() < WHOLE { period } else { (period * 2).max(ENOUGH) };
        let share = self.share.look(now, wait, kept)?;
        let coarser = (HALF * (f64::from(WHOLE) / f64::from(share)).log2()).round() as u32;
        let target = (self.finest + coarser).min(self.coarsest);
        (std::mem::replace(&mut self.target, target) != target).then_some(target)
    }
}
