//! Values of settings after reading.

use std::fmt;

/// Text that shows as `***` wherever it is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. Whoever takes it must not print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A setting's value, as its [`Kind`](crate::Kind) reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// On or off.
    Bool {
        /// The value.
        on: bool,
        /// The browser may not change it.
        locked: bool,
    },
    /// One of several names.
    Choice {
        /// The value the browser starts with.
        value: String,
        /// What it may change to, in the order of the menu.
        allowed: Vec<String>,
    },
    /// Several names.
    List(Vec<String>),
    /// A number between two others.
    Range {
        /// Smallest number the browser may ask for.
        min: i64,
        /// Largest number the browser may ask for.
        max: i64,
        /// The number it starts with.
        initial: i64,
    },
    /// A number.
    Int(i64),
    /// Some text.
    Text(String),
    /// Text that is not shown.
    Secret(Secret),
    /// Pixels.
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

impl Value {
    /// True when the browser has nothing to choose: a locked boolean, a single name, a range of one number.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        match self {
            Self::Bool { locked, .. } => *locked,
            Self::Choice { allowed, .. } => allowed.len() <= 1,
            Self::Range { min, max, .. } => min == max,
            Self::List(_) | Self::Int(_) | Self::Text(_) | Self::Secret(_) | Self::Size { .. } => true,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool { on, locked } => write!(f, "{on}{}", if *locked { " (locked)" } else { "" }),
            Self::Choice { value, allowed } if allowed.len() <= 1 => write!(f, "{value} (locked)"),
            Self::Choice { value, allowed } => write!(f, "{value} (of {})", allowed.join(",")),
            Self::List(names) if names.is_empty() => f.write_str("none"),
            Self::List(names) => f.write_str(&names.join(",")),
            Self::Range { min, max, .. } if min == max => write!(f, "{min} (locked)"),
            Self::Range { min, max, initial } => write!(f, "{min}-{max} (starts at {initial})"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Secret(secret) if secret.is_empty() => f.write_str("not set"),
            Self::Secret(secret) => write!(f, "{secret}"),
            Self::Size { width, height } => write!(f, "{width}x{height}"),
        }
    }
}
