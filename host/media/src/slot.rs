//! A plugin in use by a thread of its own, which a new version can take the place of.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use selkies_plugin_host::Plugin;

use crate::Backend;

/// A backend and how often it was renewed or let in again. Any thread may use it.
#[derive(Debug)]
pub(crate) struct Slot {
    backend: Mutex<Backend>,
    version: AtomicU64,
}

impl Slot {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend: Mutex::new(backend), version: AtomicU64::new(0) }
    }

    /// The backend now.
    pub(crate) fn get(&self) -> Backend {
        self.lock().clone()
    }

    /// Puts a new version of the same plugin in place; the configuration stays. False when it is another plugin.
    pub(crate) fn renew(&self, plugin: &Plugin) -> bool {
        let mut backend = self.lock();
        let same = backend.plugin.id() == plugin.id();
        if same {
            backend.plugin = plugin.clone();
            self.version.fetch_add(1, Ordering::SeqCst);
        }
        same
    }

    /// Lets the plugin be used again that was barred. False when it is another plugin.
    pub(crate) fn admit(&self, plugin: &str) -> bool {
        let same = self.lock().plugin.id() == plugin;
        if same {
            self.version.fetch_add(1, Ordering::SeqCst);
        }
        same
    }

    /// False when a new version took the place of this backend.
    pub(crate) fn holds(&self, backend: &Backend) -> bool {
        self.lock().plugin.is_same(&backend.plugin)
    }

    /// True when the backend was renewed or let in again since the last such look with this `seen`.
    pub(crate) fn renewed(&self, seen: &mut u64) -> bool {
        let now = self.version.load(Ordering::SeqCst);
        std::mem::replace(seen, now) != now
    }

    fn lock(&self) -> MutexGuard<'_, Backend> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use selkies_plugin_host::Tables;

    use super::*;

    #[test]
    fn whoever_is_let_in_again_or_renewed_is_looked_at_once() {
        let plugin = |id| Plugin::linked(id, Tables::default());
        let slot = Slot::new(Backend { plugin: plugin("acme.input"), config: "{}".into() });
        let (old, mut seen) = (slot.get(), 0);
        assert!(!slot.admit("acme.other") && !slot.renewed(&mut seen));
        assert!(slot.admit("acme.input") && slot.renewed(&mut seen) && !slot.renewed(&mut seen));
        assert!(slot.holds(&old));
        assert!(slot.renew(&plugin("acme.input")) && slot.renewed(&mut seen) && !slot.holds(&old));
    }
}
