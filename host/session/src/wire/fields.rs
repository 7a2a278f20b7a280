//! Reading the comma-separated fields of one client text.

use std::str::FromStr;

use super::WireError;

/// The fields of one text, with the verb they belong to, so that every refusal names both.
pub(super) struct Fields<'a> {
    verb: &'static str,
    rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(verb: &'static str, rest: Option<&'a str>) -> Self {
        Self { verb, rest }
    }

    pub(super) fn optional(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match rest.split_once(',') {
            Some((field, tail)) => {
                self.rest = Some(tail);
                Some(field)
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        self.optional().ok_or(WireError::MissingField { verb: self.verb, field })
    }

    /// Everything that is left, commas included.
    pub(super) fn tail(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        self.rest.take().ok_or(WireError::MissingField { verb: self.verb, field })
    }

    pub(super) fn number<T: FromStr>(&mut self, field: &'static str) -> Result<T, WireError> {
        let text = self.text(field)?;
        text.trim().parse().map_err(|_| self.bad(field))
    }

    pub(super) fn in_range<T>(
        &mut self,
        field: &'static str,
        range: std::ops::RangeInclusive<T>,
        words: &'static str,
    ) -> Result<T, WireError>
    where
        T: FromStr + PartialOrd,
    {
        let value = self.number(field)?;
        // A NaN is in no range, so floats need no check of their own.
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(WireError::OutOfRange { verb: self.verb, field, range: words })
        }
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, WireError> {
        match self.text(field)?.trim() {
            "1" | "true" | "True" => Ok(true),
            "0" | "false" | "False" => Ok(false),
            _ => Err(self.bad(field)),
        }
    }

    pub(super) fn bad(&self, field: &'static str) -> WireError {
        WireError::BadField { verb: self.verb, field }
    }
}
