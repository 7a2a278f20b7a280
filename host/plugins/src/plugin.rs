//! A plugin that is ready to be used, wherever its code runs.

use std::sync::Arc;

use crate::{
    HostServices, LoadedPlugin, Manifest, Offer, Placement, PluginError, Refusal, begin,
    child::ChildPlugin,
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
    /// In a child of this process.
    Child(Box<ChildPlugin>),
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

    /// The plugin of a child.
    pub(crate) fn of_child(plugin: ChildPlugin) -> Self {
        Self { place: Arc::new(Place::Child(Box::new(plugin))) }
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
            Place::Child(child) => child.id(),
            Place::Linked { id, .. } => id,
        }
    }

    /// What the plugin says about itself; nothing if it is part of this program.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        match &*self.place {
            Place::Here(loaded) => Some(loaded.manifest()),
            Place::Child(child) => Some(child.candidate().manifest()),
            Place::Linked { .. } => None,
        }
    }

    /// The version of its manifest; empty if it has none.
    #[must_use]
    pub fn version(&self) -> &str {
        self.manifest().map_or("", |manifest| manifest.version.as_str())
    }

    /// True when both are the same start of the same library: not two versions, and not one that was started again.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.place, &other.place)
    }

    /// True when it has the usable table with this id, `selkies.capture/1`.
    #[must_use]
    pub fn offers(&self, table: &str) -> bool {
        match &*self.place {
            Place::Child(child) => {
                let mut offers = child.offers().iter();
                offers.any(|offer| offer.id == table && offer.wanted.is_some() && offer.refusal.is_none())
            }
            Place::Here(_) | Place::Linked { .. } => self.tables().ids().contains(&table),
        }
    }

    /// Why tables of the manifest are not used although the plugin is.
    pub fn left_out(&self) -> impl Iterator<Item = &Refusal> {
        self.table_offers().iter().filter_map(|offer| offer.refusal.as_ref())
    }

    /// What its library answered for each table id.
    pub(crate) fn table_offers(&self) -> &[Offer] {
        match &*self.place {
            Place::Here(loaded) => loaded.offers(),
            Place::Child(child) => child.offers(),
            Place::Linked { .. } => &[],
        }
    }

    /// The ids of the plugins that end when this one's process ends, itself among them.
    #[must_use]
    pub fn shares_process_with(&self) -> &[String] {
        match &*self.place {
            Place::Child(child) => child.members(),
            Place::Here(_) | Place::Linked { .. } => &[],
        }
    }

    /// Where its code runs.
    #[must_use]
    pub fn placement(&self) -> Placement {
        match &*self.place {
            Place::Child(_) => Placement::Process,
            Place::Here(_) | Place::Linked { .. } => Placement::InProcess,
        }
    }

    /// The plugin in its child, if it is in one.
    pub(crate) fn child(&self) -> Option<&ChildPlugin> {
        match &*self.place {
            Place::Child(child) => Some(child),
            Place::Here(_) | Place::Linked { .. } => None,
        }
    }

    /// Says which log level the host keeps, to a plugin in this process.
    pub(crate) fn set_log_level(&self, level: u32) {
        if let Some(set) = self.tables().lifecycle().and_then(|table| table.set_log_level) {
            // SAFETY: may be called from any thread after `init`, which ran when this plugin was made.
            unsafe { set(level) };
        }
    }

    /// Its table of type `T`, for an instance in this process; `name` is for the error.
    pub(crate) fn table<T: Table>(&self, name: &'static str) -> Result<&'static T, PluginError> {
        let reason = match &*self.place {
            Place::Child(_) if self.offers(T::ID) => "does not run in a child in this version",
            _ => "is not offered by the plugin",
        };
        T::of(self.tables()).ok_or_else(|| PluginError::no_table(self.id(), name, T::ID, reason))
    }

    fn tables(&self) -> &Tables {
        match &*self.place {
            Place::Here(loaded) => loaded.tables(),
            // Its tables are in another process.
            Place::Child(_) => const { &Tables::none() },
            Place::Linked { tables, .. } => tables,
        }
    }
}
