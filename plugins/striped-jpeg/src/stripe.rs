//! One stripe of the frame: what the viewer has of it, and how it is brought up to date.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    coder::{self, Coder},
    output::{Output, StripePacket, SubmitError},
    picture::Picture,
    rows::RowHashes,
    settings::{BAND_ROWS, Chroma, Settings},
};

/// What all stripes of one submit share.
#[derive(Debug)]
pub(crate) struct Task<'a, O> {
    pub(crate) picture: &'a Picture<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) output: &'a O,
    pub(crate) now_ns: u64,
    /// The packets together are a keyframe.
    pub(crate) keyframe: bool,
}

/// What a stripe is to do in one submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Encode all of it, whatever changed.
    pub(crate) all: bool,
    /// Repeat what came to rest.
    pub(crate) refine: bool,
}

/// What a stripe did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) packets: u32,
    pub(crate) bytes: u64,
}

/// A stripe. Its bands carry the state, because changes seldom fill a stripe.
#[derive(Debug)]
pub(crate) struct Stripe {
    top: u32,
    rows: u32,
    hashes: RowHashes,
    bands: Vec<Band>,
    /// Bytes that a row took lately, at both qualities, to guess the size of slabs.
    bytes_per_row: [usize; 2],
}

#[derive(Clone, Debug)]
struct Band {
    /// Rows of the stripe that damage touched in this frame.
    touched: Range<u32>,
    /// The viewer lacks what the frame shows.
    stale: bool,
    /// The packet that the viewer has here.
    shown: Option<Shown>,
    /// Quality of that packet; meaningless without one.
    quality: u8,
    /// Colour resolution of that packet; meaningless without one.
    chroma: Chroma,
    /// When the content counts as resting, if nothing changes.
    rests_at_ns: u64,
}

/// Which packet a viewer has. Two with the same name show the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// First band.
    band: usize,
    bands: usize,
    /// Of the JPEG file.
    hash: u64,
}

impl Stripe {
    pub(crate) fn new(top: u32, rows: u32) -> Self {
        let band = Band {
            touched: 0..0,
            stale: true,
            shown: None,
            quality: 0,
            chroma: Chroma::Half,
            rests_at_ns: 0,
        };
        Self {
            top,
            rows,
            hashes: RowHashes::new(top, rows),
            bands: vec![band; rows.div_ceil(BAND_ROWS) as usize],
            bytes_per_row: [0; 2],
        }
    }

    /// Notes that damage touched the rows `first..end` of the frame, which need not lie in the stripe.
    pub(crate) fn touch(&mut self, first: u32, end: u32) {
        let first = first.saturating_sub(self.top);
        let end = end.saturating_sub(self.top).min(self.rows);
        if first >= end {
            return;
        }
        for band in first / BAND_ROWS..end.div_ceil(BAND_ROWS) {
            let limits = rows_of(band as usize..band as usize + 1, self.rows);
            let touched = &mut self.bands[band as usize].touched;
            let (start, end) = (first.max(limits.start), end.min(limits.end));
            let first_touch = touched.start >= touched.end;
            *touched = if first_touch { start..end } else { start.min(touched.start)..end.max(touched.end) };
        }
    }

    /// Rows that wait to be looked at or sent, in whole bands.
    pub(crate) fn waiting_rows(&self) -> u32 {
        let waits = |band: &&Band| band.stale || band.touched.start < band.touched.end;
        self.bands.iter().filter(waits).count() as u32 * BAND_ROWS
    }

    /// Rows of the stripe.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// When the first of its bands that could be better comes to rest.
    pub(crate) fn rests_at_ns(&self, settings: &Settings) -> Option<u64> {
        self.bands.iter().filter(|band| band.improves(settings)).map(|band| band.rests_at_ns).min()
    }

    /// Brings the viewer up to date as far as `request` goes.
    pub(crate) fn encode<O: Output>(
        &mut self,
        task: &Task<'_, O>,
        request: Request,
        coder: &mut Coder,
    ) -> Result<Tally, SubmitError<O::Error>> {
        let mut tally = Tally::default();
        self.notice_changes(task.picture, request.all);
        let whole = task.settings.whole_stripes || request.all;
        self.for_each_run(
            whole,
            |band| band.stale,
            |stripe, bands| {
                stripe.send(task, coder, bands, Purpose::Change { keep: request.all }, &mut tally)
            },
        )?;
        if request.refine {
            let due =
                |band: &Band| !band.stale && band.improves(task.settings) && band.rests_at_ns <= task.now_ns;
            self.for_each_run(whole, due, |stripe, bands| {
                stripe.send(task, coder, bands, Purpose::Refinement, &mut tally)
            })?;
        }
        Ok(tally)
    }

    /// Turns touched rows into stale bands.
    fn notice_changes(&mut self, picture: &Picture<'_>, all: bool) {
        for (index, band) in self.bands.iter_mut().enumerate() {
            let touched = std::mem::take(&mut band.touched);
            if band.stale || all {
                // It is sent anyway; what its rows look like is open from here.
                self.hashes.forget(touched);
                band.stale = true;
            } else if !touched.is_empty() {
                band.stale = self.hashes.differ(picture, index, touched);
            }
        }
    }

