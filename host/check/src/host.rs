//! The instrumented host that a plugin under test is given.
//!
//! A context is a number that is looked up, so that a call after `destroy` or with a made-up context is told and does no
//! harm. Contexts are never freed, and neither are the `SelkiesHost` structs: a plugin that keeps one too long must be
//! named, not crash the kit.

pub(crate) mod frames;
pub(crate) mod slabs;
mod tables;
mod transport;

use std::{
    collections::{BTreeMap, HashMap},
    ffi::c_void,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;

pub(crate) use frames::{Flight, Frames, PacketRecord};
pub(crate) use slabs::Slabs;
pub(crate) use transport::TransportEvent;

use crate::{
    journal,
    rule::Rule,
    rules::lifecycle::{LIF_008, LIF_014},
};

/// Which tables a context has beside log, clock and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Encoder,
    Transport,
}

/// `sizeof(T)` as a table's first field has it.
pub(crate) const fn size32<T>() -> u32 {
    #[allow(clippy::cast_possible_truncation)] // structs of this ABI are a few hundred bytes
    let size = size_of::<T>() as u32;
    size
}

/// What an encoder agreed to, against which its packets are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    pub(crate) codec: u32,
    pub(crate) max_retained: usize,
}

/// What a plugin did with one context.
#[derive(Debug, Default)]
pub(crate) struct State {
    reasons: HashMap<ThreadId, (abi::Status, String)>,
    pub(crate) slabs: Slabs,
    pub(crate) frames: Frames,
    pub(crate) agreed: Option<Agreed>,
    pub(crate) transport: Vec<TransportEvent>,
}

/// The host of one instance.
#[derive(Debug)]
pub(crate) struct Context {
    raw: abi::Host,
    role: Role,
    ended: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

// SAFETY: `raw` is numbers and a function; the rest is behind locks.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

static CONTEXTS: Mutex<BTreeMap<usize, Arc<Context>>> = Mutex::new(BTreeMap::new());

/// Numbers of contexts: nothing is mapped there, and a plugin will hardly make one up.
const FIRST_CONTEXT: usize = 0x5e1_0000;
const CONTEXT_STEP: usize = 0x10;

impl Context {
    /// A new host.
    pub(crate) fn new(role: Role) -> Arc<Self> {
        let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        let number = FIRST_CONTEXT + contexts.len() * CONTEXT_STEP;
        let context = Arc::new(Self {
            raw: abi::Host {
                struct_size: size32::<abi::Host>(),
                reserved: 0,
                ctx: std::ptr::without_provenance_mut(number),
                query: Some(tables::query),
            },
            role,
            ended: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        contexts.insert(number, Arc::clone(&context));
        context
    }

    /// What `create` gets; valid for ever.
    pub(crate) fn raw(&self) -> *const abi::Host {
        &raw const self.raw
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that `destroy` returned: a call from now on is a breach. What the instance had counts as given back.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let mut state = self.state();
        // Descriptors are closed, so that the plugin's can be counted; what touches this memory now crashes.
        state.slabs = Slabs::default();
        state.frames = Frames::default();
    }

    /// Tells those who wait that something happened.
    fn announce(&self) {
        self.changed.notify_all();
    }

    /// Waits until `good` holds; answers what it gave, or `None` when the limit passed.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        mut good: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + limit;
        let mut state = self.state();
        loop {
            if let Some(found) = good(&mut state) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Forgets what the calling thread said with `fail`.
    pub(crate) fn forget_reason(&self) {
        self.state().reasons.remove(&std::thread::current().id());
    }

    /// What the calling thread said with `fail`, about whatever.
    pub(crate) fn take_any_reason(&self) -> Option<String> {
        self.state().reasons.remove(&std::thread::current().id()).map(|(_, text)| text)
    }

    /// What the calling thread said with `fail` about `status`.
    pub(crate) fn take_reason(&self, status: abi::Status) -> Option<String> {
        let said = self.state().reasons.remove(&std::thread::current().id());
        said.filter(|(of, _)| *of == status).map(|(_, text)| text)
    }
}

/// The context that a plugin names, if it is that of a living instance.
fn find(ctx: *mut c_void, function: &'static str) -> Option<Arc<Context>> {
    let contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(context) = contexts.get(&ctx.addr()) else {
        journal::fail(
            &LIF_014,
            format!("{function} was called with ctx {ctx:p}, which no instance was given"),
        );
        return None;
    };
    if context.ended.load(Ordering::Acquire) {
        journal::fail(
            &LIF_014,
            format!("{function} was called with the ctx of an instance that was destroyed"),
        );
        return None;
    }
    Some(Arc::clone(context))
}

/// Lines that all contexts of this process logged in the current second.
static LINES: Mutex<Option<(Instant, u32)>> = Mutex::new(None);

fn count_line() {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let (start, count) = lines.get_or_insert((now, 0));
    if now.duration_since(*start) >= Duration::from_secs(1) {
        (*start, *count) = (now, 0);
    }
    *count += 1;
    if *count == selkies_plugin_host::LOG_LINES_PER_SECOND + 1 {
        let passed = now.duration_since(*start).as_millis();
        journal::fail(&LIF_008, format!("{count} lines within {passed} ms"));
    }
}

/// Borrowed text of a plugin.
///
/// # Safety
/// `text` is borrowed for `'a`.
pub(crate) unsafe fn text<'a>(text: abi::Str) -> Result<&'a str, &'static str> {
    // SAFETY: as the caller says.
    std::str::from_utf8(unsafe { bytes(abi::Bytes { ptr: text.ptr, len: text.len }) }?)
        .map_err(|_| "not UTF-8")
}

/// Borrowed bytes of a plugin.
///
/// # Safety
/// `bytes` are borrowed for `'a`.
unsafe fn bytes<'a>(bytes: abi::Bytes) -> Result<&'a [u8], &'static str> {
    match (bytes.ptr.is_null(), bytes.len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err("NULL with a length"),
        (false, len) if len > isize::MAX.unsigned_abs() => Err("an impossible length"),
        // SAFETY: not NULL, and readable as the caller says.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(bytes.ptr, len) }),
    }
}

/// A struct of a plugin that begins with its size.
///
/// # Safety
/// A pointer that is not NULL points to a struct whose first field is its size, borrowed for `'a`.
pub(crate) unsafe fn sized<'a, T>(pointer: *const T) -> Option<&'a T> {
    if pointer.is_null() || !pointer.is_aligned() {
        return None;
    }
    // SAFETY: as the caller says; the size is read before anything else.
    let size = unsafe { pointer.cast::<u32>().read() };
    // SAFETY: large enough by its own word.
    (size >= size32::<T>()).then(|| unsafe { &*pointer })
}

/// Tells of a breach and answers what the host answers to nonsense.
fn refused(rule: &'static Rule, found: impl Into<String>) -> abi::Status {
    journal::fail(rule, found);
    abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT)
}
