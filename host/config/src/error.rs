//! What is wrong with a configuration, one line per mistake.

use std::{fmt, path::PathBuf};

use thiserror::Error;

/// The class of a mistake. The number in the text is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Code {
    /// The file cannot be read.
    Unreadable,
    /// The file is longer than [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES).
    TooLarge,
    /// The file is no JSON.
    Syntax,
    /// A key that nobody reads.
    UnknownKey,
    /// A value of the wrong JSON type.
    WrongType,
    /// A value outside of what is allowed.
    NotAllowed,
    /// Something that must be there is not.
    Missing,
    /// The same thing twice.
    Duplicate,
    /// A plugin's own schema cannot be used.
    PluginSchema,
    /// Other machines could connect without a password.
    Exposed,
    /// A variable or file that is no UTF-8.
    NotUtf8,
    /// A plugin that is not there, or may not be used.
    NoSuchPlugin,
    /// Protection that is asked for, and that this version does not give.
    Unprotected,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "SC001",
            Self::TooLarge => "SC002",
            Self::Syntax => "SC003",
            Self::UnknownKey => "SC004",
            Self::WrongType => "SC005",
            Self::NotAllowed => "SC006",
            Self::Missing => "SC007",
            Self::Duplicate => "SC008",
            Self::PluginSchema => "SC009",
            Self::Exposed => "SC010",
            Self::NotUtf8 => "SC011",
            Self::NoSuchPlugin => "SC012",
            Self::Unprotected => "SC013",
        })
    }
}

/// Where a mistake was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file as a whole.
    WholeFile(PathBuf),
    /// A place in the configuration file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// JSON pointer of the value; empty for the document itself.
        pointer: String,
    },
    /// A variable of the environment.
    Env(String),
    /// A flag of the command line.
    Flag(String),
    /// What a plugin says about itself.
    Plugin(String),
    /// The built-in default of a setting.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile(path) => write!(f, "{}", path.display()),
            Self::File { path, line, column, pointer } => {
                let pointer = if pointer.is_empty() { "(document)" } else { pointer };
                // A key of the file may hold anything; the error stays one line.
                write!(f, "{}:{line}:{column}: {}", path.display(), pointer.escape_debug())
            }
            Self::Env(name) => write!(f, "{name}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Plugin(id) => write!(f, "plugin {}", id.escape_debug()),
            Self::Default(name) => write!(f, "default of {name}"),
        }
    }
}

/// What to do about a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// What may be there instead.
    Allowed(String),
    /// The one name that is near to what is there.
    Meant(String),
    /// The words of whoever refuses it, remedy included.
    Reason(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(allowed) => write!(f, ", allowed {allowed}"),
            Self::Meant(name) => write!(f, "; did you mean {name:?}?"),
            Self::Reason(reason) => write!(f, ": {reason}"),
        }
    }
}

/// One mistake: `SC0nn ORIGIN: found X, allowed Y`, or with another [`Remedy`] in the place of the last.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code} {origin}: found {found}{remedy}")]
pub struct ConfigError {
    /// Its class.
    pub code: Code,
    /// Where it was made.
    pub origin: Origin,
    /// What is there; `***` in place of secrets.
    pub found: String,
    /// What to do about it.
    pub remedy: Remedy,
}

impl ConfigError {
    pub(crate) fn new(
        code: Code,
        origin: Origin,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self { code, origin, found: found.into(), remedy: Remedy::Allowed(allowed.into()) }
    }

    /// Sorts mistakes: those of the file first, in its order.
    pub(crate) fn place(&self) -> (usize, usize) {
        match &self.origin {
            Origin::WholeFile(_) => (0, 0),
            Origin::File { line, column, .. } => (*line, *column),
            Origin::Env(_) | Origin::Flag(_) | Origin::Plugin(_) | Origin::Default(_) => (usize::MAX, 0),
        }
    }
}

/// Every mistake of a configuration, never empty. Displays as one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Fails with the mistakes, if there are any.
    pub(crate) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The mistakes: those of the file first, in its order, then those of the settings.
    #[must_use]
    pub fn as_slice(&self) -> &[ConfigError] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
