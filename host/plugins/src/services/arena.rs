//! Memory for the packets of a child: one sparse piece that the host makes and both processes map.
//!
//! The child's pool cuts slabs from its [`Arena`] and names a filled one by its offset; the host, which does not trust
//! the child, checks that place in its [`PacketArena`] and reads the packet where it is. When the last reference is
//! dropped, the offset goes back with the next message.

use std::{
    collections::BTreeMap,
    ptr::NonNull,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::slab::{CLASSES, SlabMemory, block_bytes, class_bytes};
use crate::shared_memory::SharedMemory;

/// Bytes of a child's arena. They are addresses; memory is what was written.
pub(crate) const ARENA_BYTES: usize = 512 << 20;
/// Offsets are multiples of this.
const UNIT: usize = 64;

/// The child's side: where slabs are cut from.
#[derive(Clone)]
pub(crate) struct Arena {
    memory: Arc<SharedMemory>,
    shared: Arc<Cut>,
}

#[derive(Default)]
struct Cut {
    /// Bytes that were cut off so far.
    next: Mutex<usize>,
    /// A slab was given up: somebody may write to it forever.
    leaked: AtomicBool,
}

impl Arena {
    pub(crate) fn new(memory: SharedMemory) -> Self {
        Self { memory: Arc::new(memory), shared: Arc::default() }
    }

    /// A piece that nobody has; `bytes` is a multiple of 64.
    pub(super) fn carve(&self, bytes: usize) -> Option<NonNull<u8>> {
        let mut next = self.shared.next.lock().unwrap_or_else(PoisonError::into_inner);
        let end = next.checked_add(bytes).filter(|end| *end <= self.memory.len())?;
        // SAFETY: the piece lies in the mapping.
        let base = unsafe { self.memory.ptr().add(*next) };
        *next = end;
        Some(base)
    }

    /// Forgets every piece, unless one was given up. Nobody may have one.
    pub(super) fn begin_anew(&self) {
        if !self.shared.leaked.load(Ordering::Relaxed) {
            *self.shared.next.lock().unwrap_or_else(PoisonError::into_inner) = 0;
            self.memory.forget();
        }
    }

    pub(super) fn leaks(&self) {
        self.shared.leaked.store(true, Ordering::Relaxed);
    }

    /// What names the slab to the host.
    pub(crate) fn place(&self, slab: &SlabMemory) -> Option<SlabPlace> {
        let offset = slab.base().as_ptr().addr().checked_sub(self.memory.ptr().as_ptr().addr())?;
        let (unit, class) = (u32::try_from(offset / UNIT).ok()?, u8::try_from(slab.class()).ok()?);
        (offset < self.memory.len()).then_some(SlabPlace { unit, class })
    }
}

/// A slab in an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SlabPlace {
    /// Where it begins, in units of 64 bytes; names it.
    pub unit: u32,
    /// Which size it has.
    pub class: u8,
}

/// Whoever gets slabs of a child back.
pub(crate) trait Lender: Send + Sync {
    /// Nobody in this process uses the slab that begins there any more.
    fn give_back(&self, base: NonNull<u8>);
}

/// The host's side: which slabs of a child it has.
pub(crate) struct PacketArena {
    memory: SharedMemory,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// Where the slabs that the host has begin and end, in units.
    held: BTreeMap<u32, u32>,
    /// The same of those that the child can have back and does not know of.
    returned: BTreeMap<u32, u32>,
}

/// Slabs on their way back to the child.
#[derive(Debug, Default)]
pub(crate) struct Returned(Vec<(u32, u32)>);

impl Returned {
    /// Where they begin.
    pub(crate) fn units(&self) -> Vec<u32> {
        self.0.iter().map(|(unit, _)| *unit).collect()
    }
}

impl Books {
    /// Whether the child does not have all of this piece.
    fn overlap(&self, unit: u32, end: u32) -> bool {
        // What is returned and not told yet is no more the child's than what is held, so that the list of it never has
        // more entries than slabs fit into the arena.
        [&self.held, &self.returned].into_iter().any(|pieces| {
            // They do not overlap each other: the last that begins before the end has the last end, too.
            pieces.range(..end).next_back().is_some_and(|(_, last)| *last > unit)
        })
    }
}

