//! A child process as the host holds it.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_setfl},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal,
        waitid,
    },
};

use super::{
    channel::{Channel, ChannelError},
    ending::Ending,
    entry::Orders,
    environment,
    limits::Limits,
    sandbox::Profile,
    spawner,
    watch::{LineSink, Watched, watch},
};

/// How long a killed child may take to die before another thread waits for it. Usually it is less than a millisecond; a
/// process inside a driver's call dies when that returns, one with much memory when the kernel has freed it.
const DEATH_DEADLINE: Duration = Duration::from_millis(30);

/// A child to start.
pub struct Launch {
    /// The program: this host's own, or one that calls [`adopt`](super::adopt) first as well.
    pub program: PathBuf,
    /// What makes the program call [`adopt`](super::adopt). The label follows as the last argument.
    pub arguments: Vec<OsString>,
    /// Ids of the plugins that it is for; shown by `ps`, in its name and in lines about it.
    pub label: String,
    /// What it may do.
    pub profile: Profile,
    /// What it may use up.
    pub limits: Limits,
    /// Takes what it prints, line by line: at most 4 KiB each, a hundred a second, without control characters.
    pub lines: LineSink,
}

/// Why a child was not started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The system does not start it.
    #[error("cannot start {}: {error}; check that the file may be run and that processes and descriptors are left", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What it must know does not fit into one message.
    #[error("cannot tell the child what it may do: {0}; name fewer files and devices in the manifest")]
    Orders(ChannelError),
}

/// A running child process. Any thread may use it. Dropping it kills it.
pub struct Child {
    process: Arc<Process>,
    channel: Arc<Channel>,
    label: String,
    watched: Watched,
}

impl Child {
    /// Starts a child. It has said nothing yet when this returns, and is maybe not even running: see
    /// [`STARTUP_DEADLINE`](super::STARTUP_DEADLINE).
    ///
    /// # Errors
    /// [`LaunchError`]; nothing is left running then.
    pub fn spawn(launch: Launch) -> Result<Self, LaunchError> {
        let Launch { program, arguments, label, profile, limits, lines } = launch;
        let failed = |error: io::Error| LaunchError::Start { program: program.clone(), error };
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        // Waits in the socket until the child reads it.
        let orders = Orders { label, profile, limits };
        ours.send(&orders.to_message(), &[]).map_err(LaunchError::Orders)?;

        let (output, input) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        fcntl_setfl(&output, OFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        let watched = watch(output, lines).map_err(failed)?;

        // No `pre_exec`: without it the child is made by vfork, which costs the same however much memory the host has.
        // What must be done in the child is done by `adopt`, and the channel comes as the only descriptor that can be
        // passed without it.
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .arg(&orders.label)
            .env_clear()
            .envs(environment::of_child())
            .process_group(0)
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::from(input.try_clone().map_err(failed)?))
            .stderr(Stdio::from(input));
        let process = Process::of(spawner::spawn(command).map_err(failed)?).map_err(failed)?;
        Ok(Self { process: Arc::new(process), channel: Arc::new(ours), label: orders.label, watched })
    }

    /// The control socket.
    #[must_use]
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The label that it was started with.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Becomes readable when the child is dead; for polling it beside the channel.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd()
    }

    /// How the child ended; `None` while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<Ending> {
        self.process.ended()
    }

    /// Waits at most `timeout` for the child's end.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Ending> {
        self.process.wait(timeout)
    }

    /// Kills the child and its process group; does nothing when it is dead. Does not wait.
    pub fn kill(&self) {
        self.process.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if self.wait(DEATH_DEADLINE).is_none() {
            self.watched.bury(Arc::clone(&self.process));
        }
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child").field("label", &self.label).field("id", &self.id()).finish_non_exhaustive()
    }
}

/// The process alone, until it is reaped.
pub(super) struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    /// How it ended. Its number may be another process's once this is set.
    ending: Mutex<Option<Ending>>,
}

impl Process {
    fn of(mut child: std::process::Child) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        // The number is the child's for sure: nobody has reaped it.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { pid, pidfd, ending: Mutex::default() }),
            Err(error) => {
                _ = child.kill();
                _ = child.wait();
                Err(error.into())
            }
        }
    }

    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(super) fn ended(&self) -> Option<Ending> {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if ending.is_none() {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            match waitid(WaitId::PidFd(self.pidfd()), look | WaitIdOptions::NOWAIT) {
                Ok(Some(_)) => {
                    // What it started goes with it, while the group's number is still its own.
                    _ = kill_process_group(self.pid, Signal::KILL);
                    *ending = match waitid(WaitId::PidFd(self.pidfd()), look) {
                        Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                            (Some(code), _) => Ending::Exit(code),
                            (None, Some(number)) => Ending::Signal { number },
                            (None, None) => Ending::Unknown,
                        }),
                        _ => Some(Ending::Unknown),
                    };
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => *ending = Some(Ending::Unknown),
            }
        }
        *ending
    }

    fn wait(&self, timeout: Duration) -> Option<Ending> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if let Some(ending) = self.ended() {
                return Some(ending);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::from_borrowed_fd(self.pidfd(), PollFlags::IN)], limit.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return self.ended(),
            }
        }
    }

    fn kill(&self) {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if ending.is_none() {
            // Both fail only for a process that is dead already.
            _ = pidfd_send_signal(self.pidfd(), Signal::KILL);
            _ = kill_process_group(self.pid, Signal::KILL);
        }
    }
}
