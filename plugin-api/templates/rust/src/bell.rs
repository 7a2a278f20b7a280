//! Ends a wait from another thread.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use selkies_plugin_sdk::Wake;

/// Rings once for each [`Wake::wake`]; a ring that nobody waits for is kept for the next wait.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Waits until it rings (true) or `limit` passed (false).
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, limit, |rung| !*rung);
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
