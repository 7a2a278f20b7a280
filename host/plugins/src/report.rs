//! How lists and inspections are shown.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::{Refusal, refusal::clip};

/// A refusal in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedRefusal {
    /// Its code, `SP001` and up.
    pub code: String,
    /// The whole line: code, subject, what is wrong, what to do.
    pub message: String,
}

impl From<&Refusal> for ListedRefusal {
    fn from(refusal: &Refusal) -> Self {
        Self { code: refusal.code().into(), message: refusal.to_string() }
    }
}

/// Serializes a refusal as `{code, message}`, none as null.
pub(crate) fn refusal<S: Serializer>(refusal: &Option<Refusal>, serializer: S) -> Result<S::Ok, S::Error> {
    refusal.as_ref().map(ListedRefusal::from).serialize(serializer)
}

/// A moment in UTC as RFC 3339 writes it: `2026-01-31T23:59:59Z`. The calendar is the proleptic Gregorian one, counted in
/// eras of 400 years that begin in March, as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    // Four digits of a year end here; what is later can only be a damaged file.
    let seconds = (unix_ms / 1000).min(253_402_300_799);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Rows in columns, two spaces apart; the last column is not padded. Foreign text stays on its line.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| clip(cell, 120))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', 2 + width - cell.chars().count()));
            }
            line.trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_date_does() {
        // Each is what `date -u -d @SECONDS +%FT%TZ` prints.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1000 + 999), text);
        }
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
