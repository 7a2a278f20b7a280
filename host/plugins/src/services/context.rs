//! The host as one instance sees it.

use core::ffi::c_void;
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use selkies_plugin_abi as abi;

use super::account::PluginAccount;
use super::encoder::{EncoderDesk, HOST_ENCODER};
use super::memory::{MEMORY, SlabsOut};
use super::slab::SlabPool;
use super::transport::{HOST_TRANSPORT, TransportDesk};
use super::{clock, foreign, log, metrics};
use crate::size::size_field;

/// Longest id that `query` looks at, in bytes.
const MAX_ID: usize = 128;
/// Ended contexts that are remembered, to name the plugin when it calls too late.
const MAX_ENDED: usize = 1024;

/// Live contexts by the number that plugins carry as `ctx`.
static CONTEXTS: RwLock<BTreeMap<usize, Arc<Context>>> = RwLock::new(BTreeMap::new());
static ENDED: Mutex<VecDeque<Ended>> = Mutex::new(VecDeque::new());
/// The next context's number. Numbers are not used twice.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A context whose instance is gone.
struct Ended {
    number: usize,
    account: Arc<PluginAccount>,
    /// Kept for a while: a plugin that reads its host too late finds a context that is refused, not freed memory.
    host: NonNull<abi::Host>,
}

// SAFETY: the host behind the pointer is not changed, and freed only by the owner's drop.
unsafe impl Send for Ended {}

impl Drop for Ended {
    fn drop(&mut self) {
        // SAFETY: leaked from a box in `HostContext::new` and owned by this entry; its instance ended long ago.
        drop(unsafe { Box::from_raw(self.host.as_ptr()) });
    }
}

/// What a context's tables work on.
pub(crate) struct Context {
    pub(crate) account: Arc<PluginAccount>,
    pub(crate) pool: SlabPool,
    pub(crate) slabs: SlabsOut,
    pub(crate) role: Role,
    /// Set when `destroy` begins: nothing is delivered any more.
    closing: AtomicBool,
}

/// What an instance may do beyond logging and counting.
pub(crate) enum Role {
    /// Nothing.
    Plain,
    /// Make packets out of frames.
    Encoder(EncoderDesk),
    /// Move packets and messages.
    Transport(TransportDesk),
}

impl Context {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn encoder(&self) -> Option<&EncoderDesk> {
        if let Role::Encoder(desk) = &self.role { Some(desk) } else { None }
    }

    pub(crate) fn transport(&self) -> Option<&TransportDesk> {
        if let Role::Transport(desk) = &self.role { Some(desk) } else { None }
    }
}

/// Owns an instance's [`abi::Host`], whose address does not change and which outlives the instance.
pub(crate) struct HostContext {
    host: NonNull<abi::Host>,
    number: usize,
    context: Arc<Context>,
}

// SAFETY: the host behind the pointer is not changed after `new`, and the context is Send and Sync.
unsafe impl Send for HostContext {}
// SAFETY: as above.
unsafe impl Sync for HostContext {}

impl HostContext {
    pub(crate) fn new(account: Arc<PluginAccount>, pool: SlabPool, role: Role) -> Self {
        let context = Arc::new(Context {
            account,
            pool,
            slabs: SlabsOut::default(),
            role,
            closing: AtomicBool::new(false),
        });
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        CONTEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&context));
        let host = Box::new(abi::Host {
            struct_size: size_field::<abi::Host>(),
            reserved: 0,
            ctx: std::ptr::without_provenance_mut(number),
            query: Some(query),
        });
        Self { host: NonNull::from(Box::leak(host)), number, context }
    }

    /// What the plugin is given.
    pub(crate) fn as_ptr(&self) -> *const abi::Host {
        self.host.as_ptr()
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn account(&self) -> &Arc<PluginAccount> {
        &self.context.account
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Delivers nothing from now on. To be called before `destroy`.
    pub(crate) fn close(&self) {
        self.context.closing.store(true, Ordering::Release);
    }

    /// Keeps the host for the life of the process.
    pub(crate) fn forever(self) -> ForeverHost {
        let host = self.host;
        std::mem::forget(self);
        // SAFETY: the host was leaked from a box, and the only one to free it was just forgotten.
        ForeverHost(unsafe { host.as_ref() })
    }
}

/// A host that lives as long as the process.
pub(crate) struct ForeverHost(pub(crate) &'static abi::Host);

// SAFETY: the host is not changed any more, and its context is a number.
unsafe impl Send for ForeverHost {}
// SAFETY: as above.
unsafe impl Sync for ForeverHost {}

impl Drop for HostContext {
    fn drop(&mut self) {
        CONTEXTS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        let (number, account, host) = (self.number, Arc::clone(&self.context.account), self.host);
        let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MAX_ENDED {
            ended.pop_front();
        }
        ended.push_back(Ended { number, account, host });
        drop(ended);
        let left = self.context.slabs.leak_all();
        if left > 0 {
            self.context.account.misbehaving(
                "destroy",
                format_args!("{left} slabs were neither committed nor abandoned; their memory is given up"),
            );
        }
    }
}

/// Runs a host function on the context `ctx`, or answers `refused` when there is none or the host panics.
pub(crate) fn enter<R: Copy>(
    ctx: *mut c_void,
    function: &'static str,
    refused: R,
    body: impl FnOnce(&Context) -> R,
) -> R {
    foreign::guarded(refused, || {
        let number = ctx.addr();
        let context = CONTEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        match context {
            Some(context) => body(&context),
            None => {
                report_stranger(number, function);
                refused
            }
        }
    })
}

#[cold]
fn report_stranger(number: usize, function: &'static str) {
    let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    let account = ended.iter().find(|ended| ended.number == number).map(|ended| Arc::clone(&ended.account));
    drop(ended);
    match account {
        Some(account) => account.misbehaving(function, "called after the instance's destroy returned"),
        None => tracing::error!(
            target: "selkies::plugin",
            function,
            "plugin misbehaving: an unknown plugin called with a context that the host never gave out"
        ),
    }
}

unsafe extern "C" fn query(ctx: *mut c_void, id: abi::Str) -> *const c_void {
    enter(ctx, "query", std::ptr::null(), |context| {
        // SAFETY: texts of a call are readable for the call.
        let Some(id) = (unsafe { foreign::text(id, MAX_ID) }) else { return std::ptr::null() };
        let has_memory = !matches!(context.role, Role::Plain);
        match id {
            abi::ids::HOST_LOG_V1 => (&raw const log::LOG).cast(),
            abi::ids::HOST_CLOCK_V1 => (&raw const clock::CLOCK).cast(),
            abi::ids::HOST_METRICS_V1 => (&raw const metrics::METRICS).cast(),
            abi::ids::HOST_MEMORY_V1 if has_memory => (&raw const MEMORY).cast(),
            abi::ids::HOST_ENCODER_V1 if context.encoder().is_some() => (&raw const HOST_ENCODER).cast(),
            abi::ids::HOST_TRANSPORT_V1 if context.transport().is_some() => {
                (&raw const HOST_TRANSPORT).cast()
            }
            _ => std::ptr::null(),
        }
    })
}
