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
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, waitid},
};
use tracing::{debug, warn};

use crate::{
    Exit, Report,
    family::{Family, Mark},
};

/// How long processes may take to end by themselves once they are asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const BLOCK: usize = 16 * 1024;
/// Pause between two looks while nobody tells of an end.
const UNWATCHED: Duration = Duration::from_secs(1);
/// The first pause after processes were ended by force, before it is looked who is left; each is twice the one before.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// So often it is looked.
const LOOKS: u32 = 4;

/// A shell with a line, and the processes that came of it.
pub(crate) struct Line {
    child: Child,
    family: Family,
    /// Ready when the shell has ended.
    ended: OwnedFd,
    /// What they print; `None` once nobody holds the other end.
    output: Option<PipeReader>,
    kept: Vec<u8>,
    most: usize,
    cut: bool,
}

/// Whether it is made to end, and why.
#[derive(Clone, Copy, Debug)]
enum Force {
    /// Not yet.
    None,
    /// It was asked to, and has time until then.
    Asked(Exit, Instant),
    /// By force; so often it was looked who is left, and when it is looked again.
    Killed(Exit, u32, Option<Instant>),
}

impl Force {
    fn why(self) -> Option<Exit> {
        match self {
            Self::None => None,
            Self::Asked(why, _) | Self::Killed(why, ..) => Some(why),
        }
    }
}

impl Line {
    /// Starts a shell, the leader of a group, with a mark by which what it starts is known; its output is kept up to `most`
    /// bytes.
    pub(crate) fn start(mut shell: Command, most: usize) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let flags = fcntl_getfl(&reader)?;
        fcntl_setfl(&reader, flags | OFlags::NONBLOCK)?;
        shell.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mark = Mark::new();
        let (name, value) = mark.variable();
        let mut child = shell.env(name, value).spawn()?;
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
        let family = Family::new(group, mark);
        Ok(Self { child, family, ended, output: Some(reader), kept: Vec::new(), most, cut: false })
    }

    /// Runs until nothing is left of what came of it. `stop` becomes readable when it is to end. `report` is called once,
    /// when the shell has ended.
    pub(crate) fn serve(mut self, limit: Option<Duration>, stop: &OwnedFd, report: impl FnOnce(Report)) {
        let mut report = Some(report);
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut force = Force::None;
        loop {
            let due = match force {
                Force::None => deadline,
                Force::Asked(_, kill_at) => Some(kill_at),
                Force::Killed(_, _, look_at) => look_at,
            };
            let woken = self.sleep(report.is_some(), matches!(force, Force::None).then_some(stop), due);
            if woken.printed {
                self.read();
            }
            if woken.ended {
                let exit = self.exit();
                self.read();
                let exit = force.why().unwrap_or(exit);
                if let Some(report) = report.take() {
                    let output = String::from_utf8_lossy(&self.kept).into_owned();
                    report(Report { exit, output, cut: self.cut });
                }
                self.kept = Vec::new();
                self.most = 0;
            }
            if woken.ended || woken.lost || matches!(force, Force::Killed(..)) {
                self.family.look();
            }
            if report.is_none() && self.output.is_none() && self.family.is_empty() {
                break;
            }
            force = match force {
                Force::None if woken.asked => self.ask_to_end(Exit::Ended),
                Force::None if is_past(deadline) => self.ask_to_end(Exit::TimedOut),
                Force::Asked(why, kill_at) if is_past(Some(kill_at)) => {
                    self.family.look();
                    self.kill(why, 0)
                }
                Force::Killed(why, looks, look_at) if is_past(look_at) => {
                    if looks >= LOOKS && report.is_none() {
                        warn!("processes of a command cannot be ended");
                        break;
                    }
                    self.kill(why, looks)
                }
                force => force,
            };
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
        let all = about.iter().flatten().copied().chain(self.family.ends());
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let unwatched = !self.family.is_empty() && fds.len() == about.iter().flatten().count();
        let look_at = unwatched.then(|| Instant::now() + UNWATCHED);
        let due = due.into_iter().chain(look_at).min();
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
        Woken { ended, printed, asked, lost: happened.any(|ended| ended) || is_past(look_at) }
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

    /// Asks all of it to end.
    fn ask_to_end(&mut self, why: Exit) -> Force {
        self.family.look();
        self.family.signal(Signal::TERM);
        Force::Asked(why, Instant::now() + GRACE)
    }

    /// Ends by force who was found when it was looked last.
    fn kill(&mut self, why: Exit, looks: u32) -> Force {
        self.family.signal(Signal::KILL);
        // Who is out of reach may print on, to nobody.
        self.output = None;
        let again = (looks < LOOKS).then(|| Instant::now() + LOOK_AGAIN * (1 << looks));
        Force::Killed(why, looks + 1, again)
    }
}

/// What happened.
#[derive(Default)]
struct Woken {
    ended: bool,
    printed: bool,
    asked: bool,
    /// One of the family has ended.
    lost: bool,
}

fn is_past(time: Option<Instant>) -> bool {
    time.is_some_and(|time| Instant::now() >= time)
}
