//! Which processes belong to a line: those of its shell's group, those that have its mark among the variables they were
//! started with, those that were found before, and the children of all these. So neither a redirected output nor a session
//! of its own (`setsid`) takes a process out of reach; one that sheds the mark and its parents as well is not found.
//!
//! Fields of `/proc/PID/stat` and what `/proc/PID/environ` holds: proc(5).

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// The variable by which the processes of a line are known.
const VARIABLE: &str = "SELKIES_COMMAND";
/// Bytes of a process's variables that are looked at.
const MAX_VARIABLES: u64 = 1024 * 1024;
/// Processes of one line whose end is waited for: a few tell when to look anew.
const WATCHED: usize = 4;

/// A mark that no other line of any host has.
#[derive(Clone, Debug)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{}-{number}", process::id(), now.as_nanos()))
    }

    /// The variable that carries it.
    pub(crate) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Whether a process was started with it. Of one that may not be looked at, such as another user's, nobody knows.
    fn is_in(&self, pid: i32) -> bool {
        let Ok(file) = File::open(place(pid, "environ")) else { return false };
        let mut variables = Vec::new();
        if file.take(MAX_VARIABLES).read_to_end(&mut variables).is_err() {
            return false;
        }
        variables.split(|byte| *byte == 0).any(|variable| {
            variable.strip_prefix(VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                == Some(self.0.as_bytes())
        })
    }
}

/// The processes of a line, but for its shell.
#[derive(Debug)]
pub(crate) struct Family {
    /// The group that the shell leads, whose number is taken as long as the shell is not waited for.
    group: Pid,
    mark: Mark,
    members: Vec<Process>,
    /// Of some of them: ready when they have ended.
    ends: Vec<OwnedFd>,
}

/// What the kernel tells of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// When it was started; by this a number that was given anew is known.
    since: u64,
    /// It has ended, and its parent has not asked how.
    is_zombie: bool,
}

impl Family {
    /// Nobody is known yet.
    pub(crate) fn new(group: Pid, mark: Mark) -> Self {
        Self { group, mark, members: Vec::new(), ends: Vec::new() }
    }

    /// True when nobody was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Ready when somebody has ended; none where nobody is there, or this process has no descriptors left.
    pub(crate) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ends.iter().map(AsFd::as_fd)
    }

    /// Looks who is there now.
    pub(crate) fn look(&mut self) {
        self.members = self.found();
        if self.members.is_empty() {
            // Whoever forked and ended while it was looked is found by the child.
            self.members = self.found();
        }
        self.ends = self.members.iter().filter_map(Process::handle).take(WATCHED).collect();
    }

    /// Sends a signal to all who were found last, and to the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // Nothing of the group may be left.
        let _ = kill_process_group(self.group, signal);
        let beyond = self.members.iter().filter(|process| process.group != self.group.as_raw_pid());
        for handle in beyond.filter_map(Process::handle) {
            // It may have ended.
            let _ = pidfd_send_signal(&handle, signal);
        }
    }

    fn found(&self) -> Vec<Process> {
        let all: Vec<Process> = processes().collect();
        let shell = self.group.as_raw_pid();
        let was_known = |process: &Process| {
            self.members.iter().any(|known| (known.pid, known.since) == (process.pid, process.since))
        };
        let belongs = |&process: &&Process| {
            process.group == shell || was_known(process) || self.mark.is_in(process.pid)
        };
        let mut family: BTreeSet<i32> = all.iter().filter(belongs).map(|process| process.pid).collect();
        loop {
            let before = family.len();
            for process in &all {
                if family.contains(&process.parent) {
                    family.insert(process.pid);
                }
            }
            if family.len() == before {
                break;
            }
        }
        let others = all.into_iter().filter(|process| process.pid != shell && family.contains(&process.pid));
        others.collect()
    }
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(place(pid, "stat")).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&stat))
    }

    /// Takes hold of it; `None` when it has ended, or this process has no descriptors left.
    fn handle(&self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Its number may have become another's before it was taken hold of.
        let now = Self::read(self.pid)?;
        (now.since == self.since && !now.is_zombie).then_some(handle)
    }

    /// The name, in brackets, may have anything in it, also brackets.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // The 22nd of all.
        let since = fields.nth(16)?.parse().ok()?;
        Some(Self { pid, parent, group, since, is_zombie })
    }
}

/// All that run; none where the kernel's folder of them is not there.
fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::read).filter(|process| !process.is_zombie)
}

fn place(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_move_no_field() {
        let stat = "77 (a) Z 1 (x) S 5 70 71 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        let read = Process::parse(77, stat).expect("read");
        let wanted = Process { pid: 77, parent: 5, group: 70, since: 98765, is_zombie: false };
        assert_eq!(read, wanted);
        assert_eq!(Process::parse(77, "77 (short) S 5 70"), None);
        let own = i32::try_from(process::id()).expect("a number");
        assert!(processes().any(|process| process.pid == own && process.since > 0));
    }

    #[test]
    fn no_two_marks_are_the_same() {
        assert_ne!(Mark::new().variable(), Mark::new().variable());
        let own = i32::try_from(process::id()).expect("a number");
        assert!(!Mark::new().is_in(own));
    }
}
