//! Instances made and ended again and again.

use std::time::Duration;

use selkies_plugin_abi::{self as abi, ids};

use super::{Blocked, Instance, Job, PLAIN_TABLES, Task, maker};
use crate::{
    call::Failure,
    encoder::{self, Damage, Encoder, Offer, Tables},
    journal::{fail, pass},
    library::Library,
    picture::Picture,
    process,
    rules::lifecycle::{LIF_010, LIF_011, LIF_015, LIF_016},
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "instances",
    table: None,
    rules: &[&LIF_010, &LIF_011, &LIF_015, &LIF_016],
    limit_s: 120,
    fuzz: false,
    run: instances,
}];

/// Instances before anything is counted: libraries keep what they load once.
const WARM_UP: usize = 5;
/// Instances in all.
const COUNT: usize = 50;
/// Descriptors that may come and go by themselves meanwhile.
const SLACK: usize = 3;

/// Makes an instance of some table.
type Make<'a> = Box<dyn Fn() -> Result<Made, Failure> + 'a>;

/// An instance of any kind; dropping it destroys it.
pub(super) enum Made {
    Encoder(Box<Encoder>),
    Other(#[allow(dead_code)] Instance), // held for its drop
}

fn instances(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    for (table, make) in makers(task, &library)? {
        let before = process::threads();
        many(table, &make)?;
        // Both live at the same time.
        let two = make().and_then(|first| make().map(|second| (first, second)));
        match two {
            Ok(both) => drop(both),
            Err(failure) => failure.breaks(&LIF_016, &format!("{table}, two at a time")),
        }
        if !process::eventually(Duration::from_secs(3), || process::threads() <= before + 1) {
            // One process-wide thread (a pool, a watcher) is not an instance's.
            fail(
                &LIF_010,
                format!("{table}: {before} threads before, {} after {COUNT} instances", process::threads()),
            );
        }
    }
    super::super::journal::held(&[&LIF_010, &LIF_011, &LIF_016]);
    if !crate::journal::broken(&LIF_015) {
        pass(&LIF_015);
    }
    Ok(())
}

fn many(table: &str, make: &Make<'_>) -> Result<(), Blocked> {
    let mut before = 0;
    for number in 1..=COUNT {
        if number == WARM_UP + 1 {
            before = process::descriptors();
        }
        match make() {
            Ok(Made::Encoder(mut encoder)) => {
                let picture = Picture::new(encoder.params.raw.width, encoder.params.raw.height, 1);
                if let Ok(shown) = encoder.submit(&picture, &Damage::Full, 0) {
                    encoder.settle(&shown, &picture);
                }
                let _ = encoder.drain();
            }
            Ok(Made::Other(instance)) => drop(instance),
            Err(failure) => {
                failure.breaks(&LIF_016, &format!("{table}, instance {number}"));
                return Err(format!("no instance of {table}: {failure}"));
            }
        }
    }
    let after = process::descriptors();
    if after > before + SLACK {
        let grown = COUNT - WARM_UP;
        fail(&LIF_011, format!("{table}: {before} descriptors before, {after} after {grown} instances"));
    }
    Ok(())
}

/// What makes an instance of each table that the manifest names.
pub(super) fn makers<'a>(
    task: &'a Task,
    library: &Library,
) -> Result<Vec<(&'static str, Make<'a>)>, Blocked> {
    let manifest = task.manifest()?;
    let names = |id: &str| manifest.interfaces.iter().any(|interface| interface.as_str() == id);
    let mut makers: Vec<(&'static str, Make<'a>)> = Vec::new();
    if names(ids::ENCODER_V1) {
        let tables = encoder_tables(task, library)?;
        let offer = first_offer(tables, &task.config)?;
        makers.push((
            ids::ENCODER_V1,
            Box::new(move || {
                let made = Encoder::create(tables, &offer, &offer.params(128, 128), &task.config)?;
                Ok(Made::Encoder(Box::new(made)))
            }),
        ));
    }
    for id in PLAIN_TABLES.into_iter().filter(|id| names(id)) {
        if let Some((role, Some(functions))) = maker(task, library, id)? {
            let make = move || Instance::create(role, functions, &task.config).map(Made::Other);
            makers.push((id, Box::new(make)));
        }
    }
    Ok(makers)
}

/// The encoder's tables.
pub(super) fn encoder_tables(task: &Task, library: &Library) -> Result<Tables, Blocked> {
    // SAFETY: the structs published under these ids.
    let (encoder, rate) =
        unsafe { (task.table(library, ids::ENCODER_V1)?, library.table(ids::ENCODER_RATE_V1)) };
    Ok(Tables { encoder, rate })
}

/// What an encoder offers and this kit can feed.
pub(super) fn offers(tables: Tables, config: &str) -> Result<Vec<Offer>, Blocked> {
    let offers = encoder::probe(tables, config).map_err(|failure| match failure.status {
        abi::OK => format!("probe offered nothing on this machine ({})", failure.text),
        _ => failure.to_string(),
    })?;
    let usable = |offer: &Offer| {
        !offer.backings().is_empty() && offer.fourccs.iter().any(|&fourcc| crate::picture::can_make(fourcc))
    };
    let usable: Vec<Offer> = offers.into_iter().filter(usable).collect();
    if usable.is_empty() {
        return Err("no offer reads a format and a kind of memory that this kit can make".into());
    }
    Ok(usable)
}

/// The first of them.
pub(super) fn first_offer(tables: Tables, config: &str) -> Result<Offer, Blocked> {
    offers(tables, config)?.into_iter().next().ok_or_else(|| "there is no offer".into())
}
