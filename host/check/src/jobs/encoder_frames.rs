//! What an encoder makes of its frames.

use std::time::Duration;

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    instances::{encoder_tables, first_offer},
};
use crate::{
    call::Failure,
    encoder::{Damage, Encoder, Shown, verify},
    fence::Backing,
    host::Flight,
    journal::{fail, held, warn},
    picture::{Picture, can_make},
    rules::encoder::{
        ENC_007, ENC_008, ENC_009, ENC_010, ENC_015, ENC_022, ENC_023, ENC_024, ENC_025, ENC_030, ENC_031,
        ENC_032, ENC_035, ENC_036, ENC_037, ENC_039,
    },
};

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "frames",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_022, &ENC_023, &ENC_024, &ENC_025, &ENC_031, &ENC_032, &ENC_035, &ENC_037, &ENC_039],
        limit_s: 60,
        fuzz: false,
        run: frames,
    },
    Job {
        name: "deadline",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_009],
        limit_s: 60,
        fuzz: false,
        run: deadline,
    },
    Job {
        name: "streaming mode",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_036],
        limit_s: 60,
        fuzz: false,
        run: streaming,
    },
    Job {
        name: "wrong frames",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_007],
        limit_s: 60,
        fuzz: false,
        run: wrong_frames,
    },
    Job {
        name: "drain",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_008, &ENC_010, &ENC_015, &ENC_030],
        limit_s: 60,
        fuzz: false,
        run: drain,
    },
];

/// An instance for the first offer, of this size.
pub(super) fn instance(task: &Task, width: u32, height: u32) -> Result<Encoder, Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    let offer = first_offer(tables, &task.config)?;
    let params = offer.params(width.min(offer.max_width), height.min(offer.max_height));
    let made = Encoder::create(tables, &offer, &params, &task.config);
    made.map_err(|failure: Failure| format!("no instance: {failure}"))
}

/// Submits a frame, waits for it and judges it.
pub(super) fn encode(
    encoder: &mut Encoder,
    picture: &Picture,
    damage: Damage,
    flags: u32,
    first: bool,
) -> Result<(Shown, Flight), Blocked> {
    let shown = encoder.submit(picture, &damage, flags).map_err(|failure| {
        failure.breaks(&ENC_037, "a frame as it was agreed");
        format!("submit failed: {failure}")
    })?;
    let flight = encoder.settle(&shown, picture).ok_or("a frame was not done")?;
    verify(encoder, &shown, &flight, picture, first);
    Ok((shown, flight))
}

pub(super) fn rect(x: u32, y: u32, width: u32, height: u32) -> abi::Rect {
    abi::Rect { x, y, width, height }
}

fn frames(task: &Task) -> Result<(), Blocked> {
    let mut encoder = instance(task, 322, 246)?;
    let (width, height) = (encoder.params.raw.width, encoder.params.raw.height);
    let mut picture = Picture::new(width, height, 3);
    // The first frame is new as a whole, whatever its damage says.
    let corner = rect(width / 2, height / 2, 10, 10);
    encode(&mut encoder, &picture, Damage::Rects(vec![corner]), 0, true)?;
    for (area, colour) in [
        (rect(0, 0, 1, 1), [10, 20, 30]),
        (rect(width - 1, height - 1, 1, 1), [200, 40, 30]),
        (rect(5, height / 3, width / 2, height / 2), [90, 120, 60]),
        (rect(0, 0, width, height), [120, 120, 120]),
    ] {
        picture.paint(area, colour);
        encode(&mut encoder, &picture, Damage::Rects(vec![area]), 0, false)?;
        encode(&mut encoder, &picture, Damage::Rects(Vec::new()), 0, false)?;
    }
    let two = vec![rect(3, 3, 20, 20), rect(width / 2, height - 30, 40, 20)];
    for area in &two {
        picture.paint(*area, [60, 130, 160]);
    }
    encode(&mut encoder, &picture, Damage::Rects(two), 0, false)?;
    encode(&mut encoder, &picture, Damage::Full, 0, false)?;
    // Nothing changed, and all is wanted.
    encode(&mut encoder, &picture, Damage::Rects(Vec::new()), abi::SUBMIT_KEYFRAME, false)?;
    encode(&mut encoder, &picture, Damage::Rects(Vec::new()), 0, false)?;
    if encoder.offer.has(abi::ENCODER_REFINES) {
        encode(&mut encoder, &picture, Damage::Rects(Vec::new()), abi::SUBMIT_REFINE, false)?;
    }
    held(&[&ENC_022, &ENC_023, &ENC_024, &ENC_025, &ENC_031, &ENC_032, &ENC_035, &ENC_037, &ENC_039]);
    Ok(())
}

