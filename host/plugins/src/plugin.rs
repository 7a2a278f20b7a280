//! A plugin that is ready to be used, wherever its code runs.

use std::sync::Arc;

use crate::{
    HostServices, LoadedPlugin, Manifest, PluginError, Refusal, begin,
    tables::{Table, Tables},
};

/// A plugin that instances can be made from. Clones share it; any thread may use it.
#[derive(Clone, Debug)]
pub struct Plugin {
    place: Arc<Place>,
}

/// Where a plugin's code is.
#[derive(Debug)]
enum Place {
    /// In a library that is mapped into this process.
    Here(Box<LoadedPlugin>),
    /// In this program itself.
    Linked { id: String, tables: Tables },
}

/// Why a plugin that was found cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its `init` failed.
    #[error(transparent)]
    Failed(#[from] PluginError),
}

impl Plugin {
    /// The plugin of a library in this process, which is told its host if that did not happen before. `[control]`
    ///
    /// # Errors
    /// What its `init` answers.
    pub fn here(services: &HostServices, plugin: LoadedPlugin) -> Result<Self, PluginError> {
        begin(services, &plugin)?;
        Ok(Self { place: Arc::new(Place::Here(Box::new(plugin))) })
    }

    /// A plugin that is part of this program, with tables that nobody checked: for tests and measurements.
    #[must_use]
    pub fn linked(id: &str, tables: Tables) -> Self {
        Self { place: Arc::new(Place::Linked { id: id.to_owned(), tables }) }
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match &*self.place {
            Place::Here(loaded) => loaded.id(),
            Place::Linked { id, .. } => id,
        }
    }

    /// What the plugin says about itself; nothing if it is part of this program.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        match &*self.place {
            Place::Here(loaded) => Some(loaded.manifest()),
            Place::Linked { .. } => None,
        }
    }

    /// The version of its manifest; empty if it has none.
    #[must_use]
    pub fn version(&self) -> &str {
        self.manifest().map_or("", |manifest| manifest.version.as_str())
    }

    /// True when it has the usable table with this id, `selkies.capture/1`.
    #[must_use]
    pub fn offers(&self, table: &str) -> bool {
        self.tables().ids().contains(&table)
    }

    /// Why tables of the manifest are not used although the plugin is.
    pub fn left_out(&self) -> impl Iterator<Item = &Refusal> {
        let offers = match &*self.place {
            Place::Here(loaded) => loaded.offers(),
            Place::Linked { .. } => &[],
        };
        offers.iter().filter_map(|offer| offer.refusal.as_ref())
    }

    /// Its table of type `T`, for an instance in this process; `name` is for the error.
    pub(crate) fn table<T: Table>(&self, name: &'static str) -> Result<&'static T, PluginError> {
        T::of(self.tables()).ok_or_else(|| PluginError::no_table(self.id(), name, T::ID))
    }

    fn tables(&self) -> &Tables {
        match &*self.place {
            Place::Here(loaded) => loaded.tables(),
            Place::Linked { tables, .. } => tables,
        }
    }
}
