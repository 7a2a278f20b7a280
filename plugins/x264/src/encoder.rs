//! The encoder: frames and damage in, access units out.

use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use thiserror::Error;

use crate::{
    blocks::Area,
    lane::{Lane, LaneError, Turn, Work},
    layout::Layout,
    picture::Picture,
    planes::BLOCK,
    scroll::Scroll,
    settings::{MAX_BLOCKS, Rate, Settings},
};

/// One access unit of one stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// Annex B.
    pub bytes: &'a [u8],
    /// First row.
    pub top: u32,
    /// Rows.
    pub rows: u32,
    /// Decoding may start here.
    pub key: bool,
    /// It repeats content at a higher quality.
    pub refinement: bool,
    /// The frame that it is predicted from, where that is not the one before.
    pub reference: Option<u64>,
}

/// What a frame is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What changed, and in better quality a part of what came to rest beside it.
    Changes,
    /// Everything, to start with.
    Keyframe,
    /// Nothing changed; what came to rest is repeated in better quality.
    Refine,
}

/// Why there is no frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError<E> {
    /// The picture has another size than the encoder.
    #[error("x264-size: a picture of {found:?} for an encoder of {wanted:?}; configure it first")]
    Size {
        /// Width and height of the picture.
        found: (u32, u32),
        /// Width and height of the encoder.
        wanted: (u32, u32),
    },
    /// The codec.
    #[error(transparent)]
    Lane(LaneError),
    /// The output took no packet.
    #[error("x264-output: the packet has no place; submit the next frame later")]
    Output(E),
}

/// Why there is no encoder.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The codec.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// No threads.
    #[error("x264-threads: the system gives no threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// An encoder for frames of one size.
#[derive(Debug)]
pub struct Encoder {
    settings: Settings,
    /// The stripes; one for the whole picture unless it is striped.
    stripes: Vec<Lane>,
    /// A striped picture in one piece, from the first time that everything moved.
    whole: Option<Lane>,
    layout: Layout,
    scroll: Scroll,
    /// For several stripes.
    pool: Option<ThreadPool>,
    converting: Option<Duration>,
    /// The next frame.
    turn: Turn,
}