fn deadline(task: &Task) -> Result<(), Blocked> {
    const LIMIT: Duration = Duration::from_secs(2);
    let mut encoder = instance(task, 640, 480)?;
    let (width, height) = (encoder.params.raw.width, encoder.params.raw.height);
    // The best of three: the machine may be busy with other things.
    let mut best = Duration::MAX;
    for seed in 0..3 {
        let picture = Picture::new(width, height, seed);
        let (_, flight) = encode(&mut encoder, &picture, Damage::Full, 0, seed == 0)?;
        if let Some((_, at)) = flight.done {
            best = best.min(at.duration_since(flight.submitted));
        }
        if best < LIMIT {
            break;
        }
    }
    if best >= LIMIT {
        fail(&ENC_009, format!("the fastest of three took {} ms", best.as_millis()));
    }
    held(&[&ENC_009]);
    Ok(())
}

fn streaming(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    let offer = first_offer(tables, &task.config)?;
    let mut params = offer.params(160, 120);
    params.raw.ignore_damage = 1;
    let mut encoder = Encoder::create(tables, &offer, &params, &task.config).map_err(|failure| {
        failure.breaks(&ENC_036, "ignore_damage 1");
        failure.to_string()
    })?;
    let picture = Picture::new(params.raw.width, params.raw.height, 5);
    encode(&mut encoder, &picture, Damage::Full, 0, true)?;
    for damage in [Vec::new(), vec![rect(0, 0, 8, 8)]] {
        encode(&mut encoder, &picture, Damage::Rects(damage), 0, false)?;
    }
    held(&[&ENC_036]);
    Ok(())
}

fn wrong_frames(task: &Task) -> Result<(), Blocked> {
    let mut other = None;
    for (what, grow) in [("wider and higher", 16_i32), ("smaller", -16), ("of another format", 0)] {
        // A refused frame may leave an encoder that wants to be made anew.
        let mut encoder = instance(task, 160, 128)?;
        let raw = encoder.params.raw;
        let (width, height) = (raw.width.saturating_add_signed(grow), raw.height.saturating_add_signed(grow));
        let picture = Picture::new(width, height, 9);
        let formats = [abi::FOURCC_NV12, abi::FOURCC_XRGB8888, abi::FOURCC_YUV444];
        let fourcc = match grow {
            0 => formats.into_iter().find(|&fourcc| can_make(fourcc) && !same_kind(fourcc, raw.fourcc)),
            _ => Some(raw.fourcc),
        };
        let Some(fourcc) = fourcc else { continue };
        let backing =
            if encoder.params.backing == Backing::Memfd { Backing::Memfd } else { Backing::Private };
        match encoder.submit_as(&picture, fourcc, backing, &Damage::Full, 0) {
            Ok(_) => {
                fail(&ENC_007, format!("submit took a frame that is {what} than agreed"));
                return Ok(());
            }
            Err(failure) => other = Some(failure),
        }
        let state = encoder.context.state();
        if state.frames.flights.values().any(|flight| !flight.packets.is_empty()) {
            fail(&ENC_007, format!("a frame that is {what} was refused and made packets"));
        }
    }
    if other.is_none() {
        warn(&ENC_007, "no wrong frame could be made");
    }
    held(&[&ENC_007]);
    Ok(())
}

/// Formats with the same bytes but for alpha: an encoder may take one for the other.
fn same_kind(one: u32, other: u32) -> bool {
    let plain = |fourcc| if fourcc == abi::FOURCC_ARGB8888 { abi::FOURCC_XRGB8888 } else { fourcc };
    plain(one) == plain(other)
}

fn drain(task: &Task) -> Result<(), Blocked> {
    let mut encoder = instance(task, 160, 120)?;
    let picture = Picture::new(encoder.params.raw.width, encoder.params.raw.height, 11);
    for _ in 0..encoder.offer.depth.clamp(1, 8) {
        encoder.submit(&picture, &Damage::Full, 0).map_err(|failure| {
            failure.breaks(&ENC_037, "a frame as it was agreed");
            failure.to_string()
        })?;
    }
    drained(&mut encoder)?;
    held(&[&ENC_008, &ENC_010, &ENC_015, &ENC_030]);
    Ok(())
}

/// Calls `drain` and looks what is left.
pub(super) fn drained(encoder: &mut Encoder) -> Result<(), Blocked> {
    if let Err(failure) = encoder.drain() {
        failure.breaks(&ENC_010, "drain");
        return Err(failure.to_string());
    }
    let state = encoder.context.state();
    let (pending, slabs, retained) = (state.frames.pending(), state.slabs.out(), state.frames.retained());
    drop(state);
    // Frames that were never reported are told of where somebody waited for them.
    if pending > 0 && !crate::journal::broken(&ENC_008) {
        fail(&ENC_010, format!("{pending} frames are not done after drain"));
    }
    if slabs > 0 {
        fail(&ENC_015, format!("{slabs} slabs are out after drain"));
    }
    if retained > 0 {
        fail(&ENC_030, format!("{retained} frames are retained after drain"));
    }
    Ok(())
}
