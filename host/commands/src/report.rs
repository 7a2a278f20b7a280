//! What became of a line.

use std::{fmt, io};

/// Why a line was not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to run, or what no command line has.
    #[error("CM001 the command line is empty or has a NUL in it. Send another")]
    Malformed,
    /// It is too long.
    #[error("CM002 the command line is longer than {limit} bytes. Send a shorter one, or a script's name")]
    TooLong {
        /// Most bytes.
        limit: usize,
    },
    /// As many run as may.
    #[error("CM003 {limit} commands run already. End one of them")]
    TooMany {
        /// How many may run.
        limit: usize,
    },
    /// The host ends.
    #[error("CM004 the host is ending")]
    Ending,
    /// The system does not start it.
    #[error("CM005 the command could not be started: {0}. See the limits of the host")]
    Start(io::Error),
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It took longer than it may.
    TimedOut,
    /// Because its client left, or the host ends.
    Ended,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("took too long"),
            Self::Ended => f.write_str("ended with its session"),
        }
    }
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub exit: Exit,
    /// What it printed, its errors among it; bytes that are no UTF-8 are replaced.
    pub output: String,
    /// There was more than is kept.
    pub cut: bool,
}
