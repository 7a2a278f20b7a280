//! What the host itself lacks. No plugin is to blame for it, and no child ends because of it.

use std::{io, time::Duration};

use super::channel::ChannelError;

/// How long the host waits before it tries again what it lacks the memory for.
pub(super) const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// True when the system has no descriptors, memory or processes left for this process.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    const SHORT: [i32; 6] =
        [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN, libc::ENOBUFS, libc::ETOOMANYREFS];
    error.raw_os_error().is_some_and(|number| SHORT.contains(&number))
}

impl ChannelError {
    /// True when the other process has no part in it.
    pub(super) fn is_shortage(&self) -> bool {
        matches!(self, Self::Io(error) if is_shortage(error))
    }

    /// True when a message was lost by it.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::Io(error) if error.raw_os_error() == Some(libc::EMFILE))
    }
}
