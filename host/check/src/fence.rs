//! Memory between pages that nobody may touch.
//!
//! A plugin that reads or writes out of bounds meets such a page, and the handler of `signals.rs` finds here which rule
//! that breaks.

use std::{
    ffi::c_void,
    os::fd::OwnedFd,
    ptr,
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};

use rustix::{
    fs::MemfdFlags,
    io,
    mm::{self, MapFlags, MprotectFlags, ProtFlags},
};

use crate::rule::Rule;

/// Bytes of a page; larger pages of some machines only make the fences wider.
pub(crate) const PAGE: usize = 65_536;

/// Fenced ranges at one time.
const MAX_REGIONS: usize = 1024;

struct Region {
    start: AtomicUsize,
    end: AtomicUsize,
    rule: AtomicPtr<Rule>,
}

static REGIONS: [Region; MAX_REGIONS] = [const {
    Region { start: AtomicUsize::new(0), end: AtomicUsize::new(0), rule: AtomicPtr::new(ptr::null_mut()) }
}; MAX_REGIONS];

/// The rule that an access to `address` breaks. Safe in a signal handler.
pub(crate) fn rule_at(address: usize) -> Option<&'static Rule> {
    REGIONS.iter().find_map(|region| {
        let inside =
            (region.start.load(Ordering::Acquire)..region.end.load(Ordering::Acquire)).contains(&address);
        // SAFETY: only static rules are stored.
        inside.then(|| unsafe { region.rule.load(Ordering::Acquire).as_ref() }).flatten()
    })
}

/// A range that breaks a rule when it is touched.
#[derive(Debug)]
struct Fence(Option<usize>);

impl Fence {
    /// When all places are taken a crash there is told without a rule.
    fn new(start: usize, len: usize, rule: &'static Rule) -> Self {
        let free = REGIONS.iter().position(|region| {
            region
                .rule
                .compare_exchange(ptr::null_mut(), as_pointer(rule), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        if let Some(index) = free {
            REGIONS[index].start.store(start, Ordering::Release);
            REGIONS[index].end.store(start + len, Ordering::Release);
        }
        Self(free)
    }

    fn set_rule(&self, rule: &'static Rule) {
        if let Some(index) = self.0 {
            REGIONS[index].rule.store(as_pointer(rule), Ordering::Release);
        }
    }
}

fn as_pointer(rule: &'static Rule) -> *mut Rule {
    ptr::from_ref(rule).cast_mut()
}

impl Drop for Fence {
    fn drop(&mut self) {
        if let Some(index) = self.0 {
            REGIONS[index].end.store(0, Ordering::Release);
            REGIONS[index].start.store(0, Ordering::Release);
            REGIONS[index].rule.store(ptr::null_mut(), Ordering::Release);
        }
    }
}

/// Where the memory of a [`Fenced`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// Anonymous; its last byte is the last of its page.
    Private,
    /// A memfd; its first byte is the first of its page and of the file.
    Memfd,
}

/// What may be done with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    None,
    Read,
}

/// Memory with a page before and a page behind it that break `outside` when touched.
#[derive(Debug)]
pub(crate) struct Fenced {
    body: usize,
    start: usize,
    len: usize,
    file: Option<OwnedFd>,
    inside: Fence,
    _outside: [Fence; 2],
    // The last: no fence may name memory that is somebody else's by now.
    map: Map,
}

/// A mapping.
#[derive(Debug)]
struct Map {
    base: *mut c_void,
    total: usize,
}

// SAFETY: plain memory; who writes it is up to the owner.
unsafe impl Send for Fenced {}
// SAFETY: as above.
unsafe impl Sync for Fenced {}

impl Fenced {
    /// Writable memory of `len` bytes. `inside` is the rule that is broken by an access that [`Fenced::allow`] forbids.
    pub(crate) fn new(
        len: usize,
        backing: Backing,
        inside: &'static Rule,
        outside: &'static Rule,
    ) -> io::Result<Self> {
        let body = len.max(1).next_multiple_of(PAGE);
        let total = body + 2 * PAGE;
        // SAFETY: a fresh mapping at a place of the system's choice.
        let base =
            unsafe { mm::mmap_anonymous(ptr::null_mut(), total, ProtFlags::empty(), MapFlags::PRIVATE) }?;
        let map = Map { base, total };
        let middle = base.wrapping_byte_add(PAGE);
        let (start, file) = match backing {
            Backing::Private => {
                // SAFETY: within the mapping above.
                unsafe { mm::mprotect(middle, body, MprotectFlags::READ | MprotectFlags::WRITE) }?;
                (PAGE + body - len, None)
            }
            Backing::Memfd => {
                let file = rustix::fs::memfd_create("selkies-check", MemfdFlags::CLOEXEC)?;
                rustix::fs::ftruncate(&file, body as u64)?;
                let access = ProtFlags::READ | ProtFlags::WRITE;
                // SAFETY: replaces pages of the mapping above, which nobody uses yet.
                unsafe { mm::mmap(middle, body, access, MapFlags::SHARED | MapFlags::FIXED, &file, 0) }?;
                (PAGE, Some(file))
            }
        };
        let outside =
            [Fence::new(base.addr(), PAGE, outside), Fence::new(base.addr() + PAGE + body, PAGE, outside)];
        let inside = Fence::new(middle.addr(), body, inside);
        Ok(Self { body, start, len, file, inside, _outside: outside, map })
    }

