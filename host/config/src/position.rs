//! Finds where in a JSON text a value stands. The text must have been accepted by `serde_json` before; on any other
//! text the answers are `None` or useless, never a panic.

use std::collections::HashSet;

use serde_json::Value as Json;

/// A place in a text: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Which part of an object's member is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// `serde_json` reads no deeper.
const MAX_DEPTH: usize = 128;

/// Most repeated keys that are reported.
const MAX_DUPLICATES: usize = 32;

/// Position of the value (or its key) at a JSON pointer. An array's item has no key: its value is meant.
pub(crate) fn locate(text: &str, pointer: &str, part: Part) -> Option<Position> {
    let mut cursor = Cursor { text, at: 0 };
    let mut at = {
        cursor.space();
        cursor.at
    };
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let key_at = cursor.enter(&token)?;
        at = match part {
            Part::Key => key_at,
            Part::Value => cursor.at,
        };
    }
    Some(position(text, at))
}

/// Keys that occur twice in one object, as pointers with the position of the second.
pub(crate) fn duplicates(text: &str) -> Vec<(String, Position)> {
    let mut cursor = Cursor { text, at: 0 };
    let mut found = Vec::new();
    cursor.space();
    // `None`: no JSON, which has been reported already.
    let _ = cursor.collect_duplicates(&mut Vec::new(), &mut found);
    found.into_iter().map(|(pointer, at)| (pointer, position(text, at))).collect()
}

/// Line and column of a byte offset.
pub(crate) fn position(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.bytes().filter(|b| *b == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// One token of a JSON pointer, escaped.
pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, and answers whether it was there.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Reads the string that starts here.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.skip_string()?;
        match serde_json::from_str(self.text.get(start..self.at)?) {
            Ok(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.take(b'"').then_some(())?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Steps over a whole value: to the `,`, `]` or `}` behind it.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => self.skip_string()?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']' | b',') if depth == 0 => return Some(()),
                Some(b'}' | b']') => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(_) => self.at += 1,
                None => return (depth == 0).then_some(()),
            }
        }
    }

    /// Stands before a key: reads it and steps to its value.
    fn key(&mut self) -> Option<String> {
        let key = self.string()?;
        self.space();
        self.take(b':').then_some(())?;
        self.space();
        Some(key)
    }

    /// Stands before an object or array: steps to the member named `token` and answers where its key stands.
    fn enter(&mut self, token: &str) -> Option<usize> {
        let is_object = self.peek()? == b'{';
        if !is_object && self.peek()? != b'[' {
            return None;
        }
        let wanted_index = if is_object { None } else { Some(token.parse::<usize>().ok()?) };
        self.at += 1;
        for index in 0.. {
            self.space();
            let start = self.at;
            let here = match wanted_index {
                None => self.key()? == token,
                Some(wanted) => index == wanted && !matches!(self.peek()?, b']'),
            };
            if here {
                return Some(start);
            }
            self.skip_value()?;
            self.take(b',').then_some(())?;
        }
        None
    }

    fn collect_duplicates(&mut self, path: &mut Vec<String>, found: &mut Vec<(String, usize)>) -> Option<()> {
        if path.len() > MAX_DEPTH || found.len() >= MAX_DUPLICATES {
            return None;
        }
        let is_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return self.skip_value(),
        };
        self.at += 1;
        let mut seen = HashSet::new();
        for index in 0.. {
            self.space();
            if self.take(b'}') || self.take(b']') {
                break;
            }
            let start = self.at;
            let token = if is_object { self.key()? } else { index.to_string() };
            path.push(token.clone());
            if !seen.insert(token) {
                let pointer = path.iter().map(|token| format!("/{}", escaped(token))).collect();
                found.push((pointer, start));
            }
            self.collect_duplicates(path, found)?;
            path.pop();
            self.space();
            self.take(b',');
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "{\n  \"é\": 1, \"a/b\": [10,\n {\"x~\": \"]\\\"\"}, 30],\n  \"end\": null }";

    #[test]
    fn pointers_are_found() {
        let at = |pointer, part| locate(TEXT, pointer, part).map(|p| (p.line, p.column));
        assert_eq!(at("", Part::Value), Some((1, 1)));
        assert_eq!(at("/é", Part::Key), Some((2, 3)));
        assert_eq!(at("/é", Part::Value), Some((2, 8)));
        assert_eq!(at("/a~1b/0", Part::Value), Some((2, 19)));
        assert_eq!(at("/a~1b/1/x~0", Part::Value), Some((3, 9)));
        assert_eq!(at("/a~1b/2", Part::Value), Some((3, 17)));
        assert_eq!(at("/a~1b/3", Part::Value), None);
        assert_eq!(at("/end", Part::Value), Some((4, 10)));
        assert_eq!(at("/none", Part::Value), None);
        assert_eq!(at("/end/deeper", Part::Value), None);
    }

    #[test]
    fn repeated_keys_are_found_at_any_depth() {
        assert_eq!(duplicates(TEXT), []);
        let text = r#"{"a": [{"b": 1, "c": {}, "b": 2}], "a": 3}"#;
        let found: Vec<_> = duplicates(text).into_iter().map(|(pointer, p)| (pointer, p.column)).collect();
        assert_eq!(found, [("/a/0/b".to_owned(), 26), ("/a".to_owned(), 36)]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[\[\]{}",:\\a01 \n~/é-]{0,40}"#, pointer in r#"(/[a01~/é]{0,3}){0,4}"#) {
            let _ = locate(&text, &pointer, Part::Value);
            let _ = duplicates(&text);
        }
    }
}
