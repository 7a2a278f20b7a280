//! One stripe of the picture: a stream of its own.

use std::time::{Duration, Instant};

use crate::{
    blocks::{Area, Blocks},
    coder::{Coder, CoderError, Unit},
    picture::Picture,
    planes::{ConvertError, Planes},
    quantiser::Quantiser,
    settings::{Rate, Settings},
};

/// So few changed macroblocks (a letter, a cursor) get the quality of content at rest at once: that costs less than a
/// picture of their own later.
const FEW: u32 = 64;

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

/// Which frame is coded, when and for whom.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) frame_id: u64,
    /// A frame that those have who missed the newest; it is to be predicted from that or an older one.
    pub(crate) known: Option<u64>,
    pub(crate) now_ns: u64,
}

/// How one picture is coded.
#[derive(Clone, Copy, Debug)]
struct Way {
    key: bool,
    /// The frame that it is predicted from, if not the one before.
    reference: Option<u64>,
    frame_id: u64,
}

/// What is asked of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Everything, to start with.
    pub(crate) key: bool,
    /// Nothing moves any more: it gets the quality for that.
    pub(crate) rest: bool,
    /// So many rows the content moved up or down.
    pub(crate) scrolled: Option<u32>,
}

/// A stripe.
#[derive(Debug)]
pub(crate) struct Lane {
    top: u32,
    height: u32,
    coder: Coder,
    planes: Planes,
    blocks: Blocks,
    quantiser: Quantiser,
    /// When what was sent in the quality of changing content counts as resting, nanoseconds; none if there is nothing
    /// better to send.
    rest_at: Option<u64>,
    /// A picture was coded; before that there is nothing to predict from.
    started: bool,
    /// The quality changed: it is coded again, whatever changed.
    stale: bool,
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
            quantiser: Quantiser::default(),
            rest_at: None,
            started: false,
            stale: false,
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

    /// Whether somebody who has the frame `known` lacks something of it.
    pub(crate) fn is_past(&self, known: u64) -> bool {
        self.coder.is_past(known)
    }

    /// What it shows is to be coded again in a new quality.
    pub(crate) fn renew(&mut self) {
        self.stale = true;
    }

    /// When it wants to be refined, nanoseconds.
    pub(crate) fn refine_at(&self) -> Option<u64> {
        self.rest_at
    }

    /// Its macroblocks.
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks.count()
    }

    /// Codes what changed, or everything for a `key` frame, and tells how many macroblocks changed; nothing where
    /// damage repeats what is there, unless every frame is to be sent, or somebody who is to go on from the frame that
    /// `turn` names lacks it.
    pub(crate) fn encode(
        &mut self,
        picture: &Picture<'_>,
        settings: &Settings,
        work: Work,
        turn: Turn,
    ) -> Result<(Option<Unit<'_>>, u32), LaneError> {
        let began = Instant::now();
        let mut changed = 0;
        for row in self.blocks.touched() {
            if let Some((column, constant)) = self.blocks.changed(row) {
                changed += self.planes.convert(picture, self.top, (row, column), constant)?;
            }
        }
        self.converting += began.elapsed();
        let key = work.key || !self.started;
        let reference = turn.known.filter(|_| !key).and_then(|known| self.coder.rewind(known));
        if changed == 0 && !key && !settings.ignore_damage && !self.stale && reference.is_none() {
            self.blocks.settle();
            return Ok((None, 0));
        }
        let share = settings.rate.share(self.height, settings.height);
        self.coder.set_rate(share.paced(settings.fps, self.coder.fps()))?;
        self.coder.set_search(work.scrolled.filter(|_| !key))?;
        let way = Way { key, reference, frame_id: turn.frame_id };
        let little = !key && changed <= FEW && self.rest_at.is_none();
        let quality = match (share, settings.refine_crf) {
            (Rate::Bits { .. }, _) => None,
            (Rate::Quality { .. }, Some(fine)) if work.rest || little => {
                self.rest_at = None;
                Some((fine, settings.clip(fine)))
            }
            (Rate::Quality { crf }, fine) => {
                self.rest_at = fine.map(|_| turn.now_ns.saturating_add(settings.refine_delay_ns));
                Some((crf, settings.clip(self.quantiser.next(crf, key))))
            }
        };
        self.code(quality, way).map(|unit| (Some(unit), changed))
    }

    /// Codes the content at rest in its better quality.
    pub(crate) fn refine(&mut self, settings: &Settings, turn: Turn) -> Result<Option<Unit<'_>>, LaneError> {
        let way = Way { key: false, reference: None, frame_id: turn.frame_id };
        // Without a better quality what was sent is as good as it gets.
        match (self.rest_at.take(), settings.refine_crf) {
            (Some(_), Some(fine)) => self.code(Some((fine, settings.clip(fine))), way).map(Some),
            _ => Ok(None),
        }
    }

    /// Codes a picture; for a constant quality, with that and the quantiser.
    fn code(&mut self, quality: Option<(u32, u32)>, way: Way) -> Result<Unit<'_>, LaneError> {
        // What is known to be as before is not as in an older picture.
        let constant = (!way.key && way.reference.is_none()).then_some(self.blocks.constant());
        let qp = quality.map(|(_, qp)| qp);
        let unit = self.coder.encode(&self.planes, constant, qp, way.key, way.frame_id)?;
        self.blocks.settle();
        (self.started, self.stale) = (true, false);
        // Bytes for what others missed say nothing of the content.
        if let Some((crf, qp)) = quality.filter(|_| !unit.key && way.reference.is_none()) {
            self.quantiser.note(unit.bytes.len(), self.blocks.count(), crf, qp);
        }
        Ok(Unit { reference: way.reference.filter(|_| !unit.key), ..unit })
    }
}
