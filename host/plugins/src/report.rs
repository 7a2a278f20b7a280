//! How lists and inspections are shown.

use serde::{Serialize, Serializer};

use crate::{Refusal, refusal::clip};

/// A refusal in JSON.
#[derive(Serialize)]
struct RefusalJson<'a> {
    code: &'a str,
    message: String,
}

/// Serializes a refusal as `{code, message}`, none as null.
pub(crate) fn refusal<S: Serializer>(refusal: &Option<Refusal>, serializer: S) -> Result<S::Ok, S::Error> {
    refusal
        .as_ref()
        .map(|refusal| RefusalJson { code: refusal.code(), message: refusal.to_string() })
        .serialize(serializer)
}

/// Serializes refusals as a list of `{code, message}`.
pub(crate) fn refusals<S: Serializer>(refusals: &[Refusal], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        refusals.iter().map(|refusal| RefusalJson { code: refusal.code(), message: refusal.to_string() }),
    )
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