    /// Calls `send` for each longest run of bands that are `wanted`; with `whole` once for all bands if any is.
    fn for_each_run<E>(
        &mut self,
        whole: bool,
        wanted: impl Fn(&Band) -> bool,
        mut send: impl FnMut(&mut Self, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        if whole {
            return if self.bands.iter().any(wanted) { send(self, 0..self.bands.len()) } else { Ok(()) };
        }
        let mut start = 0;
        while let Some(skip) = self.bands[start..].iter().position(&wanted) {
            start += skip;
            let len = self.bands[start..].iter().take_while(|band| wanted(band)).count();
            send(self, start..start + len)?;
            start += len;
        }
        Ok(())
    }

    fn send<O: Output>(
        &mut self,
        task: &Task<'_, O>,
        coder: &mut Coder,
        bands: Range<usize>,
        purpose: Purpose,
        tally: &mut Tally,
    ) -> Result<(), SubmitError<O::Error>> {
        let rows = rows_of(bands.clone(), self.rows);
        let (top, height) = (self.top + rows.start, rows.end - rows.start);
        let refinement = purpose == Purpose::Refinement;
        let settings = task.settings;
        let (quality, chroma) = if refinement {
            (settings.refine_quality, settings.refine_chroma)
        } else {
            (settings.quality, settings.chroma)
        };

        let recent = &mut self.bytes_per_row[usize::from(refinement)];
        let (slab, len) = encode(task, coder, (top, height), (quality, chroma), *recent)?;
        *recent = (len / height as usize).max(*recent - *recent / 8);
        let shown = Shown { band: bands.start, bands: bands.len(), hash: xxh3_64(&slab[..len]) };

        let keep = matches!(purpose, Purpose::Change { keep: true });
        let known = !keep && self.bands[bands.clone()].iter().all(|band| band.shown == Some(shown));
        if known {
            // The viewer has this very packet: the rows look as before, or differ by less than this quality tells.
            self.bands[bands].iter_mut().for_each(|band| band.stale = false);
            return Ok(());
        }
        let packet = StripePacket {
            top,
            rows: height,
            width: task.picture.width(),
            len,
            keyframe: task.keyframe && !refinement,
            refinement,
        };
        if let Err(error) = task.output.commit(slab, packet) {
            // It may or may not have gone out.
            for band in &mut self.bands[bands] {
                (band.stale, band.shown) = (true, None);
            }
            return Err(SubmitError::Output(error));
        }
        tally.packets += 1;
        tally.bytes += len as u64;
        for band in &mut self.bands[bands] {
            band.stale = false;
            band.shown = Some(shown);
            (band.quality, band.chroma) = (quality, chroma);
            band.rests_at_ns = task.now_ns.saturating_add(task.settings.refine_delay_ns);
        }
        if refinement {
            // There is time now, and later repaints of the resting content cost no encoding.
            self.hashes.learn(task.picture, rows);
        }
        Ok(())
    }
}

impl Band {
    /// Whether a repetition would look better than what the viewer has.
    fn improves(&self, settings: &Settings) -> bool {
        let sharper = settings.refine_quality > self.quality;
        let fuller = settings.refine_quality == self.quality && settings.refine_chroma != self.chroma;
        self.shown.is_some() && (sharper || fuller && settings.refine_chroma == Chroma::Full)
    }
}

/// Why bands are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// They show something else now. `keep`: send it even when the viewer has it.
    Change { keep: bool },
    /// They came to rest.
    Refinement,
}

/// Encodes into a slab of the likely size, or of the worst case when that was too small.
fn encode<O: Output>(
    task: &Task<'_, O>,
    coder: &mut Coder,
    part: (u32, u32),
    (quality, chroma): (u8, Chroma),
    bytes_per_row: usize,
) -> Result<(O::Slab, usize), SubmitError<O::Error>> {
    let failed = |error: turbojpeg::Error| SubmitError::Codec(error.to_string());
    let worst_case = coder::worst_case(task.picture.width(), part.1, chroma).map_err(failed)?;
    let likely = coder::likely_size(bytes_per_row, part.1, worst_case);
    let mut slab = task.output.slab(likely).map_err(SubmitError::Output)?;
    match coder.encode(task.picture, part, chroma, quality, &mut slab) {
        Ok(len) => Ok((slab, len)),
        Err(_) if slab.len() < worst_case => {
            drop(slab);
            let mut slab = task.output.slab(worst_case).map_err(SubmitError::Output)?;
            let len = coder.encode(task.picture, part, chroma, quality, &mut slab).map_err(failed)?;
            Ok((slab, len))
        }
        Err(error) => Err(failed(error)),
    }
}

/// The rows of a stripe of `rows` rows that `bands` cover.
fn rows_of(bands: Range<usize>, rows: u32) -> Range<u32> {
    bands.start as u32 * BAND_ROWS..(bands.end as u32 * BAND_ROWS).min(rows)
}
