//! `selkies.lifecycle/1`: what a library is told once.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::{HostServices, LoadedPlugin, PluginError, PluginLifecycle};

/// Libraries whose `init` ran; loading a library again gives the same mapping.
static BEGUN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Gives a plugin the process's host: its log lines arrive from now on. Once per library; later calls do nothing.
/// `[control]`
///
/// # Errors
/// What the plugin answers. It must not be used then.
pub fn begin(services: &HostServices, plugin: &LoadedPlugin) -> Result<(), PluginError> {
    let Some(table) = plugin.tables().lifecycle() else { return Ok(()) };
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    if begun.contains(plugin.path()) {
        return Ok(());
    }
    PluginLifecycle::init(services, plugin.id(), table)?;
    begun.insert(plugin.path().to_owned());
    Ok(())
}