    /// Memory with these bytes, for reading; the last one is the last of its page. Whatever else is done with it, or behind
    /// it, breaks `rule`.
    pub(crate) fn of(bytes: &[u8], rule: &'static Rule) -> io::Result<Self> {
        let mut memory = Self::new(bytes.len(), Backing::Private, rule, rule)?;
        memory.bytes_mut().copy_from_slice(bytes);
        memory.allow(Access::Read, rule);
        Ok(memory)
    }

    /// The first byte.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.map.base.cast::<u8>().wrapping_add(self.start)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the mapping from [`Fenced::pointer`] on.
    pub(crate) fn mapped(&self) -> usize {
        PAGE + self.body - self.start
    }

    /// The descriptor, or -1.
    pub(crate) fn descriptor(&self) -> i32 {
        use std::os::fd::AsRawFd;
        self.file.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Changes what may be done with the memory; from now on a breach inside breaks `rule`.
    pub(crate) fn allow(&self, access: Access, rule: &'static Rule) {
        let flags = match access {
            Access::None => MprotectFlags::empty(),
            Access::Read => MprotectFlags::READ,
        };
        self.inside.set_rule(rule);
        // SAFETY: the body of our own mapping; references into it live only within `bytes` and `fill`.
        let changed = unsafe { mm::mprotect(self.map.base.wrapping_byte_add(PAGE), self.body, flags) };
        debug_assert!(changed.is_ok(), "protecting our own mapping");
    }

    /// Makes the memory forbidden and gives its pages back; a later access breaks `rule`.
    pub(crate) fn bury(&self, rule: &'static Rule) {
        self.allow(Access::None, rule);
        // SAFETY: as in `allow`; nobody may read the content any more.
        let _ = unsafe {
            mm::madvise(self.map.base.wrapping_byte_add(PAGE), self.body, mm::Advice::LinuxDontNeed)
        };
    }

    /// The content, which must be readable.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: within the mapping and readable, as the caller saw to.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.len) }
    }

    /// The content, which must be writable.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: within the mapping and writable, as the caller saw to.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.len) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the owner lets nobody use it any more.
        let _ = unsafe { mm::munmap(self.base, self.total) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::encoder::{ENC_026, ENC_027};

    #[test]
    fn addresses_find_their_rule() {
        for backing in [Backing::Private, Backing::Memfd] {
            let mut memory = Fenced::new(100, backing, &ENC_026, &ENC_027).unwrap();
            memory.bytes_mut().fill(7);
            let first = memory.pointer().addr();
            assert_eq!(rule_at(first), Some(&ENC_026));
            let behind = first + memory.mapped();
            assert_eq!(rule_at(behind), Some(&ENC_027));
            assert_eq!(rule_at(behind - memory.mapped().next_multiple_of(PAGE) - 1), Some(&ENC_027));
            memory.allow(Access::Read, &ENC_026);
            assert_eq!(memory.bytes(), [7; 100]);
            assert_eq!(memory.descriptor() >= 0, backing == Backing::Memfd);
            drop(memory);
            // Another test may have memory there by now, with rules of its own.
            assert_ne!(rule_at(first), Some(&ENC_026));
        }
    }
}
