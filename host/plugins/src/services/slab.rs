//! The pool of packet slabs: memory that an encoder writes once and that goes to the socket from there.
//!
//! Layout of one slab, 64-byte aligned:
//!
//! ```text
//! base            base + 64                        base + 64 + capacity
//! | headroom (64) | writable part (a power of two) |
//! ```

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use selkies_plugin_abi::SLAB_HEADROOM;

/// Alignment of a slab's writable part.
const ALIGN: usize = 64;
/// Smallest writable part as a power of two: 4 KiB.
const MIN_SHIFT: u32 = 12;
/// Largest writable part as a power of two: 64 MiB.
const MAX_SHIFT: u32 = 26;
const CLASSES: usize = (MAX_SHIFT - MIN_SHIFT + 1) as usize;

/// Largest writable part of a slab, in bytes.
pub const MAX_SLAB_BYTES: usize = 1 << MAX_SHIFT;
/// Bytes that an idle pool keeps for reuse unless told otherwise.
pub const DEFAULT_RETAINED_BYTES: usize = 64 << 20;
/// Bytes of slabs that may be out at once unless told otherwise. Encoders ask for the worst case and fill little of
/// it, and pages that nobody touched cost nothing; so this is far above what is really used.
pub const DEFAULT_TOTAL_BYTES: usize = 1 << 30;

/// A pool of slabs in power-of-two sizes. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct SlabPool {
    shared: Arc<Shared>,
}

struct Shared {
    free: [Mutex<Vec<Block>>; CLASSES],
    retained: AtomicUsize,
    limit: usize,
    used: AtomicUsize,
    total: usize,
}

/// One allocation of `class_bytes(class) + SLAB_HEADROOM` bytes.
struct Block {
    base: NonNull<u8>,
    class: usize,
}

// SAFETY: a block is the only owner of its memory.
unsafe impl Send for Block {}

fn class_bytes(class: usize) -> usize {
    1 << (MIN_SHIFT as usize + class)
}

fn layout(class: usize) -> Option<Layout> {
    Layout::from_size_align(class_bytes(class) + SLAB_HEADROOM, ALIGN).ok()
}

impl Block {
    fn allocate(class: usize) -> Option<Self> {
        // Zeroed once, so that no byte of the host's memory reaches a plugin; its own older packets may.
        // SAFETY: the layout's size is not zero.
        let base = unsafe { alloc_zeroed(layout(class)?) };
        NonNull::new(base).map(|base| Self { base, class })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(layout) = layout(self.class) {
            // SAFETY: allocated with this very layout, and freed once because the block owns it.
            unsafe { dealloc(self.base.as_ptr(), layout) };
        }
    }
}

impl SlabPool {
    /// A pool that keeps at most `retained_bytes` of unused slabs and gives out at most `total_bytes` at a time.
    /// Packets on their way to the sockets count as given out.
    #[must_use]
    pub fn new(retained_bytes: usize, total_bytes: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                free: std::array::from_fn(|_| Mutex::new(Vec::new())),
                retained: AtomicUsize::new(0),
                limit: retained_bytes,
                used: AtomicUsize::new(0),
                total: total_bytes,
            }),
        }
    }

    /// A slab with at least `min_len` writable bytes; `None` over [`MAX_SLAB_BYTES`], over the pool's total, or when
    /// memory is short.
    pub(crate) fn take(&self, min_len: usize) -> Option<SlabMemory> {
        if min_len > MAX_SLAB_BYTES {
            return None;
        }
        let class = (min_len.next_power_of_two().trailing_zeros().max(MIN_SHIFT) - MIN_SHIFT) as usize;
        let bytes = class_bytes(class);
        let within = self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            now.checked_add(bytes).filter(|sum| *sum <= self.shared.total)
        });
        if within.is_err() {
            return None;
        }
        let reused = self.shared.free[class].lock().unwrap_or_else(PoisonError::into_inner).pop();
        let block = match reused {
            Some(block) => {
                self.shared.retained.fetch_sub(bytes, Ordering::Relaxed);
                Some(block)
            }
            None => Block::allocate(class),
        };
        let Some(block) = block else {
            self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        };
        Some(SlabMemory { block: Some(block), pool: self.clone() })
    }

    /// Bytes of unused slabs that the pool keeps now.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.shared.retained.load(Ordering::Relaxed)
    }

    /// Bytes of slabs that are out now: with plugins, in queues, on sockets.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.shared.used.load(Ordering::Relaxed)
    }

    fn put(&self, block: Block) {
        let bytes = class_bytes(block.class);
        self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
        let within = self.shared.retained.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            now.checked_add(bytes).filter(|sum| *sum <= self.shared.limit)
        });
        if within.is_ok() {
            self.shared.free[block.class].lock().unwrap_or_else(PoisonError::into_inner).push(block);
        }
    }
}

