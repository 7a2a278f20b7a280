//! One store for all who ask: the supervisor, the inventory, the status page.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{FaultNote, FaultRecord, LibraryIdentity, Moment, Quarantine, Sentence, Verdict};
use crate::{Refusal, report::rfc3339};

/// A [`Quarantine`] that clones share, from any thread. Every call reads the file again if another process changed it, so
/// that `plugins clear` works while a host runs.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Mutex<Quarantine>>);

impl Ledger {
    /// Shares `quarantine`.
    #[must_use]
    pub fn new(quarantine: Quarantine) -> Self {
        Self(Arc::new(Mutex::new(quarantine)))
    }

    /// See [`Quarantine::in_memory`].
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Quarantine::in_memory())
    }

    /// See [`Quarantine::warning`].
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.lock().warning().map(ToOwned::to_owned)
    }

    /// See [`Quarantine::path`].
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.lock().path().map(ToOwned::to_owned)
    }

    /// See [`Quarantine::fault`].
    pub fn fault(&self, id: &str, library: &LibraryIdentity, note: FaultNote, now: Moment) -> Verdict {
        self.lock().fault(id, library, note, now)
    }

    /// Why this library of the plugin `id` is in quarantine.
    #[must_use]
    pub fn sentence(&self, id: &str, library: &LibraryIdentity) -> Option<Sentence> {
        self.fresh().state(id, library).and_then(FaultRecord::quarantined).cloned()
    }

    /// Refuses this library of the plugin `id` while it is in quarantine.
    ///
    /// # Errors
    /// [`Refusal::Quarantined`].
    pub fn admit(&self, id: &str, library: &LibraryIdentity) -> Result<(), Refusal> {
        match self.sentence(id, library) {
            None => Ok(()),
            Some(sentence) => Err(Refusal::Quarantined {
                id: id.to_owned(),
                since: rfc3339(sentence.since_unix_ms),
                reason: sentence.reason,
            }),
        }
    }

    /// The faults of the plugin `id`, whatever library it had.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<FaultRecord> {
        self.fresh().record(id).cloned()
    }

    /// The ids of all plugins with faults.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.fresh().entries().map(|(id, _)| id.to_owned()).collect()
    }

    /// See [`Quarantine::detached`].
    #[must_use]
    pub fn detached(&self) -> Quarantine {
        self.fresh().detached()
    }

    /// A copy without the file, if anything may have changed since `revision`, which becomes that of the copy; begin with 0.
    /// This process's own changes count as well.
    #[must_use]
    pub fn news(&self, revision: &mut u64) -> Option<Quarantine> {
        let store = self.fresh();
        if store.revision() == *revision {
            return None;
        }
        *revision = store.revision();
        Some(store.detached())
    }

    /// See [`Quarantine::clear`].
    pub fn clear(&self, id: &str) -> bool {
        self.lock().clear(id)
    }

    /// See [`Quarantine::clear_all`].
    pub fn clear_all(&self) -> usize {
        self.lock().clear_all()
    }

    fn fresh(&self) -> MutexGuard<'_, Quarantine> {
        let mut store = self.lock();
        store.refresh();
        store
    }

    fn lock(&self) -> MutexGuard<'_, Quarantine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
