//! One stripe of the picture: a stream of its own.

use std::time::{Duration, Instant};

use crate::{
    blocks::{Area, Blocks},
    coder::{Coder, CoderError, Unit},
    picture::Picture,
    planes::{ConvertError, Planes},
    polish::{self, Polish},
    quantiser::Quantiser,
    settings::{Rate, Settings},
    tempo::Tempo,
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
    /// What it is a part of that makes content at rest finer, with its bits.
    polish: Option<(Polish, u64)>,
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
    /// Everything has been moving for a while.
    pub(crate) moving: bool,
}

/// What was sent coarser than it is to be at rest.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// When it counts as resting, nanoseconds.
    at_ns: u64,
    /// Coarsest quantiser.
    qp: u32,
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
    rest: Option<Rest>,
    polish: Option<Polish>,
    tempo: Tempo,
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
            rest: None,
            polish: None,
            tempo: Tempo::default(),
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
        self.rest.map(|rest| rest.at_ns).or(self.polish.map(|polish| polish.at_ns))
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
        let news = changed > 0 || key || self.stale;
        if news || reference.is_none() {
            let fps = self.tempo.beat(turn.now_ns, settings.fps);
            self.coder.set_rate(share.paced(fps, self.coder.fps()))?;
        }
        self.coder.set_search(work.scrolled.filter(|_| !key))?;
        let way = Way { key, reference, frame_id: turn.frame_id, polish: None };
        let little = !key && changed <= FEW;
        let Rate::Quality { crf } = share else {
            let at_ns =
                turn.now_ns.saturating_add(if news { settings.refine_delay_ns } else { polish::APART_NS });
            let blocks = self.blocks.count();
            let polish = match self.polish {
                // What is coded for those who missed something may be coarser than what was there.
                Some(before) if !news => before.resume(at_ns, false),
                Some(before) if little && !self.stale => before.resume(at_ns, true),
                None if little && news && !self.stale => Polish::briefly(at_ns, blocks),
                _ => Polish::begin(at_ns, blocks),
            };
            if news || reference.is_some() {
                self.polish = settings.refine_crf.map(|_| polish);
            }
            return self.code(None, None, way).map(|unit| (Some(unit), changed));
        };
        let fine = settings.fine(crf);
        let due = self.rest.is_none_or(|rest| rest.at_ns <= turn.now_ns);
        if work.rest || little && due {
            self.rest = None;
            return self.code(Some(fine), None, way).map(|unit| (Some(unit), changed));
        }
        let qp = settings.clip(self.quantiser.next(crf, key, work.moving));
        let coarsest = qp.max(self.rest.map_or(0, |rest| rest.qp));
        self.rest = match self.rest {
            // What rests beside it is not to wait for ever.
            Some(rest) if little => Some(Rest { qp: coarsest, ..rest }),
            // What did not change and was coarser is coded again, too.
            _ if qp > fine => Some(Rest { at_ns: turn.now_ns.saturating_add(settings.refine_delay_ns), qp }),
            _ => None,
        };
        self.code(Some(qp), Some(crf), way).map(|unit| (Some(unit), changed))
    }

    /// Codes the content at rest in its better quality.
    pub(crate) fn refine(&mut self, settings: &Settings, turn: Turn) -> Result<Option<Unit<'_>>, LaneError> {
        let way = Way { key: false, reference: None, frame_id: turn.frame_id, polish: None };
        self.coder.set_search(None)?;
        let Rate::Quality { crf } = settings.rate else {
            let Some(polish) = self.polish.take() else { return Ok(None) };
            let share = settings.rate.share(self.height, settings.height);
            self.tempo.rest();
            // At a frame rate below, each has the bits of one frame.
            let period_ns = u64::from(settings.fps.1) * 1_000_000_000 / u64::from(settings.fps.0.max(1));
            let apart_ns = period_ns.max(polish::APART_NS);
            let fps = (1_000_000, u32::try_from(apart_ns / 1000).unwrap_or(u32::MAX));
            self.coder.set_rate(share.paced(fps, self.coder.fps()))?;
            let next = polish.at(turn.now_ns.saturating_add(apart_ns));
            let budget = u64::from(share.kbps()) * apart_ns / 1_000_000;
            return self.code(None, None, Way { polish: Some((next, budget)), ..way }).map(Some);
        };
        let fine = settings.fine(crf);
        // Otherwise, what was sent is as good as it gets.
        match self.rest.take() {
            Some(rest) if rest.qp > fine => self.code(Some(fine), None, way).map(Some),
            _ => Ok(None),
        }
    }

    /// Codes a picture; for a constant quality with that quantiser. A picture in the quality `crf` of changing content says
    /// how busy that is.
    fn code(&mut self, qp: Option<u32>, crf: Option<u32>, way: Way) -> Result<Unit<'_>, LaneError> {
        // What is known to be as before is not as in an older picture.
        let constant = (!way.key && way.reference.is_none()).then_some(self.blocks.constant());
        let unit = self.coder.encode(&self.planes, constant, qp, way.key, way.frame_id)?;
        self.blocks.settle();
        (self.started, self.stale) = (true, false);
        if let Some((polish, budget)) = way.polish {
            self.polish = polish.after(unit.bytes.len() as u64, self.blocks.count(), budget);
        }
        // Bytes for what others missed say nothing of the content.
        if let (Some(crf), Some(qp), false, None) = (crf, qp, unit.key, way.reference) {
            self.quantiser.note(unit.bytes.len(), self.blocks.count(), crf, qp);
        }
        Ok(Unit { reference: way.reference.filter(|_| !unit.key), ..unit })
    }
}
