//! One running line.

use std::{
    io::{self, PipeReader, Read},
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid},
};
use tracing::debug;

use crate::{Exit, Report};

/// How long processes may take to end by themselves once they are asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const BLOCK: usize = 16 * 1024;

/// A shell with a line, and the group that it leads.
pub(crate) struct Line {
    child: Child,
    group: Pid,
    /// Ready when the shell has ended.
    ended: OwnedFd,
    /// What the group prints; `None` once nobody holds the other end.
    output: Option<PipeReader>,
    kept: Vec<u8>,
    most: usize,
    cut: bool,
}

impl Line {
    /// Starts a shell; its output is kept up to `most` bytes.
    pub(crate) fn start(mut shell: Command, most: usize) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let flags = fcntl_getfl(&reader)?;
        fcntl_setfl(&reader, flags | OFlags::NONBLOCK)?;
        shell.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = shell.spawn()?;
        // Ours of the writing ends are closed with it.
        drop(shell);
        let group = Pid::from_child(&child);
        let ended = match pidfd_open(group, PidfdFlags::empty()) {
            Ok(ended) => ended,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        };
        Ok(Self { child, group, ended, output: Some(reader), kept: Vec::new(), most, cut: false })
    }

    /// Runs until nothing of the group is left that prints. `stop` becomes readable when it is to end. `report` is called
    /// once, when the shell has ended.
    pub(crate) fn serve(mut self, limit: Option<Duration>, stop: &OwnedFd, report: impl FnOnce(Report)) {
        let mut report = Some(report);
        let deadline = limit.map(|limit| Instant::now() + limit);
        // Why it is made to end, and when by force.
        let mut forced: Option<(Exit, Option<Instant>)> = None;
        loop {
            let due = match &forced {
                Some((_, kill_at)) => *kill_at,
                None => deadline,
            };
            let woken = self.sleep(report.is_some(), forced.is_none().then_some(stop), due);
            if woken.printed {
                self.read();
            }
            if woken.ended {
                let exit = self.exit();
                self.read();
                let exit = forced.map_or(exit, |(why, _)| why);
                if let Some(report) = report.take() {
                    let output = String::from_utf8_lossy(&self.kept).into_owned();
                    report(Report { exit, output, cut: self.cut });
                }
                self.kept = Vec::new();
                self.most = 0;
            }
            if report.is_none() && self.output.is_none() {
                break;
            }
            match forced {
                None if woken.asked => forced = Some((Exit::Ended, self.ask_to_end())),
                None if is_past(deadline) => forced = Some((Exit::TimedOut, self.ask_to_end())),
                Some((why, Some(kill_at))) if is_past(Some(kill_at)) => {
                    self.signal(Signal::KILL);
                    forced = Some((why, None));
                    // Who left the group may print on, to nobody.
                    self.output = None;
                }
                _ => {}
            }
        }
        // Not before: until then no other group can have its number.
        if let Err(error) = self.child.wait() {
            debug!(%error, "a command was not waited for");
        }
    }

    /// Sleeps until something happens.
    fn sleep(&self, shell_runs: bool, stop: Option<&OwnedFd>, due: Option<Instant>) -> Woken {
        // What is not asked about is left out.
        let ended = shell_runs.then(|| self.ended.as_fd());
        let output = self.output.as_ref().map(AsFd::as_fd);
        let about = [ended, output, stop.map(AsFd::as_fd)];
        let mut fds: Vec<PollFd<'_>> =
            about.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
        // Rounded up: an early look would turn in circles until it is due.
        let timeout = timeout.and_then(|wait| Timespec::try_from(wait + Duration::from_millis(1)).ok());
        // An interrupted sleep is one in which nothing happened.
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Woken::default();
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let [ended, printed, asked] =
            about.map(|asked| asked.is_some() && happened.next().unwrap_or_default());
        Woken { ended, printed, asked }
    }

    /// Reads what is there; keeps as much as may be kept.
    fn read(&mut self) {
        let Some(output) = &mut self.output else { return };
        let mut block = [0; BLOCK];
        // A flood does not keep the thread from looking at the clock.
        for _ in 0..16 {
            match output.read(&mut block) {
                Ok(0) => {
                    self.output = None;
                    return;
                }
                Ok(read) => {
                    let kept = read.min(self.most.saturating_sub(self.kept.len()));
                    self.kept.extend_from_slice(&block[..kept]);
                    self.cut |= kept < read;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    debug!(%error, "the output of a command could not be read");
                    self.output = None;
                    return;
                }
            }
        }
    }

    /// How the shell ended, which stays a zombie.
    fn exit(&self) -> Exit {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::PidFd(self.ended.as_fd()), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Ended,
            },
            Ok(None) | Err(_) => Exit::Ended,
        }
    }

    /// Answers when to end it by force.
    fn ask_to_end(&self) -> Option<Instant> {
        self.signal(Signal::TERM);
        Some(Instant::now() + GRACE)
    }

    fn signal(&self, signal: Signal) {
        // Nothing of the group may be left.
        let _ = kill_process_group(self.group, signal);
    }
}

/// What happened.
#[derive(Default)]
struct Woken {
    ended: bool,
    printed: bool,
    asked: bool,
}

fn is_past(time: Option<Instant>) -> bool {
    time.is_some_and(|time| Instant::now() >= time)
}
