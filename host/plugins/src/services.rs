//! What the host offers to plugins: log, clock, metrics, memory, and the callbacks of encoders and transports.
//!
//! A plugin's `ctx` is a number, not a pointer: every call looks it up, so that a call after `destroy`, or with a made
//! up context, is answered with a status and a line in the log instead of touching freed memory. The same holds for
//! slabs and retained frames, which plugins name by token.

mod account;
mod arena;
mod clock;
mod context;
mod encoder;
mod failure;
mod foreign;
mod frames;
mod log;
mod memory;
mod metrics;
mod packet;
mod slab;
mod transport;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use selkies_plugin_abi as abi;

use crate::child::{Call, Link, wire::Control};

pub use account::LOG_LINES_PER_SECOND;
pub use clock::now_ns;
pub use encoder::{EncoderSink, FrameFinished};
pub use memory::MAX_SLABS_OUT;
pub use metrics::{HISTOGRAM_BOUNDS, Histogram, MAX_METRICS, MetricValue, PluginMetrics};
pub use packet::{EncodedPacket, PacketBuf, PacketInfo};
pub use slab::{DEFAULT_RETAINED_BYTES, DEFAULT_TOTAL_BYTES, MAX_SLAB_BYTES, SlabPool};
pub use transport::{
    ClientState, EmitRefusal, MAX_CLIENTS_PER_CALL, MAX_MESSAGE_BYTES, MessageKind, PathFeedback,
    TransportSink,
};

pub(crate) use account::{LineBudget, PluginAccount, Verdict};
pub use arena::SlabPlace;
pub(crate) use arena::{ARENA_BYTES, Arena, PacketArena, capacity as slab_capacity};
pub(crate) use context::{Context, HostContext, Role};
pub(crate) use encoder::EncoderDesk;
pub(crate) use foreign::{guarded, sized as foreign_sized, slice as foreign_slice, text as foreign_text};
pub(crate) use frames::{Flight, Keep};
pub(crate) use transport::{TransportDesk, while_sending};
pub(crate) mod said {
    //! What plugins say with `fail`.
    pub(crate) use super::failure::{forget, take};
}

/// The host's side of all plugins of one process. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct HostServices {
    shared: Arc<Shared>,
}

struct Shared {
    pool: SlabPool,
    level: Arc<AtomicU32>,
    plugins: Mutex<BTreeMap<String, Arc<PluginAccount>>>,
    /// Children that want to know the log level.
    children: Mutex<Vec<Weak<Link>>>,
}

impl HostServices {
    /// Services whose packets live in `pool`, keeping log lines up to [`abi::LEVEL_INFO`].
    #[must_use]
    pub fn new(pool: SlabPool) -> Self {
        let level = Arc::new(AtomicU32::new(abi::LEVEL_INFO));
        Self {
            shared: Arc::new(Shared { pool, level, plugins: Mutex::default(), children: Mutex::default() }),
        }
    }

    /// The pool of packet slabs.
    #[must_use]
    pub fn pool(&self) -> &SlabPool {
        &self.shared.pool
    }

    /// Sets the most verbose log level that is kept, one of the ABI's `LEVEL_*`; others are brought into the range.
    /// Plugins in children are told; tell those in this process through their lifecycle tables.
    pub fn set_log_level(&self, level: u32) {
        let level = level.clamp(abi::LEVEL_ERROR, abi::LEVEL_TRACE);
        self.shared.level.store(level, Ordering::Relaxed);
        let mut children = self.shared.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| {
            let Some(child) = child.upgrade() else { return false };
            // Whoever meets a dead child in a call says so.
            let _ =
                child.order(&Control::LogLevel(level), &[], Call { function: "set_log_level", plugin: None });
            true
        });
    }

    /// Tells this child of changes of the log level.
    pub(crate) fn keep_informed(&self, child: &Arc<Link>) {
        let mut children = self.shared.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(child));
    }

    /// The most verbose log level that is kept.
    #[must_use]
    pub fn log_level(&self) -> u32 {
        self.shared.level.load(Ordering::Relaxed)
    }

    /// The metrics of every plugin that has some, by plugin id.
    #[must_use]
    pub fn metrics(&self) -> Vec<PluginMetrics> {
        let accounts: Vec<_> = self.plugins().values().cloned().collect();
        accounts
            .iter()
            .map(|account| PluginMetrics { plugin: account.id.clone(), metrics: account.metrics.snapshot() })
            .filter(|plugin| !plugin.metrics.is_empty())
            .collect()
    }

    /// How often a plugin broke the contract in a way that the host noticed, since the host started.
    #[must_use]
    pub fn misbehaviours(&self, plugin: &str) -> u64 {
        self.plugins().get(plugin).map_or(0, |account| account.misbehaviours())
    }

    /// The host for a plugin's `selkies.lifecycle/1` `init`: the same for every call with this id, valid as long as
    /// the process. It offers log, clock and metrics.
    #[must_use]
    pub fn process_host(&self, plugin: &str) -> &'static abi::Host {
        let account = self.account(plugin);
        let make = || HostContext::new(Arc::clone(&account), self.shared.pool.clone(), Role::Plain).forever();
        account.process_host.get_or_init(make).0
    }

    pub(crate) fn account(&self, plugin: &str) -> Arc<PluginAccount> {
        let mut plugins = self.plugins();
        if let Some(account) = plugins.get(plugin) {
            return Arc::clone(account);
        }
        let account = Arc::new(PluginAccount::new(plugin, Arc::clone(&self.shared.level)));
        plugins.insert(plugin.to_owned(), Arc::clone(&account));
        account
    }

    /// A host for one instance.
    pub(crate) fn context(&self, plugin: &str, role: Role) -> HostContext {
        HostContext::new(self.account(plugin), self.shared.pool.clone(), role)
    }

    fn plugins(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<PluginAccount>>> {
        self.shared.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for HostServices {
    fn default() -> Self {
        Self::new(SlabPool::default())
    }
}

impl std::fmt::Debug for HostServices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostServices").field("log_level", &self.log_level()).finish_non_exhaustive()
    }
}
