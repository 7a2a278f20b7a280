//! How a child ended.

use std::fmt;

/// How a child process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A signal ended it: a crash, the sandbox (`SIGSYS`), the kernel's memory killer or the host (`SIGKILL`).
    Signal {
        /// Number of the signal.
        number: i32,
    },
    /// It ended itself with this exit code. No plugin should: codes other than 0 come from `exit()` in its code.
    Exit(i32),
    /// Nobody knows: something else in the host's process waited for it.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Signal { number } => match name(number) {
                Some(name) => write!(f, "killed by {name} ({number})"),
                None => write!(f, "killed by signal {number}"),
            },
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// Names of the signals that end a process by themselves.
fn name(number: i32) -> Option<&'static str> {
    const NAMES: &[(i32, &str)] = &[
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_in_words() {
        assert_eq!(Ending::Signal { number: 11 }.to_string(), "killed by SIGSEGV (11)");
        assert_eq!(Ending::Signal { number: 40 }.to_string(), "killed by signal 40");
        assert_eq!(Ending::Exit(0).to_string(), "exit code 0");
    }
}
