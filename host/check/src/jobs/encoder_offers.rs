//! Whether an encoder does what its `probe` says.

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    instances::{encoder_tables, offers},
};
use crate::{
    encoder::{self, Damage, Encoder, Offer, Params, Tables, verify},
    journal::{broken, fail, held, pass, warn},
    picture::{Picture, can_make},
    rule::Rule,
    rules::encoder::{ENC_001, ENC_002, ENC_003, ENC_004, ENC_005, ENC_006},
};

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "probe",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_001, &ENC_002],
        limit_s: 60,
        fuzz: false,
        run: probe,
    },
    Job {
        name: "formats",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_003],
        limit_s: 120,
        fuzz: false,
        run: formats,
    },
    Job {
        name: "sizes",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_004],
        limit_s: 120,
        fuzz: false,
        run: sizes,
    },
    Job {
        name: "modes",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_005],
        limit_s: 120,
        fuzz: false,
        run: modes,
    },
    Job {
        name: "refused parameters",
        table: Some(ids::ENCODER_V1),
        rules: &[&ENC_006],
        limit_s: 120,
        fuzz: false,
        run: refusals,
    },
];

fn probe(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    match encoder::probe(tables, &task.config) {
        Ok(offers) => {
            pass(&ENC_002);
            offers.iter().for_each(sound);
            held(&[&ENC_001]);
            Ok(())
        }
        Err(failure) if failure.status < 0 => {
            failure.breaks(&ENC_002, "probe");
            Err(failure.to_string())
        }
        Err(failure) if failure.text.is_empty() => {
            fail(&ENC_002, "probe offered nothing and gave no reason");
            Err("probe offered nothing".into())
        }
        Err(failure) => {
            warn(&ENC_002, format!("nothing is offered on this machine: {}", failure.text));
            Err(format!("probe offered nothing on this machine ({})", failure.text))
        }
    }
}

fn sound(offer: &Offer) {
    let name = &offer.name;
    let letters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let wrong = |condition: bool, what: String| {
        if condition {
            fail(&ENC_001, format!("{name:?}: {what}"));
        }
    };
    wrong(
        !(1..=32).contains(&name.len()) || !name.bytes().all(letters),
        "the name is not [a-z0-9-]{1,32}".into(),
    );
    wrong(offer.memory_mask == 0, "memory_mask is 0".into());
    wrong(offer.chroma_mask == 0, "chroma_mask is 0".into());
    wrong(offer.rate_mask == 0, "rate_mask is 0".into());
    wrong(offer.bit_depth_mask == 0, "bit_depth_mask is 0".into());
    wrong(offer.depth == 0, "depth is 0".into());
    wrong(
        offer.max_width < 16 || offer.max_height < 16,
        format!("the largest size is {}x{}", offer.max_width, offer.max_height),
    );
    wrong(
        offer.quality_min > offer.quality_max || offer.quality_max == abi::UNSET,
        format!("quality is {} to {}", offer.quality_min, offer.quality_max),
    );
    wrong(
        offer.depth > 1 && offer.max_retained == 0 && offer.memory_mask & (1 << abi::MEMORY_DMABUF) != 0,
        "it holds frames of dma-buf and retains none".into(),
    );
}

/// Makes an encoder and has it encode one frame; tells of a failure as a breach of `rule`.
fn try_once(tables: Tables, offer: &Offer, params: &Params, config: &str, rule: &'static Rule, what: &str) {
    let name = &offer.name;
    let what = format!("{name}, {what}");
    let mut encoder = match Encoder::create(tables, offer, params, config) {
        Ok(encoder) => encoder,
        Err(failure) => return failure.breaks(rule, &what),
    };
    let picture = Picture::new(params.raw.width, params.raw.height, 7);
    match encoder.submit(&picture, &Damage::Full, 0) {
        Ok(shown) => {
            if let Some(flight) = encoder.settle(&shown, &picture) {
                verify(&mut encoder, &shown, &flight, &picture, true);
            }
        }
        Err(failure) => failure.breaks(rule, &what),
    }
    let _ = encoder.drain();
}

fn fourcc_name(fourcc: u32) -> String {
    let bytes = fourcc.to_le_bytes();
    if bytes.iter().all(u8::is_ascii_graphic) {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        format!("{fourcc:#x}")
    }
}

fn formats(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    for offer in offers(tables, &task.config)? {
        for &fourcc in &offer.fourccs {
            let name = fourcc_name(fourcc);
            if !can_make(fourcc) {
                warn(&ENC_003, format!("{}: {name} was not tried: the kit cannot make it", offer.name));
                continue;
            }
            for backing in offer.backings() {
                let mut params = offer.params(128, 96);
                params.set_backing(backing);
                params.set_fourcc(fourcc);
                if fourcc == abi::FOURCC_P010 && offer.bit_depth_mask & (1 << 10) != 0 {
                    params.raw.bit_depth = 10;
                }
                let what = format!("format {name} in {backing:?} memory");
                try_once(tables, &offer, &params, &task.config, &ENC_003, &what);
            }
        }
        let unknown = offer.memory_mask & !(1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD);
        if unknown != 0 {
            warn(
                &ENC_003,
                format!("{}: memory kinds {unknown:#x} were not tried: the kit cannot make them", offer.name),
            );
        }
    }
    held(&[&ENC_003]);
    Ok(())
}