impl Encoder {
    /// Makes an encoder.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn new(settings: Settings) -> Result<Self, CreateError> {
        let height = settings.height;
        let stripe_height = settings.stripe_height.max(BLOCK).next_multiple_of(BLOCK);
        let tops: Vec<u32> = (0..height).step_by(stripe_height as usize).collect();
        let threads = if tops.len() > 1 { 1 } else { settings.threads };
        let lane = |&top: &u32| Lane::new(&settings, top, stripe_height.min(height - top), threads);
        let stripes = tops.iter().map(lane).collect::<Result<Vec<_>, _>>()?;
        let pool = if stripes.len() > 1 && settings.threads > 1 {
            Some(ThreadPoolBuilder::new().num_threads(settings.threads as usize).build()?)
        } else {
            None
        };
        Ok(Self {
            settings,
            stripes,
            whole: None,
            layout: Layout::default(),
            scroll: Scroll::new(height),
            pool,
            converting: None,
            turn: Turn::default(),
        })
    }

    /// Whether the picture has stripes, and may also be coded in one piece.
    fn may_step(&self) -> bool {
        let blocks = self.settings.width.div_ceil(BLOCK) * self.settings.height.div_ceil(BLOCK);
        self.stripes.len() > 1 && blocks <= MAX_BLOCKS
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How much longer the last submit took because colours were converted: the threads' time by their number; `None` when
    /// none were.
    #[must_use]
    pub fn converting(&self) -> Option<Duration> {
        self.converting
    }

    /// Takes over what may change between frames; false when a new encoder is needed.
    pub fn adopt(&mut self, settings: &Settings) -> bool {
        let same_control =
            std::mem::discriminant(&settings.rate) == std::mem::discriminant(&self.settings.rate);
        let adopted = Settings {
            rate: settings.rate,
            refine_crf: settings.refine_crf,
            refine_delay_ns: settings.refine_delay_ns,
            ignore_damage: settings.ignore_damage,
            fps: settings.fps,
            ..self.settings.clone()
        };
        // libx264 changes the target of a variable bit rate only where it began as a constant one.
        let variable = matches!(self.settings.rate, Rate::Bits { kbps, max_kbps, .. } if max_kbps > kbps);
        let counted = |settings: &Settings| (settings.rate, settings.fps);
        let stuck = variable && counted(settings) != counted(&self.settings);
        // Nor another least quantiser, which that of content at rest is for a bit rate.
        let limited = matches!(self.settings.rate, Rate::Bits { .. })
            && self.settings.refine_crf != settings.refine_crf;
        let fits = same_control && adopted == *settings && !stuck && !limited;
        if fits {
            let quality = |settings: &Settings| (settings.rate.crf(), settings.refine_crf);
            if quality(&adopted) != quality(&self.settings) {
                self.stripes.iter_mut().chain(&mut self.whole).for_each(Lane::renew);
            }
            self.settings = adopted;
        }
        fits
    }

    /// Names the next frame; without that, frames count up. Whoever missed frames after `known` is to be able to go on with
    /// it, if that one is not too long ago: then the units say what they are predicted from.
    pub fn begin(&mut self, frame_id: u64, known: Option<u64>) {
        self.turn = Turn { frame_id, known, now_ns: 0 };
    }

    /// Encodes a frame. `damage` is what changed since the submit before; `None` when that is unknown.
    /// Units go to `output` from any thread, in no order.
    ///
    /// # Errors
    /// [`EncodeError`]; the next frame must then be a key frame.
    pub fn submit<E: Send>(
        &mut self,
        picture: &Picture<'_>,
        damage: Option<&[Area]>,
        order: Order,
        now_ns: u64,
        output: impl Fn(Unit<'_>) -> Result<(), E> + Sync,
    ) -> Result<Option<u64>, EncodeError<E>> {
        let wanted = (self.settings.width, self.settings.height);
        if picture.size() != wanted {
            return Err(EncodeError::Size { found: picture.size(), wanted });
        }
        // The step needs a picture to code: what did not change is not looked at.
        let rest = order == Order::Refine;
        let step = self.may_step() && self.layout.step(rest, now_ns);
        let lanes = if self.layout.is_whole() {
            std::slice::from_mut(whole(&mut self.whole, &self.settings)?)
        } else {
            &mut self.stripes[..]
        };
        let key = step || order == Order::Keyframe;
        let scrolled = if rest { None } else { self.scroll.note(picture, damage) };
        let moving = self.layout.is_moving() && scrolled.is_none();
        let all = damage.is_none() || key || self.settings.ignore_damage;
        if !rest || step {
            for lane in &mut *lanes {
                match damage {
                    Some(areas) if !all => areas.iter().for_each(|&area| lane.touch(area)),
                    _ => lane.touch_all(),
                }
            }
        }
        let settings = &self.settings;
        let turn = Turn { now_ns, ..self.turn };
        self.turn = Turn { frame_id: turn.frame_id + 1, ..Turn::default() };
        let run = |(lane, refinement): (&mut Lane, bool)| -> Result<u32, EncodeError<E>> {
            let (top, rows) = lane.rows();
            let coded = if refinement {
                lane.refine(settings, turn).map(|unit| (unit, 0))
            } else {
                lane.encode(picture, settings, Work { key, rest, scrolled, moving }, turn)
            };
            let (unit, changed) = coded.map_err(EncodeError::Lane)?;
            if let Some(unit) = unit {
                let (bytes, key, reference) = (unit.bytes, unit.key, unit.reference);
                output(Unit { bytes, top, rows, key, refinement, reference }).map_err(EncodeError::Output)?;
            }
            Ok(changed)
        };
        // Beside changes, one stripe that came to rest at a time: what moves must not wait for all of them.
        let mut spare = if rest { usize::MAX } else { 1 };
        let mut jobs: Vec<(&mut Lane, bool)> = Vec::with_capacity(lanes.len());
        for lane in &mut *lanes {
            let lacks = turn.known.is_some_and(|known| lane.is_past(known));
            if lane.is_touched() || lacks {
                jobs.push((lane, false));
            } else if spare > 0 && lane.refine_at().is_some_and(|at| at <= now_ns) {
                spare -= 1;
                jobs.push((lane, true));
            }
        }
        let threads = self.pool.as_ref().map_or(1, |pool| pool.current_num_threads().min(jobs.len()).max(1));
        let changed: u32 = match &self.pool {
            Some(pool) if jobs.len() > 1 => {
                pool.install(|| jobs.into_par_iter().map(run).try_reduce(|| 0, |one, other| Ok(one + other)))?
            }
            _ => {
                jobs.into_iter().map(run).try_fold(0, |sum, changed| changed.map(|changed| sum + changed))?
            }
        };
        if !rest && !key {
            self.layout.note(changed, lanes.iter().map(Lane::blocks).sum(), now_ns);
        }
        let converting: Duration = lanes.iter_mut().map(Lane::take_converting).sum();
        self.converting = (!converting.is_zero()).then(|| converting / threads as u32);
        Ok(lanes.iter().filter_map(Lane::refine_at).min())
    }
}

/// The picture in one piece.
fn whole<'a, E>(lane: &'a mut Option<Lane>, settings: &Settings) -> Result<&'a mut Lane, EncodeError<E>> {
    let made = match lane.take() {
        Some(lane) => lane,
        None => Lane::new(settings, 0, settings.height, settings.threads).map_err(EncodeError::Lane)?,
    };
    Ok(lane.insert(made))
}