impl PacketArena {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        let memory = SharedMemory::new("selkies-packets", ARENA_BYTES)?;
        Ok(Arc::new(Self { memory, books: Mutex::default() }))
    }

    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The slab at the place that a child names, or why that cannot be one of the child's.
    pub(crate) fn take(self: &Arc<Self>, place: SlabPlace) -> Result<SlabMemory, &'static str> {
        let class = usize::from(place.class);
        if class >= CLASSES {
            return Err("there is no such size of slabs");
        }
        let offset = place.unit as usize * UNIT;
        if offset.checked_add(block_bytes(class)).is_none_or(|end| end > self.memory.len()) {
            return Err("the slab ends behind the arena");
        }
        // Within the arena, so that it fits.
        let end = place.unit + u32::try_from(block_bytes(class) / UNIT).unwrap_or(u32::MAX);
        let mut books = self.books();
        if books.overlap(place.unit, end) {
            return Err("the host has that slab already");
        }
        books.held.insert(place.unit, end);
        drop(books);
        // SAFETY: the place lies in the mapping, which the lender keeps, and nobody in this process has it.
        Ok(unsafe {
            let base = self.memory.ptr().add(offset);
            SlabMemory::lent(base, class, Arc::clone(self) as Arc<dyn Lender>)
        })
    }

    /// Up to `limit` slabs for the child, which is told now: it may use them before this process learns that it knows.
    pub(crate) fn returned(&self, limit: usize) -> Returned {
        let mut books = self.books();
        Returned(std::iter::from_fn(|| books.returned.pop_first()).take(limit).collect())
    }

    /// The child was not told after all.
    pub(crate) fn untold(&self, returned: Returned) {
        self.books().returned.extend(returned.0);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lender for PacketArena {
    fn give_back(&self, base: NonNull<u8>) {
        let offset = base.as_ptr().addr() - self.memory.ptr().as_ptr().addr();
        // It was a number of 32 bits when the slab came.
        let unit = u32::try_from(offset / UNIT).unwrap_or(u32::MAX);
        let mut books = self.books();
        if let Some(end) = books.held.remove(&unit) {
            books.returned.insert(unit, end);
        }
    }
}

/// Most bytes that a packet at this place can have.
pub(crate) fn capacity(place: SlabPlace) -> usize {
    class_bytes(usize::from(place.class).min(CLASSES - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{PacketBuf, SlabPool};

    /// Both sides in one process.
    fn sides() -> (Arc<PacketArena>, Arena, SlabPool) {
        let host = PacketArena::new().unwrap();
        let memory =
            SharedMemory::of_fd(host.memory.read_only().unwrap(), ARENA_BYTES, false).expect("readable");
        drop(memory);
        let fd = rustix::io::fcntl_dupfd_cloexec(&host.memory, 0).unwrap();
        let child = Arena::new(SharedMemory::of_fd(fd, ARENA_BYTES, true).unwrap());
        let pool = SlabPool::in_arena(child.clone());
        (host, child, pool)
    }

    #[test]
    fn a_packet_is_read_where_the_child_wrote_it() {
        let (host, child, pool) = sides();
        let theirs = PacketBuf::copy_from(&pool, b"payload").unwrap();
        let place = child.place(theirs.slab()).unwrap();
        let ours = PacketBuf::new(host.take(place).unwrap(), 7);
        assert_eq!(ours.payload(), b"payload");
        assert_eq!(ours.with_header(b"head"), b"headpayload"[..]);
        assert_eq!(host.take(place).err(), Some("the host has that slab already"));
        assert!(host.returned(10).units().is_empty());
        drop(ours);
        assert_eq!(host.returned(10).units(), [place.unit]);
        assert!(host.returned(10).units().is_empty());
    }

    #[test]
    fn what_goes_back_is_the_childs_when_it_was_told() {
        let (host, _, _) = sides();
        let place = SlabPlace { unit: 100, class: 0 };
        for _ in 0..3 {
            drop(host.take(place).unwrap());
            // A child that sends it again without having got it back would fill the list.
            assert_eq!(host.take(place).err(), Some("the host has that slab already"));
            let returned = host.returned(10);
            assert_eq!(returned.units(), [100]);
            // The message could not be sent.
            host.untold(returned);
            assert!(host.take(place).is_err());
            assert_eq!(host.returned(10).units(), [100]);
        }
        let many: Vec<_> =
            (0..4).map(|at| host.take(SlabPlace { unit: at * 100, class: 0 }).unwrap()).collect();
        drop(many);
        assert_eq!(host.returned(3).units(), [0, 100, 200]);
        assert_eq!(host.returned(3).units(), [300]);
    }

    #[test]
    fn places_outside_or_twice_are_refused() {
        let (host, _, _) = sides();
        let place = |unit, class| SlabPlace { unit, class };
        let held = host.take(place(100, 0)).unwrap();
        let units = u32::try_from(block_bytes(0) / UNIT).unwrap();
        for wrong in [
            place(100, 0),
            place(100 + units - 1, 0),
            place(100 - units + 1, 0),
            place(0, 14),
            place(0, 15),
            place(0, 255),
            place(u32::MAX, 0),
            place(u32::try_from(ARENA_BYTES / UNIT).unwrap() - units + 1, 0),
        ] {
            assert!(host.take(wrong).is_err(), "{wrong:?}");
        }
        assert!(host.take(place(100 + units, 0)).is_ok() && host.take(place(100 - units, 0)).is_ok());
        drop(held);
        drop(host.returned(10));
        assert!(host.take(place(100, 0)).is_ok());
    }

    #[test]
    fn an_arena_of_unused_blocks_begins_anew() {
        let (_, _, pool) = sides();
        let small: Vec<_> = std::iter::from_fn(|| pool.take(1 << 20)).collect();
        assert_eq!(small.len(), 511);
        assert!(pool.take(1 << 26).is_none(), "all of it is out");
        drop(small);
        let large: Vec<_> = std::iter::from_fn(|| pool.take(1 << 26)).collect();
        assert_eq!(large.len(), 7);
        // A slab that was given up is nobody's again.
        large.into_iter().for_each(SlabMemory::leak);
        assert!(pool.take(1 << 26).is_none());
        assert!(pool.take(1 << 20).is_some(), "there is a rest");
    }
}
