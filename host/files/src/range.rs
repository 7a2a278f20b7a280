//! The `Range` of a request (RFC 9110 section 14).

use std::ops::Range;

/// What of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it: there is no range, or one of a form that may be ignored.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

impl Selection {
    /// Reads the header. Several ranges at once are not served one by one: the whole file answers them.
    #[must_use]
    pub fn of(header: Option<&str>, len: u64) -> Self {
        let Some((unit, set)) = header.and_then(|header| header.split_once('=')) else { return Self::Whole };
        let Some((first, last)) = set.split_once('-') else { return Self::Whole };
        if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
            return Self::Whole;
        }
        let range = match (number(first), number(last)) {
            // The last bytes.
            (Some(None), Some(Some(count))) => len.saturating_sub(count)..len,
            (Some(Some(first)), Some(None)) => first..len,
            (Some(Some(first)), Some(Some(last))) if first <= last => first..last.saturating_add(1).min(len),
            _ => return Self::Whole,
        };
        if range.is_empty() { Self::Unsatisfiable } else { Self::Part(range) }
    }
}

/// `Some(None)` for no number at all, `None` for what is none.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    // `parse` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // More than fits is past every end.
    digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_browsers_and_others() {
        let part = |range| Selection::Part(range);
        for (header, wanted) in [
            ("bytes=0-", part(0..10)),
            ("bytes=3-", part(3..10)),
            ("bytes=3-3", part(3..4)),
            ("bytes=3-99999999999999999999999", part(3..10)),
            ("bytes=-4", part(6..10)),
            ("Bytes = 0-1", part(0..2)),
            ("bytes=-400", part(0..10)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-3", Selection::Whole),
            ("bytes=0-1,3-4", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=x", Selection::Whole),
            ("lines=0-1", Selection::Whole),
            ("", Selection::Whole),
        ] {
            assert_eq!(Selection::of(Some(header), 10), wanted, "{header}");
        }
        assert_eq!(Selection::of(None, 10), Selection::Whole);
        assert_eq!(Selection::of(Some("bytes=0-"), 0), Selection::Unsatisfiable);
    }
}
