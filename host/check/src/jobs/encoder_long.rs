//! An encoder at work for a while: what it takes and gives back, and every promise about packets and frames.

use std::time::Duration;

use selkies_plugin_abi::ids;

use super::{
    Blocked, Job, Task,
    encoder_frames::{drained, encode, instance, rect},
};
use crate::{
    encoder::Damage,
    journal::{fail, held},
    picture::Picture,
    process,
    rule::Rule,
    rules::{
        encoder::{
            ENC_008, ENC_011, ENC_012, ENC_013, ENC_014, ENC_015, ENC_016, ENC_017, ENC_018, ENC_019,
            ENC_020, ENC_021, ENC_024, ENC_026, ENC_027, ENC_028, ENC_029, ENC_030, ENC_031, ENC_032,
            ENC_037, ENC_039,
        },
        lifecycle::{LIF_010, LIF_012, LIF_013},
    },
};

static WATCHED: &[&Rule] = &[
    &ENC_008, &ENC_011, &ENC_012, &ENC_013, &ENC_014, &ENC_015, &ENC_016, &ENC_017, &ENC_018, &ENC_019,
    &ENC_020, &ENC_021, &ENC_024, &ENC_026, &ENC_027, &ENC_028, &ENC_029, &ENC_030, &ENC_031, &ENC_032,
    &ENC_037, &ENC_039, &LIF_010, &LIF_012, &LIF_013,
];

pub(super) static JOBS: &[Job] = &[Job {
    name: "at work",
    table: Some(ids::ENCODER_V1),
    rules: WATCHED,
    limit_s: 180,
    fuzz: false,
    run: at_work,
}];

const FRAMES: u32 = 500;
/// Frames before memory is compared.
const SETTLED: u32 = 100;
/// Frames between two looks at the memory.
const STEP: u32 = 20;
/// Growth that nobody minds, in bytes from frame [`SETTLED`] to the last.
const LEAST_GROWTH: u64 = 8 << 20;
/// The most that an instance may take, bytes.
const MOST_MEMORY: u64 = 512 << 20;

fn at_work(task: &Task) -> Result<(), Blocked> {
    // A first instance loads what the library keeps.
    let mut first = instance(task, 320, 240)?;
    let mut picture = Picture::new(first.params.raw.width, first.params.raw.height, 19);
    encode(&mut first, &picture, Damage::Full, 0, true)?;
    drained(&mut first)?;
    drop(first);
    let threads = process::threads();
    let start = process::peak_memory();

    let mut encoder = instance(task, 320, 240)?;
    let (width, height) = (picture.width, picture.height);
    let mut memory = Vec::new();
    let mut stopped = Ok(());
    for number in 0..FRAMES {
        let damage = match number {
            0 => Damage::Full,
            _ if number % 10 == 9 => Damage::Rects(Vec::new()),
            _ => {
                let area = rect(number * 13 % (width - 32), number * 7 % (height - 24), 32, 24);
                let shade = u8::try_from(number % 128).unwrap_or(0) + 64;
                picture.paint(area, [shade, shade, 255 - shade]);
                if number % 50 == 0 { Damage::Full } else { Damage::Rects(vec![area]) }
            }
        };
        // Packets may be refused for what is wrong with them; then the encoder cannot go on.
        if let Err(why) = encode(&mut encoder, &picture, damage, 0, number == 0) {
            stopped = Err(why);
            break;
        }
        if number >= SETTLED && number % STEP == 0 {
            memory.push(process::memory());
        }
    }
    let complete = stopped.is_ok();
    let drained = drained(&mut encoder);
    drop(encoder);
    if let Some(growth) = growth(&memory).filter(|growth| complete && *growth > LEAST_GROWTH) {
        fail(
            &LIF_012,
            format!("about {} MiB in {} frames of {width}x{height}", growth >> 20, FRAMES - SETTLED),
        );
    }
    let taken = process::peak_memory().saturating_sub(start);
    if taken > MOST_MEMORY {
        fail(&LIF_013, format!("{} MiB", taken >> 20));
    }
    if !process::eventually(Duration::from_secs(3), || process::threads() <= threads) {
        fail(&LIF_010, format!("{threads} threads before the instance, {} after it", process::threads()));
    }
    stopped.and(drained)?;
    held(WATCHED);
    Ok(())
}

/// How many bytes memory grew. A leak grows all the time, a buffer once: so the middle of the steps counts.
pub(super) fn growth(samples: &[u64]) -> Option<u64> {
    let mut steps: Vec<u64> = samples.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    steps.sort_unstable();
    let middle = steps.get(steps.len() / 2)?;
    Some(middle * u64::try_from(steps.len()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn leaks_grow_and_buffers_do_not() {
        assert_eq!(growth(&[10, 20, 30, 40]), Some(30));
        assert_eq!(growth(&[10, 10, 500, 500, 500]), Some(0));
        assert_eq!(growth(&[40, 30, 20]), Some(0));
        assert_eq!(growth(&[1]), None);
    }
}
