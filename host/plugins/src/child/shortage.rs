//! What the host itself lacks, or cannot do. No plugin is to blame for it, and no child ends because of it.

use std::{io, time::Duration};

use super::{channel::ChannelError, process::LaunchError};
use crate::FaultDetail;

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

impl LaunchError {
    /// What the host cannot do; `None` where the plugin asks for more than any host can give it. The program is this one,
    /// and nothing of the plugin's is in it yet.
    pub(super) fn of_host(&self) -> Option<FaultDetail> {
        match self {
            Self::Orders(ChannelError::TooLong | ChannelError::TooManyDescriptors) => None,
            Self::Start { error, .. } | Self::Orders(ChannelError::Io(error)) => Some(match error.kind() {
                _ if is_shortage(error) => FaultDetail::OutOfResources,
                io::ErrorKind::NotFound => FaultDetail::NotFound,
                io::ErrorKind::PermissionDenied => FaultDetail::Permission,
                _ => FaultDetail::Io,
            }),
            Self::Orders(ChannelError::Closed | ChannelError::Timeout) => Some(FaultDetail::Io),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_manifest_that_asks_too_much_is_the_plugins_own() {
        let start = |number| {
            let error = io::Error::from_raw_os_error(number);
            LaunchError::Start { program: "selkies-host".into(), error }.of_host()
        };
        assert_eq!(start(libc::EMFILE), Some(FaultDetail::OutOfResources));
        assert_eq!(start(libc::EAGAIN), Some(FaultDetail::OutOfResources));
        assert_eq!(start(libc::ENOENT), Some(FaultDetail::NotFound));
        assert_eq!(start(libc::EACCES), Some(FaultDetail::Permission));
        assert_eq!(start(libc::ENOEXEC), Some(FaultDetail::Io));
        let orders = |error| LaunchError::Orders(error).of_host();
        let short = io::Error::from_raw_os_error(libc::ENOBUFS);
        assert_eq!(orders(ChannelError::Io(short)), Some(FaultDetail::OutOfResources));
        assert_eq!(orders(ChannelError::TooLong), None);
    }
}
