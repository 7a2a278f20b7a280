//! One stripe of the picture: a stream of its own.

use std::time::{Duration, Instant};

use crate::{
    blocks::{Area, Blocks},
    coder::{Coder, CoderError, Unit},
    picture::Picture,
    planes::{BLOCK, ConvertError, Planes},
    settings::{Rate, Settings},
};

/// Why a stripe has no packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// libx264.
    #[error(transparent)]
    Coder(#[from] CoderError),
    /// The conversion.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

/// What is known of a stripe's content at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// It is as good as it gets, or nothing was sent.
    Fine,
    /// It was sent in the quality of changing content and counts as resting from then on, nanoseconds.
    From(u64),
    /// So many pictures of its refinement are left.
    Refining(u32),
}

/// A stripe.
#[derive(Debug)]
pub(crate) struct Lane {
    top: u32,
    height: u32,
    coder: Coder,
    planes: Planes,
    blocks: Blocks,
    rest: Rest,
    /// A picture was coded; before that there is nothing to predict from.
    started: bool,
    /// Spent on converting colours and not yet told.
    converting: Duration,
}

impl Lane {
    pub(crate) fn new(settings: &Settings, top: u32, height: u32, threads: u32) -> Result<Self, LaneError> {
        Ok(Self {
            top,
            height,
            coder: Coder::new(settings, settings.rate.share(height, settings.height), height, threads)?,
            planes: Planes::new(settings.width, height, settings.full_chroma),
            blocks: Blocks::new(settings.width, height),
            rest: Rest::Fine,
            started: false,
            converting: Duration::ZERO,
        })
    }

    /// What it spent on converting colours since it was last asked.
    pub(crate) fn take_converting(&mut self) -> Duration {
        std::mem::take(&mut self.converting)
    }

    /// First row and number of rows.
    pub(crate) fn rows(&self) -> (u32, u32) {
        (self.top, self.height)
    }

    /// Notes a change of the frame.
    pub(crate) fn touch(&mut self, area: Area) {
        let end = area.y.saturating_add(area.height);
        if end > self.top && area.y < self.top + self.height {
            let y = area.y.saturating_sub(self.top);
            self.blocks.touch(Area { y, height: end - self.top - y, ..area });
        }
    }

    /// Everything changed.
    pub(crate) fn touch_all(&mut self) {
        self.blocks.touch_all();
    }

    /// Whether something changed.
    pub(crate) fn is_touched(&self) -> bool {
        !self.blocks.touched().is_empty()
    }

    /// When it wants to be refined, nanoseconds.
    pub(crate) fn refine_at(&self, now_ns: u64) -> Option<u64> {
        match self.rest {
            Rest::Fine => None,
            Rest::From(at) => Some(at),
            Rest::Refining(_) => Some(now_ns),
        }
    }

    /// Codes what changed, or everything for a `key` frame.
    pub(crate) fn encode(
        &mut self,
        picture: &Picture<'_>,
        settings: &Settings,
        key: bool,
        now_ns: u64,
    ) -> Result<Unit<'_>, LaneError> {
        let touched = self.blocks.touched();
        let rows = touched.start * BLOCK..(touched.end * BLOCK).min(self.height);
        if !rows.is_empty() {
            let began = Instant::now();
            self.planes.convert(picture, self.top, rows)?;
            self.converting += began.elapsed();
        }
        self.coder.set_rate(settings.rate.share(self.height, settings.height))?;
        self.rest = match settings.refine_crf {
            Some(_) => Rest::From(now_ns.saturating_add(settings.refine_delay_ns)),
            None => Rest::Fine,
        };
        self.code(key || !self.started)
    }

    /// Codes the content at rest in its better quality.
    pub(crate) fn refine(&mut self, settings: &Settings) -> Result<Option<Unit<'_>>, LaneError> {
        let rest = std::mem::replace(&mut self.rest, Rest::Fine);
        // Without a better quality what was sent is as good as it gets.
        let Some(crf) = settings.refine_crf else { return Ok(None) };
        let left = match rest {
            Rest::Fine => return Ok(None),
            Rest::From(_) => settings.refine_frames.max(1),
            Rest::Refining(left) => left,
        };
        if left > 1 {
            self.rest = Rest::Refining(left - 1);
        }
        self.coder.set_rate(Rate::Quality { crf })?;
        self.code(false).map(Some)
    }

    fn code(&mut self, key: bool) -> Result<Unit<'_>, LaneError> {
        let constant = (!key).then_some(self.blocks.constant());
        let unit = self.coder.encode(&self.planes, constant, key)?;
        self.blocks.settle();
        self.started = true;
        Ok(unit)
    }
}
