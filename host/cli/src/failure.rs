//! Why a command ends without success, and output that may be closed early.

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use selkies_config::ConfigErrors;

use crate::xvfb::XvfbError;

/// Exit code for a wrong configuration; a wrong command line ends with the same.
const CONFIGURATION: u8 = 2;

/// Why a command ended without success. Several mistakes are several lines; each names its place.
pub(crate) enum Failure {
    /// The configuration is wrong: exit code 2.
    Configuration(ConfigErrors),
    /// Anything else, as one line with a code and the remedy: exit code 1.
    Other(String),
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Configuration(errors)
    }
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self::Other(line)
    }
}

impl From<&str> for Failure {
    fn from(line: &str) -> Self {
        Self::Other(line.to_owned())
    }
}

impl From<XvfbError> for Failure {
    fn from(error: XvfbError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Failure {
    /// Prints it on standard error and answers the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Self::Configuration(errors) => (errors.to_string(), ExitCode::from(CONFIGURATION)),
            Self::Other(line) => (line, ExitCode::FAILURE),
        };
        // Where standard error is closed, the exit code says it.
        let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
        code
    }
}

/// Writes `text` and a line's end on standard output. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("CL013 standard output: {error}; send it to where it can be written")))
        }
        _ => Ok(()),
    }
}
