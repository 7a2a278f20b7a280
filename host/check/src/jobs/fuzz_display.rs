//! Random calls of a display that the contract allows and that change nothing, determined by a seed.

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    desktop::{Output, instance, outputs, oversize, same_mode},
    fuzz::rounds,
};
use crate::{
    journal::held,
    random::Random,
    rules::{
        display::{DSP_001, DSP_002, DSP_003},
        lifecycle::LIF_016,
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random calls of a display",
    table: Some(ids::DISPLAY_V1),
    rules: &[&LIF_016, &DSP_001, &DSP_002, &DSP_003],
    limit_s: 60,
    fuzz: true,
    run: display,
}];

fn display(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::DisplayV1 = unsafe { task.table(&library, ids::DISPLAY_V1) }?;
    rounds(task, |random, _| {
        let instance = instance(task, table.create.zip(table.destroy))?;
        let before = outputs(table, &instance)?;
        let enabled: Vec<&Output> = before.iter().filter(|output| output.is_enabled()).collect();
        for _ in 0..random.between(1, 12) {
            let output = random.one_of(&enabled).ok_or("DSP-001: no output is enabled")?;
            if random.once_in(3) {
                same_mode(table, &instance, output)?;
            } else {
                oversize(table, &instance, output, too_large(random, output), &before)?;
            }
        }
        Ok(())
    })?;
    held(&[&LIF_016, &DSP_001, &DSP_002, &DSP_003]);
    Ok(())
}

/// A size that is over the limit in width, in height, or in both.
fn too_large(random: &mut Random, output: &Output) -> (u32, u32) {
    let mut over = |limit: u32| {
        // Far enough that rounding to what a codec likes cannot bring it back.
        let more = random.one_of(&[64, 65, 4096, 1 << 16, 1 << 31, u32::MAX]).copied();
        limit.saturating_add(more.unwrap_or(u32::MAX))
    };
    let (width, height) = (over(output.largest.0), over(output.largest.1));
    match random.between(0, 2) {
        0 => (width, output.size.1),
        1 => (output.size.0, height),
        _ => (width, height),
    }
}
