//! Which plugins the media threads may make instances from.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use selkies_plugin_host::{FaultClass, PluginError};

use crate::{Backend, FaultVerdict, Observer, PluginFault, slot::Slot};

/// Plugins that are barred, and the way to tell of those that should be. Shared by all media threads.
pub(crate) struct Gate {
    barred: Mutex<BTreeSet<String>>,
    observer: Arc<dyn Observer>,
}

impl Gate {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { barred: Mutex::default(), observer }
    }

    /// True when nothing may be made from the plugin.
    pub(crate) fn bars(&self, plugin: &str) -> bool {
        self.lock().contains(plugin)
    }

    /// Lets a plugin in again. True when it was barred.
    pub(crate) fn admit(&self, plugin: &str) -> bool {
        self.lock().remove(plugin)
    }

    /// Tells of an error, where it is one that ended the instance, and bars the plugin where that is due. True when it
    /// is barred now.
    pub(crate) fn report(&self, error: &PluginError, part: &'static str, backend: &Backend) -> bool {
        match PluginFault::of(error, part, backend.plugin.version()) {
            Some(fault) => self.tell(&fault, error.class == FaultClass::FatalPlugin),
            None => self.bars(backend.plugin.id()),
        }
    }

    /// Tells of an error that is nobody's fault any more: it is of a version that was replaced, or was told before.
    pub(crate) fn mention(&self, error: &PluginError, part: &'static str, backend: &Backend) {
        if let Some(fault) = PluginFault::of(error, part, backend.plugin.version()) {
            self.observer.plugin_fault(&PluginFault { counts: false, ..fault });
        }
    }

    /// As [`report`](Self::report) while `slot` holds the backend; afterwards only [`mention`](Self::mention).
    pub(crate) fn report_from(
        &self,
        slot: &Slot,
        error: &PluginError,
        part: &'static str,
        backend: &Backend,
    ) -> bool {
        if slot.holds(backend) {
            return self.report(error, part, backend);
        }
        self.mention(error, part, backend);
        false
    }

    /// As [`report`](Self::report), for a fault that is known; `unusable` when the plugin itself says that it is.
    pub(crate) fn tell(&self, fault: &PluginFault, unusable: bool) -> bool {
        let barred = self.observer.plugin_fault(fault) == FaultVerdict::Barred || unusable;
        if barred {
            self.lock().insert(fault.plugin.to_string());
        }
        barred
    }

    /// Why a barred plugin does nothing.
    pub(crate) fn reason(plugin: &str) -> String {
        format!(
            "MD012 plugin {plugin} is unusable or in quarantine. `selkies-host plugins list` says why; \
             `selkies-host plugins clear {plugin}` lets it in again"
        )
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("barred", &*self.lock()).finish_non_exhaustive()
    }
}
