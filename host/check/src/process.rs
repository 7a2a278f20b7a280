//! What the system counts about this process.

use std::time::{Duration, Instant};

/// A number in kB of /proc/self/status, as bytes; 0 when it is not there.
fn status_bytes(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Memory of this process that no file backs, now.
pub(crate) fn memory() -> u64 {
    status_bytes("RssAnon")
}

/// The most memory that this process ever had, files included.
pub(crate) fn peak_memory() -> u64 {
    status_bytes("VmHWM")
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Threads of this process.
pub(crate) fn threads() -> usize {
    entries("/proc/self/task")
}

/// Open descriptors of this process, one of them for the count.
pub(crate) fn descriptors() -> usize {
    entries("/proc/self/fd")
}

/// Processes whose parent is this one, ended ones included.
pub(crate) fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in parentheses, may hold anything; behind it come the state and the parent.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned();
        (parent == own).then_some(id)
    });
    processes.collect()
}

/// Waits until `good` holds or the limit passed; answers whether it holds.
pub(crate) fn eventually(limit: Duration, mut good: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    loop {
        if good() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
