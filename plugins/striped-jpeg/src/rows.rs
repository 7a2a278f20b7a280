//! Which rows look as they did before.
//!
//! Damage says where something was drawn, not that it looks different: toolkits repaint what has not changed. A hash
//! per row finds that out. It is made only where the answer is open:
//!
//! - The first row that differs proves the change. The rest of the touched rows become *unknown* and are not read, so
//!   a moving picture costs one row per band. The row that differed last is asked first.
//! - Rows that are unknown are hashed the next time, and count as changed until then. The price is one encoding whose
//!   result equals what the viewer has, which the stripe notices and does not send.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::{picture::Picture, settings::BAND_ROWS};

const UNKNOWN: u64 = 0;

/// Hashes of the rows of one stripe.
#[derive(Debug)]
pub(crate) struct RowHashes {
    /// First row of the stripe in the frame.
    top: u32,
    hashes: Vec<u64>,
    /// For each band, the row (counted in the stripe) that differed last.
    differed: Vec<u32>,
}

impl RowHashes {
    pub(crate) fn new(top: u32, rows: u32) -> Self {
        Self {
            top,
            hashes: vec![UNKNOWN; rows as usize],
            differed: (0..rows.div_ceil(BAND_ROWS)).map(|band| band * BAND_ROWS).collect(),
        }
    }

    /// Whether one of the touched `rows`, all of band `band` and counted in the stripe, may differ from before.
    pub(crate) fn differ(&mut self, picture: &Picture<'_>, band: usize, rows: Range<u32>) -> bool {
        let likely = self.differed[band];
        let ask_first = rows.contains(&likely) && self.hashes[likely as usize] != UNKNOWN;
        if ask_first && self.update(picture, likely) {
            self.forget(rows.start..likely);
            self.forget(likely + 1..rows.end);
            return true;
        }
        let mut any_unknown = false;
        for row in rows.clone() {
            if ask_first && row == likely {
                continue;
            }
            if self.hashes[row as usize] == UNKNOWN {
                any_unknown = true;
                self.update(picture, row);
            } else if self.update(picture, row) {
                self.differed[band] = row;
                self.forget(row + 1..rows.end);
                return true;
            }
        }
        any_unknown
    }

    /// Makes touched rows unknown without reading them.
    pub(crate) fn forget(&mut self, rows: Range<u32>) {
        self.hashes[rows.start as usize..rows.end as usize].fill(UNKNOWN);
    }

    /// Hashes the unknown among `rows`, which show what the viewer has.
    pub(crate) fn learn(&mut self, picture: &Picture<'_>, rows: Range<u32>) {
        for row in rows {
            if self.hashes[row as usize] == UNKNOWN {
                self.update(picture, row);
            }
        }
    }

    /// Hashes a row; whether its hash is another than before.
    fn update(&mut self, picture: &Picture<'_>, row: u32) -> bool {
        let hash = xxh3_64(picture.row(self.top + row)).max(UNKNOWN + 1);
        std::mem::replace(&mut self.hashes[row as usize], hash) != hash
    }
}
