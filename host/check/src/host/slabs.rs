//! Packet memory between fences.

use std::collections::{HashMap, VecDeque};

use selkies_plugin_abi as abi;

use crate::{
    fence::{Backing, Fenced},
    rules::encoder::{ENC_013, ENC_014},
};

/// Largest slab, as in the host.
const MAX_SLAB: usize = 64 << 20;
/// Slabs that may be out, as in the host.
const MAX_OUT: usize = 64;
/// Slabs that stay fenced after they were committed.
const MAX_BURIED: usize = 48;
/// Guard bytes behind a slab: a small overrun is told and does not end the process.
const TAIL: usize = 64;
/// What a fresh slab contains, so that a plugin that counts on zeros is noticed.
const FRESH: u8 = 0xa5;
/// What the guard bytes contain.
const GUARD: u8 = 0x5a;

/// Slabs of one context.
#[derive(Debug, Default)]
pub(crate) struct Slabs {
    out: HashMap<u64, Slab>,
    buried: VecDeque<Fenced>,
    given: u64,
}

#[derive(Debug)]
struct Slab {
    memory: Fenced,
    capacity: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Returned {
    /// What was written, `len` bytes or less when the slab has less.
    pub(crate) payload: Vec<u8>,
    pub(crate) capacity: usize,
    /// Where guard bytes were changed, in words.
    pub(crate) damage: Option<String>,
}

impl Slabs {
    /// A slab of at least `min_len` bytes; `None` over a limit.
    pub(crate) fn give(&mut self, min_len: usize) -> Option<abi::Slab> {
        if min_len > MAX_SLAB || self.out.len() >= MAX_OUT {
            return None;
        }
        let capacity = min_len.max(1).next_multiple_of(64);
        // The guard bytes end with the page, so that the headroom and the first byte are aligned as in the host.
        let total = abi::SLAB_HEADROOM + capacity + TAIL;
        let mut memory = Fenced::new(total, Backing::Private, &ENC_013, &ENC_013).ok()?;
        let bytes = memory.bytes_mut();
        bytes.fill(FRESH);
        bytes[..abi::SLAB_HEADROOM].fill(GUARD);
        bytes[abi::SLAB_HEADROOM + capacity..].fill(GUARD);
        let ptr = memory.pointer().wrapping_add(abi::SLAB_HEADROOM);
        self.given += 1;
        self.out.insert(self.given, Slab { memory, capacity });
        Some(abi::Slab { ptr, capacity, token: self.given })
    }

    /// Takes a slab back with its first `len` bytes; `None` when it is not out.
    pub(crate) fn take(&mut self, token: u64, len: usize) -> Option<Returned> {
        let Slab { memory, capacity } = self.out.remove(&token)?;
        let (before, rest) = memory.bytes().split_at(abi::SLAB_HEADROOM);
        let (inside, after) = rest.split_at(capacity);
        let touched = |bytes: &[u8]| bytes.iter().position(|&byte| byte != GUARD);
        let damage = touched(after)
            .map(|at| format!("byte {} of a slab of {capacity} was written", capacity + at))
            .or_else(|| {
                touched(before).map(|at| format!("{} bytes before a slab were written", before.len() - at))
            });
        let payload = inside[..len.min(capacity)].to_vec();
        self.bury(memory);
        Some(Returned { payload, capacity, damage })
    }

    /// True when such a slab was given once.
    pub(crate) fn was_given(&self, token: u64) -> bool {
        (1..=self.given).contains(&token)
    }

    pub(crate) fn out(&self) -> usize {
        self.out.len()
    }

    fn bury(&mut self, memory: Fenced) {
        memory.bury(&ENC_014);
        self.buried.push_back(memory);
        if self.buried.len() > MAX_BURIED {
            self.buried.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_outside_is_noticed() {
        let mut slabs = Slabs::default();
        for (offset, found) in [
            (0, None),
            (63, None),
            (64, Some("byte 64 of a slab of 64 was written")),
            (-1, Some("1 bytes before a slab were written")),
        ] {
            let slab = slabs.give(10).unwrap();
            assert_eq!((slab.capacity, slab.ptr.addr() % 64), (64, 0));
            // SAFETY: the guard bytes belong to the mapping.
            unsafe { slab.ptr.offset(offset).write(1) };
            let back = slabs.take(slab.token, 1000).unwrap();
            assert_eq!((back.payload.len(), back.damage.as_deref()), (64, found));
            assert!(slabs.take(slab.token, 0).is_none() && slabs.was_given(slab.token));
        }
        assert_eq!(slabs.out(), 0);
        assert!(slabs.give(MAX_SLAB + 1).is_none());
    }
}
