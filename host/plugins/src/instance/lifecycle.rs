//! `selkies.lifecycle/1`: what a library wants to know once.

use selkies_plugin_abi::{LifecycleV1, Status};

use super::PluginError;
use super::core::sized_table;
use crate::services::{HostServices, said};

/// A library that knows its host. Make it once per loaded plugin that offers the table, before any probe or create.
#[derive(Clone, Copy, Debug)]
pub struct PluginLifecycle {
    set_log_level: Option<unsafe extern "C" fn(u32)>,
}

impl PluginLifecycle {
    /// Tells the library its host, which lives as long as the process, and the log level. Both functions of the table
    /// are optional. `[control]`, not twice for one plugin.
    ///
    /// # Errors
    /// What the plugin answers; then nothing may be created from it.
    pub fn init(
        services: &HostServices,
        plugin: &str,
        table: &'static LifecycleV1,
    ) -> Result<Self, PluginError> {
        sized_table::<LifecycleV1>(plugin, "lifecycle", table.struct_size)?;
        let host = services.process_host(plugin);
        said::forget();
        // SAFETY: the host is valid for the life of the process.
        let status: Status = table.init.map_or(0, |init| unsafe { init(host) });
        if status < 0 {
            return Err(PluginError::from_call(&services.account(plugin), "lifecycle.init", status));
        }
        let lifecycle = Self { set_log_level: table.set_log_level };
        lifecycle.set_log_level(services.log_level());
        Ok(lifecycle)
    }

    /// Says which log level the host keeps, one of the ABI's `LEVEL_*`; for every change. Any thread.
    pub fn set_log_level(&self, level: u32) {
        if let Some(set) = self.set_log_level {
            // SAFETY: may be called from any thread after `init`.
            unsafe { set(level) };
        }
    }
}