impl Default for SlabPool {
    fn default() -> Self {
        Self::new(DEFAULT_RETAINED_BYTES, DEFAULT_TOTAL_BYTES)
    }
}

/// One slab, owned. Returns to its pool when dropped.
pub(crate) struct SlabMemory {
    /// `None` only inside `drop`.
    block: Option<Block>,
    pool: SlabPool,
}

// SAFETY: a shared SlabMemory only gives out pointers; whoever uses them answers for the order of the accesses.
unsafe impl Sync for SlabMemory {}

impl SlabMemory {
    /// First writable byte.
    pub(crate) fn payload_ptr(&self) -> *mut u8 {
        // SAFETY: the headroom is part of the allocation.
        self.base().map_or(std::ptr::null_mut(), |base| unsafe { base.as_ptr().add(SLAB_HEADROOM) })
    }

    /// Writable bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.block.as_ref().map_or(0, |block| class_bytes(block.class))
    }

    fn base(&self) -> Option<NonNull<u8>> {
        self.block.as_ref().map(|block| block.base)
    }

    /// Gives the memory up for good: somebody may still write to it. It no longer counts as given out, so that a
    /// misbehaving plugin does not starve the others.
    pub(crate) fn leak(mut self) {
        if let Some(block) = self.block.take() {
            self.pool.shared.used.fetch_sub(class_bytes(block.class), Ordering::Relaxed);
            std::mem::forget(block);
        }
    }
}

impl Drop for SlabMemory {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.pool.put(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_and_aligned() {
        let pool = SlabPool::default();
        for (asked, given) in [
            (0, 4096),
            (1, 4096),
            (4096, 4096),
            (4097, 8192),
            (1 << 20, 1 << 20),
            (MAX_SLAB_BYTES - 1, MAX_SLAB_BYTES),
        ] {
            let slab = pool.take(asked).unwrap();
            assert_eq!(slab.capacity(), given);
            assert_eq!(slab.payload_ptr() as usize % ALIGN, 0);
        }
        assert!(pool.take(MAX_SLAB_BYTES + 1).is_none());
        assert!(pool.take(usize::MAX).is_none());
    }

    #[test]
    fn slabs_are_reused_within_the_limit() {
        let pool = SlabPool::new(8192, DEFAULT_TOTAL_BYTES);
        let first = pool.take(100).unwrap();
        let address = first.payload_ptr() as usize;
        drop(first);
        assert_eq!(pool.retained_bytes(), 4096);
        let again = pool.take(200).unwrap();
        assert_eq!(again.payload_ptr() as usize, address);
        assert_eq!(pool.retained_bytes(), 0);
        let (second, third) = (pool.take(1).unwrap(), pool.take(1).unwrap());
        drop((again, second, third));
        assert_eq!(pool.retained_bytes(), 8192);
        drop(pool.take(16384).unwrap());
        assert_eq!(pool.retained_bytes(), 8192);
    }

    #[test]
    fn no_more_than_the_total_is_out() {
        let pool = SlabPool::new(1 << 20, 16384);
        let slabs: Vec<_> = (0..4).map(|_| pool.take(4096).unwrap()).collect();
        assert_eq!(pool.used_bytes(), 16384);
        assert!(pool.take(1).is_none());
        drop(slabs);
        assert_eq!(pool.used_bytes(), 0);
        pool.take(16384).unwrap().leak();
        assert_eq!(pool.used_bytes(), 0);
        assert!(pool.take(16385).is_none());
    }

    #[test]
    fn both_ends_are_writable() {
        let pool = SlabPool::default();
        let slab = pool.take(4096).unwrap();
        // SAFETY: the headroom and the capacity belong to the slab, which nobody else knows.
        unsafe {
            slab.payload_ptr().sub(SLAB_HEADROOM).write(1);
            slab.payload_ptr().add(slab.capacity() - 1).write(2);
        }
    }
}
