//! What becomes of plugins while the host runs: their faults are remembered, and commands let them in again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::ArgMatches;
use selkies_config::PluginRules;
use selkies_media::{FaultVerdict, PluginFault};
use selkies_plugin_host::{FaultNote, HostServices, Inventory, LibraryIdentity, Placement, Verdict};
use selkies_server::Hub;
use tracing::{error, info, warn};

use crate::{
    control::{Answer, Request},
    failure::Failure,
    keeper::Keeper,
    trust,
};

/// What another look into the folders finds.
enum Change {
    /// The library of the plugin with this id is another one.
    Other(String),
    /// A plugin that was loaded may not be loaded any more; why.
    Refused(String),
}

/// The plugins of a running host, and the memory of their faults.
#[derive(Clone)]
pub(crate) struct Supervision {
    keeper: Arc<Keeper>,
    /// Which file each plugin was loaded from.
    libraries: Arc<Mutex<BTreeMap<String, LibraryIdentity>>>,
    /// Held while new versions are taken into use: a slow probe of an older one must not come last.
    reloading: Arc<Mutex<()>>,
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
            keeper: Arc::new(Keeper::new(inventory.ledger().clone())),
            libraries: Arc::new(Mutex::new(libraries.collect())),
            reloading: Arc::default(),
            matches: Arc::new(matches.clone()),
            rules: rules.clone(),
            services: services.clone(),
        }
    }

    /// Lets plugins in again in the running host when another process cleared their faults.
    pub(crate) fn attend(&self, hub: &Arc<Hub>) {
        let hub = Arc::downgrade(hub);
        self.keeper.on_forgiven(Box::new(move |plugin| {
            if let Some(hub) = hub.upgrade() {
                info!("{plugin}: its faults were cleared, it may be used again");
                hub.admit_plugin(plugin);
            }
        }));
    }

    /// Writes what is still to be remembered. For the end of the host.
    pub(crate) fn finish(&self) {
        self.keeper.finish();
    }

    /// Remembers a fault, and says whether the plugin may go on. Does not wait for the file.
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
        match self.keeper.fault(&fault.plugin, library, note) {
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
            Request::Reload { plugin } => {
                let _turn = self.turn();
                self.reload(hub, &self.look()?, &plugin).map(|line| vec![line])
            }
            Request::Admit { plugins } => {
                // The command changed the file; this host has its own copy of it in memory.
                for plugin in &plugins {
                    self.keeper.clear(plugin);
                    hub.admit_plugin(plugin);
                }
                Ok(plugins.into_iter().map(|plugin| format!("{plugin}: may be used again")).collect())
            }
            Request::Resize { width, height } => {
                let (width, height) = hub.resize_display(width, height).map_err(|error| error.to_string())?;
                Ok(vec![format!("{width}x{height}")])
            }
        }
    }

    /// Takes every plugin whose library is another one than at the last look into use; says in the log what came of it.
    pub(crate) fn reload_changed(&self, hub: &Hub) {
        let _turn = self.turn();
        let inventory = match self.look() {
            Ok(inventory) => inventory,
            Err(line) => return warn!("{line}"),
        };
        let changed = self.changed(&inventory);
        for change in &changed {
            let outcome = match change {
                Change::Other(id) => self.reload(hub, &inventory, id),
                Change::Refused(line) => Err(line.clone()),
            };
            match outcome {
                Ok(line) => info!("{line}"),
                Err(line) => warn!("{line}"),
            }
        }
        if changed.is_empty() {
            info!("no plugin changed");
        }
    }

    /// What became of the plugins that were loaded: those whose library is another one, and why others may not be loaded
    /// any more.
    fn changed(&self, inventory: &Inventory) -> Vec<Change> {
        let mut changes = Vec::new();
        // A copy: the inventory may wait for the file of faults, and the video thread for these names.
        let known = self.libraries().clone();
        for (id, before) in known {
            match (inventory.library_identity(&id), inventory.find(&id)) {
                (Some(now), _) if now == before => {}
                (Some(_), Ok(_)) => changes.push(Change::Other(id)),
                (_, Err(refusal)) => changes.push(Change::Refused(refusal.to_string())),
                (None, Ok(_)) => {}
            }
        }
        if changes.iter().any(|change| matches!(change, Change::Refused(_))) {
            // A manifest that cannot be read belongs to no plugin, and is likely the reason.
            let unread = inventory.refusals().iter().map(|refusal| Change::Refused(refusal.to_string()));
            changes.extend(unread);
        }
        changes
    }

    /// Looks into the folders again, with the same memory of faults: it may be in no file.
    fn look(&self) -> Result<Inventory, String> {
        trust::inventory_with(&self.matches, &self.rules, self.keeper.ledger()).map_err(|failure| {
            match failure {
                Failure::Configuration(errors) => errors.to_string(),
                Failure::Other(line) => line,
            }
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

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.reloading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn libraries(&self) -> MutexGuard<'_, BTreeMap<String, LibraryIdentity>> {
        self.libraries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use selkies_plugin_host::Ledger;

    use super::*;
    use crate::args;

    /// A folder with a plugin that may run inside the host; cargo built its library for the tests of this crate.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let library = "libselkies_test_pattern.so";
        let built = std::env::current_exe().expect("a test has a path").with_file_name(library);
        fs::copy(built, folder.path().join(library)).expect("a dev-dependency");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/test-pattern/selkies-plugin.json");
        fs::copy(manifest, folder.path().join("selkies-plugin.json")).expect("it has a manifest");
        folder
    }

    fn supervision(folder: &std::path::Path) -> Supervision {
        let path = folder.to_str().expect("a plain path");
        let matches = args::command().get_matches_from(["selkies-host", "--plugins", path]);
        let rules = PluginRules { allow: vec!["*".into()], ..PluginRules::default() };
        let found = trust::inventory_with(&matches, &rules, Ledger::in_memory());
        let Ok(inventory) = found else { panic!("the folders can be searched") };
        Supervision::new(&inventory, &matches, &rules, &HostServices::default())
    }

    const ID: &str = "selkies.test-pattern";

    #[test]
    fn faults_that_no_file_remembers_count_after_another_look() {
        let folder = folder();
        let supervision = supervision(folder.path());
        let identity = supervision.libraries()[ID].clone();
        let note = || FaultNote {
            code: "SI006".into(),
            class: "fatal-instance".into(),
            text: "gone".into(),
            version: "1.0.0".into(),
            ending: None,
            last_call: None,
        };
        supervision.look().expect("looked").find(ID).expect("no fault yet");
        let verdicts = [(); 3].map(|()| supervision.keeper.fault(ID, &identity, note()));
        assert_eq!(verdicts[2], Verdict::Quarantined);
        let refusal = supervision.look().expect("looked").find(ID).map(|_| ()).expect_err("in quarantine");
        assert_eq!(refusal.code(), "SP034");
        supervision.keeper.clear(ID);
        supervision.look().expect("looked").find(ID).expect("cleared");
    }

    #[test]
    fn a_changed_plugin_that_is_refused_is_said_with_its_reason() {
        let folder = folder();
        let supervision = supervision(folder.path());
        let changes = || supervision.changed(&supervision.look().expect("looked"));
        assert!(changes().is_empty());
        // As installers do: beside it, then over it.
        let (library, fresh) = (folder.path().join("libselkies_test_pattern.so"), folder.path().join("new"));
        let replace = |bytes: &[u8]| {
            fs::write(&fresh, bytes).expect("written");
            fs::rename(&fresh, &library).expect("renamed");
        };
        let good = fs::read(&library).expect("there");
        replace(&good[..good.len() / 2]);
        assert!(matches!(&changes()[..], [Change::Refused(line)] if line.starts_with("SP008 ")));
        replace(&good);
        assert!(matches!(&changes()[..], [Change::Other(id)] if id == ID));
        fs::write(folder.path().join("selkies-plugin.json"), "{").expect("written");
        let lines: Vec<String> = changes()
            .into_iter()
            .map(|change| match change {
                Change::Refused(line) | Change::Other(line) => line,
            })
            .collect();
        assert!(lines.iter().any(|line| line.starts_with("SP003 ")), "{lines:?}");
    }
}
