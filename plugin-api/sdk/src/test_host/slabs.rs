//! Packet memory of the test host.

use std::collections::HashMap;

use crate::abi;

/// Largest slab, as in the real host.
const MAX_SLAB: usize = 64 * 1024 * 1024;
/// Alignment of a slab's first byte.
const ALIGN: usize = 64;
/// What a fresh slab contains, so that a plugin that counts on zeros is noticed.
const FRESH: u8 = 0xa5;
/// What the host's headroom contains; a plugin that writes before its slab changes it.
const GUARD: u8 = 0x5a;

/// Slabs that are out.
#[derive(Debug)]
pub(super) struct Slabs {
    out: HashMap<u64, Memory>,
    next: u64,
    pub(super) limit: usize,
}

#[derive(Debug)]
struct Memory {
    bytes: Vec<u8>,
    start: usize,
    capacity: usize,
}

impl Default for Slabs {
    fn default() -> Self {
        Self { out: HashMap::new(), next: 1, limit: 64 }
    }
}

impl Slabs {
    /// A slab of at least `min_len` bytes; `None` over a limit.
    pub(super) fn give(&mut self, min_len: usize) -> Option<abi::Slab> {
        if min_len > MAX_SLAB || self.out.len() >= self.limit {
            return None;
        }
        let capacity = min_len.max(1).next_multiple_of(ALIGN);
        let mut bytes = vec![FRESH; abi::SLAB_HEADROOM + ALIGN + capacity];
        let headroom = bytes.as_ptr().wrapping_add(abi::SLAB_HEADROOM);
        let start = abi::SLAB_HEADROOM + headroom.align_offset(ALIGN);
        bytes[..start].fill(GUARD);
        bytes[start + capacity..].fill(GUARD);
        let ptr = bytes[start..].as_mut_ptr();
        let token = self.next;
        self.next += 1;
        self.out.insert(token, Memory { bytes, start, capacity });
        Some(abi::Slab { ptr, capacity, token })
    }

    /// Takes a slab back with its first `len` bytes.
    pub(super) fn take(&mut self, token: u64, len: usize) -> Result<Vec<u8>, String> {
        let Some(memory) = self.out.remove(&token) else {
            return Err(format!("slab {token} is not out"));
        };
        let (before, rest) = memory.bytes.split_at(memory.start);
        let (inside, after) = rest.split_at(memory.capacity);
        if before.iter().chain(after).any(|byte| *byte != GUARD) {
            return Err(format!("slab {token} was written outside its bounds"));
        }
        inside.get(..len).map(<[u8]>::to_vec).ok_or_else(|| {
            format!("slab {token} has {} bytes, {len} were said to be written", memory.capacity)
        })
    }

    pub(super) fn out(&self) -> usize {
        self.out.len()
    }
}
