//! Names that browsers give.

use std::fmt;

/// Longest path, bytes.
pub const MAX_PATH: usize = 4096;
/// Longest name of a file or folder, bytes: what Linux's file systems take.
pub const MAX_NAME: usize = 255;
/// Most folders within each other.
pub const MAX_DEPTH: usize = 32;

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left of it, where a file is wanted.
    #[error("FI001 the path names no file. Name one below the folder")]
    Empty,
    /// It is longer than [`MAX_PATH`] or [`MAX_NAME`], or deeper than [`MAX_DEPTH`].
    #[error("FI002 the path is too long. Use names of at most 255 bytes, 32 folders deep")]
    TooLong,
    /// It wants to leave the folder.
    #[error("FI003 the path contains \"..\". Name the file from the folder on")]
    Parent,
    /// It begins with a dot: settings of programs, keys, and this host's own unfinished uploads.
    #[error("FI004 hidden names (.name) are not served. Rename the file")]
    Hidden,
    /// It has characters that end a line, or that show it other than it is.
    #[error("FI005 the name has control characters. Rename the file")]
    Control,
}

/// A path below the folder, of names that are safe to open, to show and to put into a header. Empty for the folder itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelativePath {
    names: Vec<String>,
}

impl RelativePath {
    /// Reads a path of a browser. Slashes of both kinds divide it; empty names, `.` and slashes at its ends are left out.
    ///
    /// # Errors
    /// [`NameError`] for what is not taken; names are refused and not changed, so that a file is where it was said to be.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_PATH {
            return Err(NameError::TooLong);
        }
        let mut names = Vec::new();
        for name in text.split(['/', '\\']).filter(|name| !name.is_empty() && *name != ".") {
            judge(name)?;
            names.push(name.to_owned());
        }
        if names.len() > MAX_DEPTH {
            return Err(NameError::TooLong);
        }
        Ok(Self { names })
    }

    /// Whether a name that is on the disk can be asked for.
    pub(crate) fn serves(name: &str) -> bool {
        !name.is_empty() && !name.contains(['/', '\\']) && judge(name).is_ok()
    }

    /// The names, outermost first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// True for the folder itself.
    #[must_use]
    pub fn is_folder_itself(&self) -> bool {
        self.names.is_empty()
    }

    /// The folders, and the last name.
    ///
    /// # Errors
    /// [`NameError::Empty`] for the folder itself.
    pub fn split(&self) -> Result<(&[String], &str), NameError> {
        let (last, folders) = self.names.split_last().ok_or(NameError::Empty)?;
        Ok((folders, last))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("/"))
    }
}

fn judge(name: &str) -> Result<(), NameError> {
    if name == ".." {
        return Err(NameError::Parent);
    }
    if name.starts_with('.') {
        return Err(NameError::Hidden);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    if name.chars().any(is_deceptive) {
        return Err(NameError::Control);
    }
    Ok(())
}

/// Control characters, line separators, and what turns the direction of writing (`gpj.exe` for `exe.jpg`).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_browsers() {
        for (text, path) in [
            ("a.txt", "a.txt"),
            ("/abs/file", "abs/file"),
            ("folder\\file", "folder/file"),
            ("./a//b/./c/", "a/b/c"),
            ("CON", "CON"),
            ("Grüße & <b>.txt", "Grüße & <b>.txt"),
            ("", ""),
        ] {
            assert_eq!(RelativePath::parse(text).map(|path| path.to_string()).as_deref(), Ok(path), "{text}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "x".repeat(MAX_NAME + 1);
        let deep = "d/".repeat(MAX_DEPTH + 1);
        let endless = "y/".repeat(MAX_PATH);
        for (text, error) in [
            ("../../.bashrc", NameError::Parent),
            ("a/../b", NameError::Parent),
            ("..\\..\\x", NameError::Parent),
            (".ssh/authorized_keys", NameError::Hidden),
            ("a/.hidden", NameError::Hidden),
            ("...", NameError::Hidden),
            ("a\0b", NameError::Control),
            ("a\r\nSet-Cookie: x", NameError::Control),
            ("exe\u{202e}gpj.txt", NameError::Control),
            ("a\u{2028}b", NameError::Control),
            (long.as_str(), NameError::TooLong),
            (deep.as_str(), NameError::TooLong),
            (endless.as_str(), NameError::TooLong),
        ] {
            assert_eq!(RelativePath::parse(text), Err(error), "{text:?}");
        }
        let folder = RelativePath::parse("/").expect("the folder");
        assert_eq!(folder.split(), Err(NameError::Empty));
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_below(text in "\\PC{0,40}|[./\\\\a\0\n]{0,40}") {
            if let Ok(path) = RelativePath::parse(&text) {
                for name in path.names() {
                    prop_assert!(RelativePath::serves(name));
                    prop_assert!(!name.is_empty() && name != ".." && name != "." && !name.contains(['/', '\0']));
                }
                prop_assert_eq!(RelativePath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
