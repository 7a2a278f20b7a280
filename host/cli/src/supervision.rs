//! What becomes of plugins while the host runs: their faults are remembered, and commands let them in again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use selkies_media::{FaultVerdict, PluginFault};
use selkies_plugin_host::{FaultNote, Inventory, Ledger, LibraryIdentity, Moment, Verdict};
use selkies_server::Hub;
use tracing::{error, warn};

use crate::control::{Answer, Request};

/// The plugins of a running host, and the memory of their faults.
#[derive(Clone)]
pub(crate) struct Supervision {
    ledger: Ledger,
    /// Which file each plugin was loaded from.
    libraries: Arc<Mutex<BTreeMap<String, LibraryIdentity>>>,
}

impl Supervision {
    /// Of the plugins that were found.
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let libraries = inventory.entries().iter().filter_map(|entry| {
            let admission = entry.verdict().ok()?;
            Some((entry.candidate.id().to_owned(), admission.identity.clone()))
        });
        Self { ledger: inventory.ledger().clone(), libraries: Arc::new(Mutex::new(libraries.collect())) }
    }

    /// Remembers a fault, and says whether the plugin may go on.
    pub(crate) fn judge(&self, fault: &PluginFault) -> FaultVerdict {
        let libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(library) = libraries.get(&*fault.plugin).filter(|_| fault.counts) else {
            return FaultVerdict::Again;
        };
        let note = FaultNote {
            code: fault.code.to_owned(),
            class: fault.class.clone(),
            text: fault.text.clone(),
            version: fault.version.clone(),
            ending: fault.ending.clone(),
            last_call: Some(fault.call.to_owned()),
        };
        match self.ledger.fault(&fault.plugin, library, note, Moment::now()) {
            Verdict::Count(count) => {
                warn!(plugin = %fault.plugin, part = fault.part, count, "{}", fault.text);
                FaultVerdict::Again
            }
            Verdict::Quarantined => {
                error!(
                    plugin = %fault.plugin,
                    "in quarantine until its file changes or `selkies-host plugins clear {}`: {}",
                    fault.plugin,
                    fault.text
                );
                FaultVerdict::Barred
            }
        }
    }

    /// Carries out what a command asks the running host.
    pub(crate) fn carry_out(&self, hub: &Hub, request: Request) -> Answer {
        match request {
            Request::Admit { plugins } => {
                // The command changed the file; this host has its own copy of it in memory.
                for plugin in &plugins {
                    self.ledger.clear(plugin);
                    hub.admit_plugin(plugin);
                }
                Ok(plugins.into_iter().map(|plugin| format!("{plugin}: may be used again")).collect())
            }
        }
    }
}
