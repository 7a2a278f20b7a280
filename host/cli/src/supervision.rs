//! What becomes of plugins while the host runs: their faults are remembered, and commands let them in again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::ArgMatches;
use selkies_config::PluginRules;
use selkies_media::{FaultVerdict, PluginFault};
use selkies_plugin_host::{
    FaultNote, HostServices, Inventory, Ledger, LibraryIdentity, Moment, Placement, Verdict,
};
use selkies_server::Hub;
use tracing::{error, info, warn};

use crate::{
    control::{Answer, Request},
    failure::Failure,
    trust,
};

/// The plugins of a running host, and the memory of their faults.
#[derive(Clone)]
pub(crate) struct Supervision {
    ledger: Ledger,
    /// Which file each plugin was loaded from.
    libraries: Arc<Mutex<BTreeMap<String, LibraryIdentity>>>,
    /// What folders and rules come from, to look again.
    matches: Arc<ArgMatches>,
    rules: PluginRules,
    services: HostServices,
}

impl Supervision {
    /// Of the plugins that were found.
    pub(crate) fn new(
        inventory: &Inventory,
        matches: &ArgMatches,
        rules: &PluginRules,
        services: &HostServices,
    ) -> Self {
        let libraries = inventory
            .usable()
            .filter_map(|plugin| Some((plugin.id().to_owned(), inventory.library_identity(plugin.id())?)));
        Self {
            ledger: inventory.ledger().clone(),
            libraries: Arc::new(Mutex::new(libraries.collect())),
            matches: Arc::new(matches.clone()),
            rules: rules.clone(),
            services: services.clone(),
        }
    }

    /// Remembers a fault, and says whether the plugin may go on.
    pub(crate) fn judge(&self, fault: &PluginFault) -> FaultVerdict {
        let libraries = self.libraries();
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
            Request::Reload { plugin } => self.reload(hub, &self.look()?, &plugin).map(|line| vec![line]),
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

    /// Takes every plugin whose library is another one than at the last look into use; says in the log what came of it.
    pub(crate) fn reload_changed(&self, hub: &Hub) {
        let inventory = match self.look() {
            Ok(inventory) => inventory,
            Err(line) => return warn!("{line}"),
        };
        let known = self.libraries().clone();
        let changed = inventory.entries().iter().filter_map(|entry| {
            let id = entry.candidate.id();
            let now = inventory.library_identity(id)?;
            (known.get(id).is_some_and(|before| *before != now)).then_some(id)
        });
        let mut none = true;
        for id in changed {
            none = false;
            match self.reload(hub, &inventory, id) {
                Ok(line) => info!("{line}"),
                Err(line) => warn!("{line}"),
            }
        }
        if none {
            info!("no plugin changed");
        }
    }

    /// Looks into the folders again.
    fn look(&self) -> Result<Inventory, String> {
        trust::inventory(&self.matches, &self.rules).map_err(|failure| match failure {
            Failure::Configuration(errors) => errors.to_string(),
            Failure::Other(line) => line,
        })
    }

    /// Starts the plugin that the folders hold now beside the one in use, and lets it take over.
    fn reload(&self, hub: &Hub, inventory: &Inventory, id: &str) -> Result<String, String> {
        let candidate = inventory.find(id).map_err(|refusal| refusal.to_string())?;
        let entry = inventory.entries().iter().find(|entry| entry.candidate == *candidate);
        let placement = entry.and_then(|entry| entry.verdict().ok()).map(|admission| admission.placement);
        if placement == Some(Placement::InProcess) {
            return Err(format!(
                "CL047 plugin {id} runs inside the host, where a library cannot be replaced. Restart the host, or let \
                 the plugin run in a child (plugins.isolation)"
            ));
        }
        let plugin = inventory.start(&self.services, id).map_err(|error| error.to_string())?;
        let places = hub.renew_plugin(&plugin).map_err(|error| error.to_string())?;
        if places == 0 {
            return Err(format!("CL048 plugin {id} is not in use, there is nothing to replace"));
        }
        if let Some(identity) = inventory.library_identity(id) {
            self.libraries().insert(id.to_owned(), identity);
        }
        Ok(format!("{id} {}: takes over from the next keyframe", plugin.version()))
    }

    fn libraries(&self) -> MutexGuard<'_, BTreeMap<String, LibraryIdentity>> {
        self.libraries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
