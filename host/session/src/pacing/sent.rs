//! One batch that was sent.

use std::time::Instant;

use super::page::Load;

/// What is remembered of a batch until it is acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) id: u16,
    pub(super) at: Instant,
    pub(super) rows: u32,
    /// The client acknowledged this id before: a stock page does not say it twice.
    pub(super) repeats: bool,
}

impl Sent {
    pub(super) fn load(self) -> Load {
        Load { at: self.at, rows: self.rows }
    }
}

/// Whether `a` is a later id than `b`; ids wrap.
pub(crate) fn is_after(a: u16, b: u16) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000
}