/// Most pixels of a frame that is tried.
const MAX_PIXELS: u64 = 1 << 22;

fn sizes(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    for offer in offers(tables, &task.config)? {
        let (widest, highest) = (offer.max_width, offer.max_height);
        for (width, height) in
            [(64, 64), (65, 67), (321, 243), (widest, 64.min(highest)), (64.min(widest), highest)]
        {
            let fits =
                width <= widest && height <= highest && u64::from(width) * u64::from(height) <= MAX_PIXELS;
            if fits {
                let what = format!("{width}x{height}");
                try_once(tables, &offer, &offer.params(width, height), &task.config, &ENC_004, &what);
            }
        }
    }
    held(&[&ENC_004]);
    Ok(())
}

fn modes(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    for offer in offers(tables, &task.config)? {
        let usual = offer.params(160, 96);
        let mut tried: Vec<(String, Params)> = Vec::new();
        for chroma in [abi::CHROMA_420, abi::CHROMA_422, abi::CHROMA_444] {
            if offer.chroma_mask & chroma != 0 {
                let mut params = usual.clone();
                params.raw.chroma = chroma;
                tried.push((format!("chroma {chroma}"), params));
            }
        }
        for rate in [abi::RATE_QUALITY, abi::RATE_CBR, abi::RATE_VBR] {
            if offer.rate_mask & (1 << rate) != 0 {
                let mut params = usual.clone();
                params.raw.rate = rate;
                if rate != abi::RATE_QUALITY {
                    (params.raw.bitrate_kbps, params.raw.max_bitrate_kbps) = (4000, 6000);
                }
                tried.push((format!("rate control {rate}"), params));
            }
        }
        if offer.rate_mask & (1 << abi::RATE_QUALITY) != 0 {
            for quality in [offer.quality_min, offer.quality_max] {
                let mut params = usual.clone();
                (params.raw.rate, params.raw.quality) = (abi::RATE_QUALITY, quality);
                tried.push((format!("quality {quality}"), params));
            }
        }
        for (what, params) in &tried {
            try_once(tables, &offer, params, &task.config, &ENC_005, what);
        }
    }
    held(&[&ENC_005]);
    Ok(())
}

fn refusals(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    let tables = encoder_tables(task, &library)?;
    for offer in offers(tables, &task.config)? {
        let usual = offer.params(160, 96);
        let mut cases: Vec<(String, Params)> = Vec::new();
        let mut case = |what: &str, change: &dyn Fn(&mut abi::EncoderParams)| {
            let mut params = usual.clone();
            change(&mut params.raw);
            cases.push((what.to_owned(), params));
        };
        case("a codec that was not offered", &|raw| raw.codec = abi::CODEC_OPUS);
        case("a format that was not offered", &|raw| raw.fourcc = abi::fourcc(*b"Z9Z9"));
        if let Some(wide) = offer.max_width.checked_add(1) {
            case("a width over the largest", &|raw| raw.width = wide);
        }
        if let Some(high) = offer.max_height.checked_add(1) {
            case("a height over the largest", &|raw| raw.height = high);
        }
        case("a kind of memory that does not exist", &|raw| raw.memory = 31);
        case("a chroma sampling that does not exist", &|raw| raw.chroma = 1 << 20);
        case("a rate control that does not exist", &|raw| raw.rate = 31);
        case("a bit depth that does not exist", &|raw| raw.bit_depth = 31);
        if offer.rate_mask & (1 << abi::RATE_QUALITY) != 0 && offer.quality_max + 1 < abi::UNSET {
            let quality = offer.quality_max + 1;
            case("a quality over the scale", &|raw| (raw.rate, raw.quality) = (abi::RATE_QUALITY, quality));
        }
        if !offer.has(abi::ENCODER_SCALES) {
            case("a coded size without ENCODER_SCALES", &|raw| (raw.out_width, raw.out_height) = (80, 48));
        }
        for (what, params) in &cases {
            match Encoder::create(tables, &offer, params, &task.config) {
                Ok(_) => fail(&ENC_006, format!("{}: create took {what}", offer.name)),
                Err(failure)
                    if failure.class() == abi::CLASS_RECONFIGURE
                        && failure.detail() == abi::DETAIL_UNSUPPORTED => {}
                Err(failure) => failure.breaks(&ENC_006, &format!("{}, {what}", offer.name)),
            }
        }
    }
    if !broken(&ENC_006) {
        pass(&ENC_006);
    }
    Ok(())
}
