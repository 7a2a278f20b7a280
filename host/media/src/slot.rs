//! A plugin in use by a thread of its own, which a new version can take the place of.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use selkies_plugin_host::Plugin;

use crate::Backend;

/// A backend and how often it was renewed. Any thread may use it.
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

    /// True when the backend was renewed since the last such look with this `seen`.
    pub(crate) fn renewed(&self, seen: &mut u64) -> bool {
        let now = self.version.load(Ordering::SeqCst);
        std::mem::replace(seen, now) != now
    }

    fn lock(&self) -> MutexGuard<'_, Backend> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
