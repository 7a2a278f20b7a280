//! The process in which a plugin is checked.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use crate::{
    call,
    jobs::{self, COMMON, Job, Order, Task},
    journal::{self, Entry},
    process,
    rules::lifecycle::{LIF_001, LIF_002, LIF_003, LIF_004, LIF_007, LIF_009},
    signals,
};

/// The hidden argument that makes the host's binary a child; the path of its journal follows.
pub const CHILD_ARGUMENT: &str = "__check-plugin";

/// Largest order in bytes.
const MAX_ORDER: u64 = 4 << 20;
/// Memory that a child may have for its data, so that no plugin takes the machine's.
const DATA_LIMIT: u64 = 4 << 30;

/// Does what the order on standard input says and writes to the journal at `journal`. The process belongs to the plugin
/// from here on.
#[must_use]
pub fn run_child(journal: &Path) -> ExitCode {
    match prepare(journal) {
        Ok((order, job)) => {
            std::thread::Builder::new().name("watchdog".into()).spawn(watch).map_or(ExitCode::FAILURE, |_| {
                work(job, order);
                ExitCode::SUCCESS
            })
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(path: &Path) -> Result<(Order, &'static Job), String> {
    // Nobody is left behind when the one who asked is gone.
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    bound.map_err(|error| format!("cannot be bound to the parent: {error}"))?;
    for (resource, limit) in [(Resource::Data, DATA_LIMIT), (Resource::Core, 0)] {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(|error| format!("cannot be limited: {error}"))?;
    }
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_ORDER).read_to_string(&mut text);
    read.map_err(|error| format!("no order: {error}"))?;
    let order: Order = serde_json::from_str(&text).map_err(|error| format!("no order: {error}"))?;
    let job = jobs::all().find(|job| job.name == order.job).ok_or("an unknown job")?;
    let descriptor = journal::open(path).map_err(|error| format!("no journal: {error}"))?;
    signals::install(descriptor);
    Ok((order, job))
}

/// Ends the process when a call of the plugin does not return.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(50));
        if let Some((site, limit_ms)) = call::overdue() {
            journal::tell(&Entry::Hang { rule: site.rule.id.into(), call: site.name.into(), limit_ms });
            // SAFETY: ends the process at once, without the plugin's handlers, one of which may be what hangs.
            unsafe { libc::_exit(3) };
        }
    }
}

/// Runs a job in this process and tells how it went.
fn work(job: &Job, order: Order) {
    let before = process::children();
    let outcome = (job.run)(&Task::new(order));
    let children: Vec<u32> = process::children().into_iter().filter(|id| !before.contains(id)).collect();
    if !children.is_empty() {
        journal::fail(
            &LIF_009,
            format!("{} child processes at the end of the job {}", children.len(), job.name),
        );
    }
    for id in children {
        let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
        // A child of this process that was not waited for: the number cannot be another's.
        let _ = id.map(|id| rustix::process::kill_process(id, Signal::KILL));
    }
    match outcome {
        Ok(()) => journal::held(&common()),
        Err(reason) => journal::tell(&Entry::Blocked { reason }),
    }
    journal::tell(&Entry::End);
}

/// The common rules that this process itself can say to hold; how it ends is judged by its parent, but a job that came
/// to its end saw no crash, no exit and no hang.
fn common() -> Vec<&'static crate::rule::Rule> {
    debug_assert!([&LIF_001, &LIF_002, &LIF_003, &LIF_004].iter().all(|rule| COMMON.contains(rule)));
    COMMON.iter().copied().filter(|rule| *rule != &LIF_007).collect()
}

/// Runs a job in the process that asks, for debuggers: no limits, no watchdog, no handlers.
pub(crate) fn run_here(job: &'static Job, order: Order, journal: PathBuf) -> std::io::Result<()> {
    journal::open(&journal)?;
    work(job, order);
    Ok(())
}
