//! What the host itself lacks. No plugin is to blame for it, and no child ends because of it.

use std::io;

use super::channel::ChannelError;

/// True when the system has no descriptors, memory or processes left for this process.
fn is_shortage(error: &io::Error) -> bool {
    const SHORT: [i32; 6] =
        [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN, libc::ENOBUFS, libc::ETOOMANYREFS];
    error.raw_os_error().is_some_and(|number| SHORT.contains(&number))
}

impl ChannelError {
    /// True when the other process has no part in it.
    pub(super) fn is_shortage(&self) -> bool {
        matches!(self, Self::Io(error) if is_shortage(error))
    }
}
