//! The pool of packet slabs: memory that an encoder writes once and that goes to the socket from there.
//!
//! Layout of one slab, 64-byte aligned:
//!
//! ```text
//! base            base + 64                        base + 64 + capacity
//! | headroom (64) | writable part (a power of two) | guard (64) |
//! ```
//!
//! Slabs of a plugin in this process are on the heap. Those of one in a child are in its [`Arena`], and the packet in
//! the host's hands is the same memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selkies_plugin_abi::SLAB_HEADROOM;

use super::arena::{Arena, Lender};

/// Alignment of a slab's writable part.
const ALIGN: usize = 64;
/// Bytes behind the writable part, which tell of a plugin that writes too much.
const GUARD: usize = 64;
/// What the guard holds.
const GUARD_BYTES: [u8; GUARD] = [0xa7; GUARD];
/// Smallest writable part as a power of two: 4 KiB.
const MIN_SHIFT: u32 = 12;
/// Largest writable part as a power of two: 64 MiB.
const MAX_SHIFT: u32 = 26;
/// Sizes of slabs.
pub(crate) const CLASSES: usize = (MAX_SHIFT - MIN_SHIFT + 1) as usize;

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
    /// Where new blocks come from; the heap without it.
    arena: Option<Arena>,
}

/// One place of `block_bytes(class)` bytes.
struct Block {
    base: NonNull<u8>,
    class: usize,
    /// To be given back to the heap.
    on_heap: bool,
}

// SAFETY: a block is the only owner of its memory.
unsafe impl Send for Block {}

/// Writable bytes of a class.
pub(crate) fn class_bytes(class: usize) -> usize {
    1 << (MIN_SHIFT as usize + class)
}

/// All bytes of a slab.
pub(crate) fn block_bytes(class: usize) -> usize {
    SLAB_HEADROOM + class_bytes(class) + GUARD
}

fn layout(class: usize) -> Option<Layout> {
    Layout::from_size_align(block_bytes(class), ALIGN).ok()
}

impl Block {
    fn allocate(class: usize) -> Option<Self> {
        // Zeroed once, so that no byte of the host's memory reaches a plugin; its own older packets may.
        // SAFETY: the layout's size is not zero.
        let base = unsafe { alloc_zeroed(layout(class)?) };
        NonNull::new(base).map(|base| Self { base, class, on_heap: true })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.on_heap
            && let Some(layout) = layout(self.class)
        {
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
        Self::of(retained_bytes, total_bytes, None)
    }

    /// A pool in an arena, of which it keeps everything.
    pub(crate) fn in_arena(arena: Arena) -> Self {
        Self::of(usize::MAX, usize::MAX, Some(arena))
    }

    fn of(limit: usize, total: usize, arena: Option<Arena>) -> Self {
        let free = std::array::from_fn(|_| Mutex::new(Vec::new()));
        let (retained, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { shared: Arc::new(Shared { free, retained, limit, used, total, arena }) }
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
        let block = self.reuse(class).or_else(|| match &self.shared.arena {
            None => Block::allocate(class),
            Some(arena) => self.carve(arena, class),
        });
        let Some(block) = block else {
            self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        };
        let slab = SlabMemory { base: block.base, class, owner: Owner::Pool(self.clone(), block.on_heap) };
        std::mem::forget(block);
        slab.set_guard();
        Some(slab)
    }

    /// A block of this size that was used before.
    fn reuse(&self, class: usize) -> Option<Block> {
        let block = self.free(class).pop()?;
        self.shared.retained.fetch_sub(class_bytes(class), Ordering::Relaxed);
        Some(block)
    }

    /// A new block of the arena. When it is full of small blocks that nobody uses, it begins anew.
    fn carve(&self, arena: &Arena, class: usize) -> Option<Block> {
        let new = |base| Block { base, class, on_heap: false };
        if let Some(base) = arena.carve(block_bytes(class)) {
            return Some(new(base));
        }
        let mut lists: Vec<_> = (0..CLASSES).map(|class| self.free(class)).collect();
        // Whoever has or takes a slab was counted before it got to the lists, so that the one counted is ours.
        if self.shared.used.load(Ordering::Relaxed) != class_bytes(class) {
            return None;
        }
        lists.iter_mut().for_each(|list| list.clear());
        self.shared.retained.store(0, Ordering::Relaxed);
        arena.begin_anew();
        arena.carve(block_bytes(class)).map(new)
    }

    fn free(&self, class: usize) -> MutexGuard<'_, Vec<Block>> {
        self.shared.free[class].lock().unwrap_or_else(PoisonError::into_inner)
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
            self.free(block.class).push(block);
        }
    }
}

