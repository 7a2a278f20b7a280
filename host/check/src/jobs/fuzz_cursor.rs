//! Random calls of a cursor that the contract allows, determined by a seed.

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    desktop::{Pointer, instance},
    fuzz::rounds,
    waiting::random_waits,
};
use crate::{
    journal::held,
    rules::{
        cursor::{CUR_001, CUR_002, CUR_003, CUR_004},
        lifecycle::LIF_016,
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random calls of a cursor",
    table: Some(ids::CURSOR_V1),
    rules: &[&LIF_016, &CUR_001, &CUR_002, &CUR_003, &CUR_004],
    limit_s: 60,
    fuzz: true,
    run: cursor,
}];

fn cursor(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::CursorV1 = unsafe { task.table(&library, ids::CURSOR_V1) }?;
    rounds(task, |random, _| {
        let instance = instance(task, table.create.zip(table.destroy))?;
        let mut pointer = Pointer::open(table, &instance)?;
        random_waits(random, [&CUR_003, &CUR_004], pointer.wake()?, |timeout| pointer.wait(timeout))
    })?;
    held(&[&LIF_016, &CUR_001, &CUR_002, &CUR_003, &CUR_004]);
    Ok(())
}
