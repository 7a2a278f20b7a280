//! What every instance is: an opaque pointer, its host, and whether it may still be called.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use selkies_plugin_abi::{self as abi, Host, Instance, Status, Str};

use super::{Origin, PluginError};
use crate::services::{Context, HostContext, PluginAccount, Role, said};

/// `destroy` of any table.
pub(super) type Destroy = unsafe extern "C" fn(*mut Instance);
/// `create` of most tables.
pub(super) type Create = unsafe extern "C" fn(*const Host, Str, *mut *mut Instance) -> Status;

/// One live instance. Destroyed on drop, before its host.
pub(super) struct Core {
    instance: NonNull<Instance>,
    destroy: Destroy,
    poisoned: AtomicBool,
    context: HostContext,
}

// SAFETY: the ABI lets an instance move between threads; only calls must not overlap, which the wrappers see to.
unsafe impl Send for Core {}
// SAFETY: `call` may run on several threads at once only for functions that the ABI marks `[any]`: the wrappers take
// `&mut self` for all others.
unsafe impl Sync for Core {}

impl Core {
    /// Creates an instance through `create`, which is handed the host and the place for the instance.
    pub(super) fn create(
        origin: &Origin<'_>,
        role: Role,
        function: &'static str,
        destroy: Destroy,
        create: impl FnOnce(*const Host, Str, *mut *mut Instance) -> Status,
    ) -> Result<Self, PluginError> {
        let context = origin.services.context(origin.plugin.id(), role);
        let mut instance = std::ptr::null_mut();
        said::forget();
        let status = create(context.as_ptr(), Str::new(origin.config_json), &raw mut instance);
        if status < 0 {
            return Err(PluginError::from_call(context.account(), function, status));
        }
        match NonNull::new(instance) {
            Some(instance) => Ok(Self { instance, destroy, poisoned: AtomicBool::new(false), context }),
            None => Err(PluginError::contract(context.account(), function, "succeeded without an instance")),
        }
    }

    /// [`Core::create`] for tables whose `create` takes nothing but the configuration.
    pub(super) fn plain(
        origin: &Origin<'_>,
        role: Role,
        function: &'static str,
        create: Create,
        destroy: Destroy,
    ) -> Result<Self, PluginError> {
        Self::create(origin, role, function, destroy, |host, config, out| {
            // SAFETY: host, text and place are valid for the call, the host until `destroy` returned.
            unsafe { create(host, config, out) }
        })
    }

    /// Calls a function of the instance. Answers its success status.
    #[inline]
    pub(super) fn call(
        &self,
        function: &'static str,
        body: impl FnOnce(*mut Instance) -> Status,
    ) -> Result<Status, PluginError> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(PluginError::poisoned(self.account(), function));
        }
        said::forget();
        let status = body(self.instance.as_ptr());
        if status >= 0 { Ok(status) } else { Err(self.failed(function, status)) }
    }

    /// Calls a function that answers nothing; a poisoned instance is not called.
    #[inline]
    pub(super) fn tell(&self, body: impl FnOnce(*mut Instance)) {
        if !self.poisoned.load(Ordering::Relaxed) {
            body(self.instance.as_ptr());
        }
    }

    /// A broken contract: poisons the instance.
    #[cold]
    pub(super) fn contract(&self, function: &'static str, text: impl Into<String>) -> PluginError {
        self.poisoned.store(true, Ordering::Relaxed);
        PluginError::contract(self.account(), function, text)
    }

    /// A broken contract that was noted when it happened: poisons the instance.
    #[cold]
    pub(super) fn noted_contract(&self, function: &'static str, text: &str) -> PluginError {
        self.poisoned.store(true, Ordering::Relaxed);
        PluginError::noted_contract(self.account(), function, text)
    }

    #[cold]
    fn failed(&self, function: &'static str, status: Status) -> PluginError {
        let error = PluginError::from_call(self.account(), function, status);
        if error.is_final() {
            self.poisoned.store(true, Ordering::Relaxed);
        }
        error
    }

    pub(super) fn account(&self) -> &Arc<PluginAccount> {
        self.context.account()
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        self.context.context()
    }

    /// The number that the plugin carries as `ctx`.
    pub(super) fn context_number(&self) -> usize {
        self.context.number()
    }

    pub(super) fn instance(&self) -> NonNull<Instance> {
        self.instance
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.context.close();
        // SAFETY: created by this table, destroyed once, and no call can be running while it is dropped.
        unsafe { (self.destroy)(self.instance.as_ptr()) };
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("plugin", &self.account().id)
            .field("poisoned", &self.poisoned.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// A function that a table must have.
pub(super) fn required<F>(plugin: &str, name: &'static str, function: Option<F>) -> Result<F, PluginError> {
    function.ok_or_else(|| PluginError::table(plugin, name))
}

/// Checks a table's own size.
pub(super) fn sized_table<T>(plugin: &str, name: &'static str, struct_size: u32) -> Result<(), PluginError> {
    if struct_size as usize >= size_of::<T>() {
        return Ok(());
    }
    let mut error = PluginError::table(plugin, name);
    error.text = format!("the table has {struct_size} bytes, {} are needed", size_of::<T>());
    Err(error)
}

/// A timeout as the ABI has it; `None` waits without a limit.
pub(super) fn timeout_ns(timeout: Option<Duration>) -> u64 {
    timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

/// Whether a wait ended without an event.
pub(super) fn is_nothing(status: Status) -> bool {
    status == abi::NOTHING
}