impl Default for SlabPool {
    fn default() -> Self {
        Self::new(DEFAULT_RETAINED_BYTES, DEFAULT_TOTAL_BYTES)
    }
}

/// One slab, owned. Returns to where it came from when dropped.
pub(crate) struct SlabMemory {
    base: NonNull<u8>,
    class: usize,
    owner: Owner,
}

/// Who gets a slab back.
enum Owner {
    /// A pool of this process; whether the memory is the heap's.
    Pool(SlabPool, bool),
    /// The child that filled it.
    Child(Arc<dyn Lender>),
}

// SAFETY: a slab is the only user of its memory in this process.
unsafe impl Send for SlabMemory {}
// SAFETY: a shared SlabMemory only gives out pointers; whoever uses them answers for the order of the accesses.
unsafe impl Sync for SlabMemory {}

impl SlabMemory {
    /// A slab that a child filled.
    ///
    /// # Safety
    /// `block_bytes(class)` bytes at `base`, which is aligned to 64, must be mapped until `lender` gets them back, and
    /// nobody else in this process may use them.
    pub(crate) unsafe fn lent(base: NonNull<u8>, class: usize, lender: Arc<dyn Lender>) -> Self {
        Self { base, class, owner: Owner::Child(lender) }
    }

    /// First byte, that of the headroom.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Which size it has.
    pub(crate) fn class(&self) -> usize {
        self.class
    }

    /// First writable byte.
    pub(crate) fn payload_ptr(&self) -> *mut u8 {
        // SAFETY: the headroom is part of the slab.
        unsafe { self.base.as_ptr().add(SLAB_HEADROOM) }
    }

    /// Writable bytes.
    pub(crate) fn capacity(&self) -> usize {
        class_bytes(self.class)
    }

    fn guard_ptr(&self) -> *mut [u8; GUARD] {
        // SAFETY: the guard is part of the slab.
        unsafe { self.payload_ptr().add(self.capacity()).cast() }
    }

    fn set_guard(&self) {
        // SAFETY: the guard is part of the slab, which nobody else knows yet; bytes have no alignment.
        unsafe { self.guard_ptr().write(GUARD_BYTES) };
    }

    /// How many bytes behind its end were written, as far as the guard tells.
    pub(crate) fn overrun(&self) -> usize {
        // SAFETY: the guard is part of the slab; whoever had it gave it back.
        let guard = unsafe { self.guard_ptr().read() };
        guard.iter().zip(GUARD_BYTES).rposition(|(found, wanted)| *found != wanted).map_or(0, |last| last + 1)
    }

    /// Gives the memory up for good: somebody may still write to it. It no longer counts as given out, so that a
    /// misbehaving plugin does not starve the others.
    pub(crate) fn leak(self) {
        if let Owner::Pool(pool, _) = &self.owner {
            pool.shared.used.fetch_sub(self.capacity(), Ordering::Relaxed);
            if let Some(arena) = &pool.shared.arena {
                arena.leaks();
            }
        }
        let mut slab = ManuallyDrop::new(self);
        // SAFETY: the slab itself is not dropped, its owner is dropped here only.
        unsafe { std::ptr::drop_in_place(&raw mut slab.owner) };
    }
}

impl Drop for SlabMemory {
    fn drop(&mut self) {
        match &self.owner {
            Owner::Pool(pool, on_heap) => {
                pool.put(Block { base: self.base, class: self.class, on_heap: *on_heap });
            }
            Owner::Child(lender) => lender.give_back(self.base),
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
    fn writing_too_much_is_seen() {
        let slab = SlabPool::default().take(100).unwrap();
        assert_eq!(slab.overrun(), 0);
        // SAFETY: the guard belongs to the slab, which nobody else knows.
        unsafe { slab.payload_ptr().add(slab.capacity() + 9).write(1) };
        assert_eq!(slab.overrun(), 10);
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
