//! Random lists of events that the contract allows, determined by a seed. As everywhere in the kit, nothing is pressed,
//! turned or typed.

use std::slice;

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    desktop::{event, inject, instance, kinds},
    fuzz::rounds,
};
use crate::{
    fence::Fenced,
    journal::{fail, held},
    random::Random,
    rules::{
        input::{INP_002, INP_003, INP_004},
        lifecycle::{LIF_001, LIF_016},
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random events",
    table: Some(ids::INPUT_V1),
    rules: &[&LIF_016, &INP_002, &INP_003, &INP_004],
    limit_s: 60,
    fuzz: true,
    run: input,
}];

/// Most events of one list.
const MOST: u32 = 4096;

fn input(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::InputV1 = unsafe { task.table(&library, ids::INPUT_V1) }?;
    rounds(task, |random, _| {
        let instance = instance(task, table.create.zip(table.destroy))?;
        let known = kinds(table, &instance);
        // Lists of before stay, forbidden, as long as the instance.
        let mut graves = Vec::new();
        for _ in 0..random.between(1, 20) {
            let (mut events, wrong) = (harmless(random, known), random.once_in(4));
            if wrong {
                let last = events.len().min(MOST as usize - 1);
                events.truncate(last);
                let at = random.between(0, u32::try_from(last).unwrap_or(0));
                events.insert(at as usize, unknown(random, known));
            }
            let lent = Lent::new(&events)?;
            let what = || format!("a list of {} events", events.len());
            match inject(table, &instance, lent.events()) {
                Ok(_) if wrong => fail(&INP_002, format!("{}, one of them unknown, was taken", what())),
                Err(failure) if !wrong => {
                    let moves = events.iter().any(|event| event.kind != abi::INPUT_RELEASE_ALL);
                    failure.breaks(if moves { &INP_004 } else { &INP_003 }, &what());
                }
                _ => {}
            }
            lent.memory.bury(&LIF_001);
            graves.push(lent);
        }
        drop(instance);
        Ok(())
    })?;
    held(&[&LIF_016, &INP_002, &INP_003, &INP_004]);
    Ok(())
}

/// Events in memory that ends where they do, that cannot be written, and that is gone after the call.
struct Lent {
    memory: Fenced,
    count: usize,
}

impl Lent {
    fn new(events: &[abi::InputEvent]) -> Result<Self, Blocked> {
        // SAFETY: events have no padding, and are borrowed for the statement.
        let bytes = unsafe { slice::from_raw_parts(events.as_ptr().cast::<u8>(), size_of_val(events)) };
        let memory = Fenced::of(bytes, &LIF_001).map_err(|error| format!("no memory for events: {error}"))?;
        Ok(Self { memory, count: events.len() })
    }

    fn events(&self) -> &[abi::InputEvent] {
        // SAFETY: copies of that many events. They end with a page, so that they are aligned as their size is.
        unsafe { slice::from_raw_parts(self.memory.pointer().cast(), self.count) }
    }
}

/// Moves and releases of what is not held; one list in eight is empty, one as long as it may be.
fn harmless(random: &mut Random, known: u64) -> Vec<abi::InputEvent> {
    let kinds = [abi::INPUT_POINTER_ABSOLUTE, abi::INPUT_POINTER_RELATIVE, abi::INPUT_RELEASE_ALL];
    let kinds: Vec<u32> = kinds.into_iter().filter(|kind| known & (1 << kind) != 0).collect();
    let count = match random.between(0, 7) {
        0 => 0,
        1 => MOST,
        2 => random.between(1, MOST),
        _ => random.between(1, 8),
    };
    let events = (0..count).filter_map(|_| {
        let kind = random.one_of(&kinds).copied()?;
        let (x, y) = match kind {
            abi::INPUT_RELEASE_ALL => (0, 0),
            _ => (coordinate(random), coordinate(random)),
        };
        let timestamp_ns = if random.once_in(2) { 0 } else { random.next() };
        Some(abi::InputEvent { x, y, timestamp_ns, ..event(kind) })
    });
    events.collect()
}

/// Near the display, or where numbers end.
fn coordinate(random: &mut Random) -> i32 {
    const EDGES: &[i32] =
        &[0, 1, -1, i32::MIN, i32::MAX, i16::MIN as i32 - 1, i16::MAX as i32 + 1, -(1 << 24), 1 << 24];
    match random.once_in(2) {
        true => random.one_of(EDGES).copied().unwrap_or(0),
        false => i32::try_from(random.between(0, 4000)).unwrap_or(0) - 1000,
    }
}

/// An event that nobody knows: of another kind, or of another button.
fn unknown(random: &mut Random, known: u64) -> abi::InputEvent {
    if known & (1 << abi::INPUT_BUTTON) != 0 && random.once_in(2) {
        let code = random.one_of(&[0, abi::BUTTON_FORWARD + 1, 32, 255, 256, 1 << 31, u32::MAX]).copied();
        return abi::InputEvent { code: code.unwrap_or(0), value: 1, ..event(abi::INPUT_BUTTON) };
    }
    let kind = random.one_of(&[0, abi::INPUT_TOUCH + 1, 31, 32, 63, 64, 1 << 31, u32::MAX]).copied();
    event(kind.unwrap_or(0))
}
