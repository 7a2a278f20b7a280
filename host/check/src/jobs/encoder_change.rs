//! Changes between frames, and encoders beside each other.

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    encoder_frames::{encode, instance},
    instances::{encoder_tables, first_offer},
};
use crate::{
    encoder::{Damage, Encoder, Params, verify},
    host::size32,
    journal::{fail, held, skip},
    picture::Picture,
    rules::encoder::{ENC_033, ENC_034, ENC_038},
};

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "configure",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_033],
        limit_s: 60,
        fuzz: false,
        run: configure,
    },
    Job {
        name: "rate",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_034],
        limit_s: 60,
        fuzz: false,
        run: rate,
    },
    Job {
        name: "pairs",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_038],
        limit_s: 60,
        fuzz: false,
        run: pairs,
    },
];

fn configure(task: &Task) -> Result<(), Blocked> {
    let encoder = instance(task, 160, 120)?;
    let (offer, usual) = (encoder.offer.clone(), encoder.params.clone());
    drop(encoder);
    let mut cases: Vec<(&str, Params)> = Vec::new();
    let mut case = |what, change: &dyn Fn(&mut Params)| {
        let mut params = usual.clone();
        change(&mut params);
        cases.push((what, params));
    };
    case("the same parameters", &|_| {});
    case("another size", &|params| (params.raw.width, params.raw.height) = (200, 104));
    case("another frame rate", &|params| (params.raw.fps_num, params.raw.fps_den) = (30, 1));
    if usual.raw.rate == abi::RATE_QUALITY {
        case("the best quality", &|params| params.raw.quality = offer.quality_max);
        case("the worst quality", &|params| params.raw.quality = offer.quality_min);
    } else {
        case("another bit rate", &|params| {
            (params.raw.bitrate_kbps, params.raw.max_bitrate_kbps) = (2000, 3000)
        });
    }
    let mut sizes = Vec::new();
    for (what, params) in &cases {
        let mut encoder = instance(task, 160, 120)?;
        let picture = Picture::new(usual.raw.width, usual.raw.height, 12);
        encode(&mut encoder, &picture, Damage::Full, 0, true)?;
        match encoder.configure(params) {
            Err(failure) if failure.class() == abi::CLASS_RECONFIGURE => continue,
            Err(failure) => {
                failure.breaks(&ENC_033, what);
                continue;
            }
            Ok(()) => {}
        }
        // Another picture: what did not change need not be sent.
        let picture = Picture::new(params.raw.width, params.raw.height, 13);
        let shown = match encoder.submit(&picture, &Damage::Full, 0) {
            Ok(shown) => shown,
            Err(failure) => {
                failure.breaks(&ENC_033, &format!("the frame after {what}"));
                continue;
            }
        };
        let Some(after) = encoder.settle(&shown, &picture) else { continue };
        verify(&mut encoder, &shown, &after, &picture, *what == "another size");
        if params.raw.quality != usual.raw.quality {
            sizes.push(after.packets.iter().map(|packet| packet.payload.len()).sum::<usize>());
        }
    }
    if let &[best, worst] = &sizes[..]
        && best == worst
    {
        fail(&ENC_033, format!("one picture has {best} bytes at both ends of the quality scale"));
    }
    held(&[&ENC_033]);
    Ok(())
}

fn rate(task: &Task) -> Result<(), Blocked> {
    let mut encoder = instance(task, 160, 120)?;
    let picture = Picture::new(encoder.params.raw.width, encoder.params.raw.height, 17);
    encode(&mut encoder, &picture, Damage::Full, 0, true)?;
    let none = abi::EncoderRate {
        struct_size: size32::<abi::EncoderRate>(),
        bitrate_kbps: 0,
        max_bitrate_kbps: 0,
        quality: abi::UNSET,
        fps_num: 0,
        fps_den: 0,
        vbv_ms: 0,
        reserved32: 0,
        reserved: [0; 2],
    };
    let mut cases =
        vec![("nothing", none), ("30 frames a second", abi::EncoderRate { fps_num: 30, fps_den: 1, ..none })];
    if encoder.offer.rate_mask & (1 << abi::RATE_QUALITY) != 0 {
        for quality in [encoder.offer.quality_min, encoder.offer.quality_max, encoder.offer.middle()] {
            cases.push(("a quality of the scale", abi::EncoderRate { quality, ..none }));
        }
    }
    if encoder.params.raw.rate != abi::RATE_QUALITY {
        for kbps in [500, 20_000] {
            let rate = abi::EncoderRate { bitrate_kbps: kbps, max_bitrate_kbps: kbps + 1000, ..none };
            cases.push(("a bit rate", rate));
        }
    }
    for (what, rate) in &cases {
        match encoder.set_rate(rate) {
            None => {
                skip(&ENC_034, format!("the plugin does not offer {}", ids::ENCODER_RATE_V1));
                return Ok(());
            }
            Some(Err(failure)) if failure.class() != abi::CLASS_RECONFIGURE => failure.breaks(&ENC_034, what),
            Some(Err(_)) => continue,
            Some(Ok(())) => {}
        }
        if rate.quality != abi::UNSET {
            encoder.params.raw.quality = rate.quality;
        }
        encode(&mut encoder, &picture, Damage::Full, 0, false)?;
    }
    held(&[&ENC_034]);
    Ok(())
}

fn pairs(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    let offer = first_offer(tables, &task.config)?;
    let mut encoders = Vec::new();
    for (width, height) in [(160, 120), (240, 136)] {
        match Encoder::create(tables, &offer, &offer.params(width, height), &task.config) {
            Ok(encoder) => encoders.push(encoder),
            Err(failure) => {
                failure.breaks(&ENC_038, "the second instance");
                return Err(failure.to_string());
            }
        }
    }
    let outcomes: Vec<Result<(), Blocked>> = std::thread::scope(|scope| {
        let threads: Vec<_> = encoders
            .iter_mut()
            .enumerate()
            .map(|(number, encoder)| {
                scope.spawn(move || {
                    let (width, height) = (encoder.params.raw.width, encoder.params.raw.height);
                    for frame in 0..20_u64 {
                        let seed = frame * 2 + u64::try_from(number).unwrap_or(0);
                        let picture = Picture::new(width, height, seed);
                        encode(encoder, &picture, Damage::Full, 0, frame == 0)?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread ended".into())))
            .collect()
    });
    for outcome in outcomes {
        outcome?;
    }
    held(&[&ENC_038]);
    Ok(())
}
