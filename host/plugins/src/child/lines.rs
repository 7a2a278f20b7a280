//! Cuts what a child prints into lines for the log.

use std::time::Instant;

use crate::{
    refusal::one_line,
    services::{LineBudget, Verdict},
};

/// Longest line in bytes; the rest of a longer one is left out.
pub const MAX_LINE_BYTES: usize = 4096;

/// Lines of one child that are kept in one second.
pub const LINES_PER_SECOND: u32 = 100;

/// What is not a whole line yet, and how many lines may still follow in this second.
pub(super) struct Lines {
    partial: Vec<u8>,
    /// The line was given out already, cut; its rest is skipped.
    skipping: bool,
    budget: LineBudget,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self { partial: Vec::new(), skipping: false, budget: LineBudget::new(LINES_PER_SECOND) }
    }

    /// Gives every line that `bytes` complete to `line`.
    pub(super) fn push(&mut self, mut bytes: &[u8], now: Instant, line: &dyn Fn(&str)) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            bytes = end.map_or(&[], |end| &bytes[end + 1..]);
            if !self.skipping {
                let room = MAX_LINE_BYTES - self.partial.len();
                self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.len() > room {
                    self.skipping = true;
                    self.complete(" …", now, line);
                }
            }
            if end.is_some() {
                if !self.skipping {
                    self.complete("", now, line);
                }
                self.skipping = false;
            }
        }
    }

    /// Gives out what is left without an end of line, and how many lines are missing.
    pub(super) fn finish(&mut self, now: Instant, line: &dyn Fn(&str)) {
        if !self.partial.is_empty() {
            self.complete("", now, line);
        }
        let dropped = self.budget.take_dropped();
        if dropped > 0 {
            line(&format!("{dropped} lines dropped"));
        }
    }

    fn complete(&mut self, tail: &str, now: Instant, line: &dyn Fn(&str)) {
        let text = one_line(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        if text.is_empty() {
            return;
        }
        match self.budget.charge(now) {
            Verdict::Write => line(&format!("{text}{tail}")),
            Verdict::WriteAfter(missing) => {
                line(&format!("{missing} lines dropped"));
                line(&format!("{text}{tail}"));
            }
            Verdict::StartDropping => {
                line(&format!("more than {LINES_PER_SECOND} lines in a second, dropping the rest"));
            }
            Verdict::Drop => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let found = RefCell::new(Vec::new());
        let note = |line: &str| found.borrow_mut().push(line.to_owned());
        let mut lines = Lines::new();
        let now = Instant::now();
        for piece in pieces {
            lines.push(piece, now, &note);
        }
        lines.finish(now, &note);
        found.into_inner()
    }

    #[test]
    fn pieces_become_lines() {
        assert_eq!(cut(&[b"on", b"e\ntwo\n\nthr", b"ee"]), ["one", "two", "three"]);
        assert!(cut(&[b"", b"\n\n"]).is_empty());
    }

    #[test]
    fn hostile_bytes_are_made_harmless() {
        assert_eq!(cut(&[b"a\xffb\x1b[2Jc\r\n"]), ["a\u{fffd}b\\u{1b}[2Jc"]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_left_out() {
        let exact = [b'x'; MAX_LINE_BYTES];
        assert_eq!(cut(&[&exact, b"\nnext\n"]), [String::from_utf8_lossy(&exact).as_ref(), "next"]);
        let found = cut(&[&exact[1..], b"yz", &exact, &exact, b"\nnext\n"]);
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with("xy …"), "{found:?}");
        assert_eq!(found[1], "next");
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let found = RefCell::new(Vec::new());
        let note = |line: &str| found.borrow_mut().push(line.to_owned());
        let mut lines = Lines::new();
        let start = Instant::now();
        for _ in 0..1000 {
            lines.push(b"line\n", start, &note);
        }
        assert_eq!(found.borrow().len(), 101);
        assert_eq!(found.borrow()[100], "more than 100 lines in a second, dropping the rest");
        lines.push(b"later\n", start + Duration::from_secs(1), &note);
        assert_eq!(found.borrow()[101..], ["900 lines dropped", "later"]);
        for _ in 0..150 {
            lines.push(b"line\n", start + Duration::from_secs(1), &note);
        }
        lines.finish(start + Duration::from_secs(1), &note);
        assert_eq!(found.borrow().last().map(String::as_str), Some("51 lines dropped"));
    }
}
