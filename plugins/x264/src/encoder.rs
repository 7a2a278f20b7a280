//! The encoder: frames and damage in, access units out.

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use thiserror::Error;

use crate::{
    blocks::Area,
    lane::{Lane, LaneError},
    picture::Picture,
    planes::BLOCK,
    settings::Settings,
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
}

/// What a frame is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What changed.
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
    lanes: Vec<Lane>,
    /// For several stripes.
    pool: Option<ThreadPool>,
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
        let lanes = tops.iter().map(lane).collect::<Result<Vec<_>, _>>()?;
        let pool = if lanes.len() > 1 && settings.threads > 1 {
            Some(ThreadPoolBuilder::new().num_threads(settings.threads as usize).build()?)
        } else {
            None
        };
        Ok(Self { settings, lanes, pool })
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes over what may change between frames; false when a new encoder is needed.
    pub fn adopt(&mut self, settings: &Settings) -> bool {
        let keep = |other: &Settings| Settings {
            rate: other.rate,
            refine_crf: other.refine_crf,
            refine_frames: other.refine_frames,
            refine_delay_ns: other.refine_delay_ns,
            ignore_damage: other.ignore_damage,
            // libx264's rate control counts frames; a lower rate of changes is nothing that it must know.
            fps: other.fps,
            ..self.settings.clone()
        };
        let adopted = keep(settings);
        let fits = adopted == *settings;
        if fits {
            self.settings = adopted;
        }
        fits
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
        let all = damage.is_none() || order == Order::Keyframe || self.settings.ignore_damage;
        if order != Order::Refine {
            for lane in &mut self.lanes {
                match damage {
                    Some(areas) if !all => areas.iter().for_each(|&area| lane.touch(area)),
                    _ => lane.touch_all(),
                }
            }
        }
        let settings = &self.settings;
        let run = |lane: &mut Lane| -> Result<(), EncodeError<E>> {
            let (top, rows) = lane.rows();
            let refinement = order == Order::Refine;
            let unit = if refinement {
                let due = lane.refine_at(now_ns).is_some_and(|at| at <= now_ns);
                if due { lane.refine(settings) } else { Ok(None) }
            } else if lane.is_touched() {
                lane.encode(picture, settings, order == Order::Keyframe, now_ns).map(Some)
            } else {
                Ok(None)
            };
            let Some(unit) = unit.map_err(EncodeError::Lane)? else { return Ok(()) };
            output(Unit { bytes: unit.bytes, top, rows, key: unit.key, refinement })
                .map_err(EncodeError::Output)
        };
        match &self.pool {
            Some(pool) if self.lanes.iter().filter(|lane| lane.is_touched()).count() > 1 => {
                let lanes = &mut self.lanes;
                pool.install(|| lanes.par_iter_mut().try_for_each(run))?;
            }
            _ => self.lanes.iter_mut().try_for_each(run)?,
        }
        Ok(self.lanes.iter().filter_map(|lane| lane.refine_at(now_ns)).min())
    }
}
