//! One setting across the layers: which values were given, and which of them holds.

use std::{fmt, path::PathBuf};

use crate::{
    error::{Code, ConfigError, Origin},
    parse::{Problem, default_value, parse},
    place::has_login,
    table::{Setting, env_name},
    value::Value,
};

/// Where a value was given. The order is that of precedence, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Cli(String),
    /// A `SELKIES_*` variable.
    Env(String),
    /// A variable that other programs or older versions use.
    Legacy(String),
    /// The configuration file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// The table.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cli(flag) => write!(f, "command line {flag}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Legacy(name) => write!(f, "older variable {name}"),
            Self::File { path, line, column } => write!(f, "file {}:{line}:{column}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value that was given for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where.
    pub source: Source,
    /// Its text; `***` for a secret.
    pub shown: String,
}

/// A setting with its value.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The row of the table.
    pub setting: &'static Setting,
    /// The value that holds.
    pub value: Value,
    /// Where that value was given.
    pub source: Source,
    /// Every value that was given, the strongest first, the default last.
    pub layers: Vec<Layer>,
}

impl Resolved {
    /// True when somebody gave the value, false for the default.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.source != Source::Default
    }
}

/// A setting that was given a value, but whose feature does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inactive {
    /// Name of the setting.
    pub name: &'static str,
    /// The feature that is missing.
    pub feature: &'static str,
    /// Where the value was given.
    pub source: Source,
}

impl fmt::Display for Inactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) is not active yet: {}", self.name, self.source, self.feature)
    }
}

/// A value as it was given: its source, where an error about it points, and its text or why there is none.
pub(crate) struct Given {
    pub(crate) source: Source,
    pub(crate) origin: Origin,
    pub(crate) text: Result<String, Problem>,
}

/// The variables of a setting, the strongest first.
pub(crate) fn env_names(setting: &Setting) -> impl Iterator<Item = String> {
    setting.names().map(env_name)
}

/// Takes the strongest value. Weaker ones must be right too, except those of older variables, which other programs own.
pub(crate) fn resolve(
    setting: &'static Setting,
    given: Vec<Given>,
    extra: &[String],
    errors: &mut Vec<ConfigError>,
) -> Option<Resolved> {
    let mut winner: Option<(Source, Value)> = None;
    let mut layers = Vec::new();
    for Given { source, origin, text } in given {
        let is_hidden = |text: &str| setting.is_secret() || has_login(setting, text);
        let shown = |text: &str| if is_hidden(text) { "***".to_owned() } else { format!("{text:?}") };
        let wins = layers.is_empty();
        layers.push(Layer {
            source: source.clone(),
            shown: text.as_ref().map_or_else(|problem| problem.found.clone(), |text| shown(text)),
        });
        match text.and_then(|text| parse(setting, &text, extra)) {
            Ok(value) if wins => winner = Some((source, value)),
            Ok(_) => {}
            Err(_) if !wins && matches!(source, Source::Legacy(_)) => {}
            Err(problem) => errors.push(error(origin, problem)),
        }
    }
    let default = default_value(setting, extra);
    layers.push(Layer { source: Source::Default, shown: format!("{:?}", setting.default) });
    let (source, value) = match (winner, default) {
        (Some(winner), _) => winner,
        (None, Ok(value)) => (Source::Default, value),
        (None, Err(problem)) => {
            errors.push(error(Origin::Default(setting.name), problem));
            return None;
        }
    };
    Some(Resolved { setting, value, source, layers })
}

fn error(origin: Origin, problem: Problem) -> ConfigError {
    let code = if problem.wrong_type { Code::WrongType } else { Code::NotAllowed };
    ConfigError::new(code, origin, problem.found, problem.allowed)
}
