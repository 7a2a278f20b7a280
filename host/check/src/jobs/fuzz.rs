//! Random calls that the contract allows, determined by a seed.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    encoder_frames::drained,
    instances::{encoder_tables, offers},
};
use crate::{
    encoder::{Damage, Encoder, Offer, Params, verify},
    journal::{self, breaches},
    picture::Picture,
    random::Random,
    rules::{
        encoder::{ENC_003, ENC_033, ENC_037},
        lifecycle::LIF_016,
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random calls of an encoder",
    table: Some(ids::ENCODER_V1),
    rules: &[&LIF_016, &ENC_003, &ENC_033, &ENC_037],
    limit_s: 60,
    fuzz: true,
    run: encoder,
}];

/// Largest edge of a random frame.
const MAX_EDGE: u32 = 400;

/// Rounds of random calls until the time is over, one at least, so that a short run tells something; or until a rule was
/// broken. A round is told its seed and number, in words.
pub(super) fn rounds(
    task: &Task,
    mut round: impl FnMut(&mut Random, &str) -> Result<(), Blocked>,
) -> Result<(), Blocked> {
    let (seed, seconds) = task.order.fuzz.ok_or("there is no seed")?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random::new(seed);
    let mut number = 0_u64;
    while number == 0 || Instant::now() < until {
        number += 1;
        let place = format!("seed {seed}, round {number}");
        // The last lines of standard error are part of a report about a crash.
        let _ = writeln!(std::io::stderr(), "{place}");
        journal::place(&place);
        round(&mut random, &place)?;
        if breaches() > 0 {
            return Err(format!("a rule was broken with seed {seed} in round {number}"));
        }
    }
    Ok(())
}

fn encoder(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    let offers = offers(tables, &task.config)?;
    rounds(task, |random, place| {
        let offer = random.one_of(&offers).ok_or("there is no offer")?;
        let params = parameters(random, offer);
        let _ = writeln!(
            std::io::stderr(),
            "{place}: {} at {}x{}",
            offer.name,
            params.raw.width,
            params.raw.height
        );
        let mut encoder = match Encoder::create(tables, offer, &params, &task.config) {
            Ok(encoder) => encoder,
            Err(failure) => {
                failure.breaks(&ENC_003, "create");
                return Err(failure.to_string());
            }
        };
        frames(random, &mut encoder)?;
        if random.once_in(2) {
            drained(&mut encoder)?;
        }
        Ok(())
    })?;
    journal::held(&[&LIF_016, &ENC_003, &ENC_033, &ENC_037]);
    Ok(())
}

/// Parameters that an offer allows.
fn parameters(random: &mut Random, offer: &Offer) -> Params {
    let width = random.between(64, MAX_EDGE.clamp(64, offer.max_width.max(64)));
    let height = random.between(64, MAX_EDGE.clamp(64, offer.max_height.max(64)));
    let mut params = offer.params(width, height);
    let makeable: Vec<u32> =
        offer.fourccs.iter().copied().filter(|&fourcc| crate::picture::can_make(fourcc)).collect();
    if let Some(&fourcc) = random.one_of(&makeable) {
        params.set_fourcc(fourcc);
    }
    if let Some(&backing) = random.one_of(&offer.backings()) {
        params.set_backing(backing);
    }
    let bits = [abi::CHROMA_420, abi::CHROMA_422, abi::CHROMA_444];
    let chromas: Vec<u32> = bits.into_iter().filter(|bit| offer.chroma_mask & bit != 0).collect();
    if let Some(&chroma) = random.one_of(&chromas) {
        params.raw.chroma = chroma;
    }
    if params.raw.rate == abi::RATE_QUALITY {
        params.raw.quality = random.between(offer.quality_min, offer.quality_max);
    }
    params.raw.ignore_damage = u32::from(random.once_in(8));
    params
}

fn frames(random: &mut Random, encoder: &mut Encoder) -> Result<(), Blocked> {
    let mut picture = Picture::new(encoder.params.raw.width, encoder.params.raw.height, random.next());
    let mut first = true;
    for number in 1..=random.between(1, 40) {
        if random.once_in(12) {
            let params = parameters(random, &encoder.offer.clone());
            match encoder.configure(&params) {
                Ok(()) => {
                    picture = Picture::new(params.raw.width, params.raw.height, random.next());
                    first = true;
                }
                Err(failure) if failure.class() == abi::CLASS_RECONFIGURE => return Ok(()),
                Err(failure) => {
                    failure.breaks(&ENC_033, "configure");
                    return Err(failure.to_string());
                }
            }
        }
        let damage = change(random, &mut picture);
        let flags = if random.once_in(10) { abi::SUBMIT_KEYFRAME } else { 0 };
        // After new parameters the size may be the same, and then nothing asks for a keyframe.
        let flags = if first { abi::SUBMIT_KEYFRAME } else { flags };
        let shown = encoder.submit(&picture, &damage, flags).map_err(|failure| {
            failure.breaks(&ENC_037, &format!("frame {number}"));
            failure.to_string()
        })?;
        let flight = encoder.settle(&shown, &picture).ok_or("a frame was not done")?;
        verify(encoder, &shown, &flight, &picture, first);
        first = false;
    }
    Ok(())
}

/// Changes a picture and answers its damage, which may name more than what changed.
fn change(random: &mut Random, picture: &mut Picture) -> Damage {
    let (width, height) = (picture.width, picture.height);
    let rects: Vec<abi::Rect> = (0..random.between(0, 5))
        .map(|_| {
            let (x, y) = (random.between(0, width - 1), random.between(0, height - 1));
            abi::Rect { x, y, width: random.between(1, width - x), height: random.between(1, height - y) }
        })
        .collect();
    for rect in &rects {
        if !random.once_in(4) {
            let [r, g, b, ..] = random.next().to_le_bytes();
            // Soft, as the rest of the picture: full colours beside each other are more than four pixels with one sample carry.
            picture.paint(*rect, [r, g, b].map(|value| value / 2 + 64));
        }
    }
    if random.once_in(6) { Damage::Full } else { Damage::Rects(rects) }
}
