//! Every plugin that was found, with the decision about it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::{
    Candidate, HostServices, LoadedPlugin, Placement, Plugin, Policy, Refusal, StartError,
    candidate::{Admission, Findings},
    child::{ChildPlugin, Home},
    discovery::discover_where,
    loader::load,
    placement::placement_of,
    quarantine::{Ledger, LibraryIdentity, Sentence},
};

/// The plugins of a search path, judged without loading code.
#[derive(Clone, Debug)]
pub struct Inventory {
    policy: Policy,
    folders: Vec<PathBuf>,
    ledger: Ledger,
    entries: Vec<Entry>,
    refusals: Vec<Refusal>,
    /// Children of plugins that were started, by the name of their group or plugin.
    homes: Arc<Mutex<BTreeMap<String, Weak<Home>>>>,
}

/// A plugin and the decision about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The plugin.
    pub candidate: Candidate,
    /// What was learned about it.
    pub findings: Findings,
    judged: Result<Admission, Refusal>,
    ledger: Ledger,
}

impl Entry {
    /// Why it may or may not be loaded. Its files were judged when they were scanned, its faults are judged now.
    ///
    /// # Errors
    /// The refusal.
    pub fn verdict(&self) -> Result<&Admission, Refusal> {
        let admission = self.judged.as_ref().map_err(Clone::clone)?;
        self.ledger.admit(self.candidate.id(), &admission.identity)?;
        Ok(admission)
    }

    /// Why its library is in quarantine.
    pub(crate) fn sentence(&self) -> Option<Sentence> {
        let admission = self.judged.as_ref().ok()?;
        self.ledger.sentence(self.candidate.id(), &admission.identity)
    }
}

impl Inventory {
    /// Searches `folders` (see [`search_path`](crate::search_path)) and judges what is there, without a memory of faults.
    /// Loads no code; reads files, those with a SHA-256 in their manifest as a whole.
    #[must_use]
    pub fn scan(folders: &[PathBuf], policy: Policy) -> Self {
        Self::scan_with(folders, policy, Ledger::in_memory())
    }

    /// [`Self::scan`], where plugins that `ledger` has in quarantine are refused.
    #[must_use]
    pub fn scan_with(folders: &[PathBuf], policy: Policy, ledger: Ledger) -> Self {
        // A plugin that is refused does not keep another one with its id, in a later folder, from being used.
        let mut judged = Vec::new();
        let found = discover_where(folders, &mut |candidate| {
            let (findings, verdict) = candidate.judge(&policy);
            let entry =
                Entry { candidate: candidate.clone(), findings, judged: verdict, ledger: ledger.clone() };
            let admitted = entry.verdict().is_ok();
            judged.push(entry);
            admitted
        });
        Self {
            policy,
            folders: folders.to_vec(),
            ledger,
            entries: judged,
            refusals: found.refusals,
            homes: Arc::default(),
        }
    }

    /// The rules by which it was judged.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The folders that were searched.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The memory of faults: a supervisor counts them here.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every plugin with a readable manifest.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Folders, manifests and libraries that were passed over.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// The plugins that may be loaded.
    pub fn usable(&self) -> impl Iterator<Item = &Candidate> {
        self.entries.iter().filter(|entry| entry.verdict().is_ok()).map(|entry| &entry.candidate)
    }

    /// The plugin with this id.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], or why it may not be loaded.
    pub fn find(&self, id: &str) -> Result<&Candidate, Refusal> {
        let named = || self.entries.iter().filter(|entry| entry.candidate.id() == id);
        match named().find(|entry| entry.verdict().is_ok()).or_else(|| named().next()) {
            Some(entry) => entry.verdict().map(|_| &entry.candidate),
            None => {
                let known: Vec<&str> = self.usable().map(Candidate::id).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                Err(Refusal::Unknown { id: id.to_owned(), known })
            }
        }
    }

    /// Which file the library of the plugin with this id is; faults are counted by it. A plugin that is in quarantine by now
    /// still has one.
    #[must_use]
    pub fn library_identity(&self, id: &str) -> Option<LibraryIdentity> {
        let named = || self.entries.iter().filter(|entry| entry.candidate.id() == id);
        let usable = named().find(|entry| entry.verdict().is_ok());
        let judged = usable.into_iter().chain(named()).find_map(|entry| entry.judged.as_ref().ok());
        judged.map(|admission| admission.identity.clone())
    }

    /// Makes the plugin with this id ready for use, where the policy's rules say. `[control]`
    ///
    /// # Errors
    /// As [`Self::load`], what the plugin's `init` answers, or a child that does not start.
    pub fn start(&self, services: &HostServices, id: &str) -> Result<Plugin, StartError> {
        let candidate = self.find(id)?;
        match placement_of(candidate.manifest(), &self.policy.isolation)? {
            Placement::InProcess => Ok(Plugin::here(services, load(candidate, &self.policy)?)?),
            Placement::Process => {
                let home = self.home(candidate);
                Ok(Plugin::of_child(ChildPlugin::start(services, home, candidate)?))
            }
        }
    }

    /// The child of a plugin, which others of its group share.
    fn home(&self, candidate: &Candidate) -> Arc<Home> {
        let rules = &self.policy.isolation;
        let group = rules.group_of(candidate.id());
        // No id has a colon.
        let key = group.map_or_else(|| candidate.id().to_owned(), |group| format!("group:{group}"));
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was in quarantine when the others of its group were started gets another child, for all of them.
        if let Some(home) = homes.get(&key).and_then(Weak::upgrade).filter(|home| home.houses(candidate)) {
            return home;
        }
        let belongs = |other: &Candidate| match group {
            Some(_) => {
                rules.group_of(other.id()) == group
                    && placement_of(other.manifest(), rules) == Ok(Placement::Process)
            }
            None => other.id() == candidate.id(),
        };
        let members: Vec<&Candidate> = self.usable().filter(|other| belongs(other)).collect();
        let home = Home::new(&self.policy, &members);
        homes.insert(key, Arc::downgrade(&home));
        home
    }

    /// Loads the plugin with this id into this process, see [`load`].
    ///
    /// # Errors
    /// As [`Self::find`] and [`load`].
    pub fn load(&self, id: &str) -> Result<LoadedPlugin, Refusal> {
        load(self.find(id)?, &self.policy)
    }
}
