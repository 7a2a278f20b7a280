//! What a child does first.

use std::{
    ffi::CString,
    fs,
    io::{self, stdin},
    os::fd::{AsFd, RawFd},
    time::Instant,
};

use rustix::{
    fs::{Mode, OFlags, open},
    net::{SocketType, sockopt},
    process::{Signal, getppid, set_parent_process_death_signal},
};
use serde::{Deserialize, Serialize};

use super::{
    channel::{Channel, ChannelError},
    limits::{Limits, STARTUP_DEADLINE},
    sandbox::{self, Profile},
};

/// Added to a child's badness, of 1000: when memory runs out it is a child that dies, and neither host nor desktop.
const OOM_SCORE: i32 = 500;

/// Exit code of a child that was started by hand.
pub const BY_HAND: u8 = 2;

/// The first message to a child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Orders {
    pub(super) label: String,
    pub(super) profile: Profile,
    pub(super) limits: Limits,
}

impl Orders {
    pub(super) fn to_message(&self) -> Vec<u8> {
        // Plain data; were it ever not, the empty message is refused as one.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Why a process cannot be a child.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Somebody typed it.
    #[error("this is how selkies-host runs a plugin in a process of its own; it cannot be started by hand")]
    ByHand,
    /// Called too late; the program must call it first.
    #[error("the child has more than one thread already, so that not all of it would be confined")]
    Threads,
    /// The host died meanwhile.
    #[error("the host is gone")]
    Orphan,
    /// The host does not say what to do.
    #[error("no orders from the host: {0}")]
    Channel(#[from] ChannelError),
    /// The host is another version.
    #[error("unreadable orders: {0}; the host's program was replaced while it runs: start it again")]
    Orders(#[from] serde_json::Error),
    /// The system refuses something.
    #[error("the child cannot be set up: {0}")]
    Io(#[from] io::Error),
}

impl EntryError {
    /// What the process should exit with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::ByHand) { BY_HAND } else { 1 }
    }
}

/// A child that is connected to its host and not confined yet.
#[derive(Debug)]
pub struct Adopted {
    /// The control socket.
    pub channel: Channel,
    /// The label of its [`Launch`](super::Launch).
    pub label: String,
    profile: Profile,
    limits: Limits,
}

/// Makes this process the child of the host that started it: it dies with the host, has no descriptors but 0 to 3, and
/// the control socket is 3.
///
/// Must be called first in the program: it closes every descriptor that somebody else may have opened.
///
/// # Errors
/// [`EntryError`]. Print it, and exit with its code.
pub fn adopt() -> Result<Adopted, EntryError> {
    if fs::read_dir("/proc/self/task").map_or(1, Iterator::count) != 1 {
        return Err(EntryError::Threads);
    }
    if !sockopt::socket_type(stdin()).is_ok_and(|kind| kind == SocketType::SEQPACKET) {
        return Err(EntryError::ByHand);
    }
    // Who made the socket, which is who started this process. If it died before the signal was asked for, the signal
    // will not come, but the parent is another one.
    let host = sockopt::socket_peercred(stdin()).map_err(io::Error::from)?.pid;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    if getppid() != Some(host) {
        return Err(EntryError::Orphan);
    }
    raise_oom_score();
    close_all_from(3)?;
    let channel = Channel::from_fd(rustix::io::fcntl_dupfd_cloexec(stdin(), 3).map_err(io::Error::from)?);
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?;
    rustix::stdio::dup2_stdin(null.as_fd()).map_err(io::Error::from)?;

    let mut message = Vec::new();
    channel.receive(&mut message, Some(Instant::now() + STARTUP_DEADLINE))?;
    let Orders { label, profile, limits } = serde_json::from_slice(&message)?;
    name_process(&label);
    Ok(Adopted { channel, label, profile, limits })
}

impl Adopted {
    /// Confines the process for good: limits, then the sandbox. Call it before any of the plugin's code is loaded and
    /// before there are other threads. What this system does not offer is told in lines for the log.
    #[must_use]
    pub fn restrict(&self) -> Vec<String> {
        let mut lines = self.limits.apply();
        lines.extend(sandbox::restrict(&self.profile));
        lines
    }
}

/// Closes the descriptors that C libraries in the host left open on exec.
fn close_all_from(first: RawFd) -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd >= first)
        .collect();
    for fd in open {
        // SAFETY: this process has one thread and has just begun, so nothing owns this descriptor; the one of the
        // listing above is closed already, and closing a number that is none does nothing.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Not being able to is no reason to stop.
fn raise_oom_score() {
    const PATH: &str = "/proc/self/oom_score_adj";
    let present: i32 = fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    if present < OOM_SCORE {
        _ = fs::write(PATH, OOM_SCORE.to_string());
    }
}

/// For `ps` and `top`, which show 15 characters: without the vendor there is more to see.
fn name_process(label: &str) {
    let plugin = label.rsplit('.').next().unwrap_or(label);
    if let Ok(name) = CString::new(format!("plugin:{plugin}")) {
        _ = rustix::thread::set_name(&name);
    }
}
