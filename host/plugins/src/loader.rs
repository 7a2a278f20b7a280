//! From a candidate to tables that can be called.

use std::path::{Path, PathBuf};

use selkies_plugin_abi::ids;
use serde::Serialize;

use crate::{
    Candidate, LayoutCheck, Manifest, Policy, Refusal,
    candidate::Admission,
    manifest::Placement,
    opened::Opened,
    stamp::Judged,
    tables::{Table, Tables},
};

/// A plugin whose code is in this process, with the tables that passed every check. The library is never unmapped, so
/// the tables are valid from any thread until the process ends. Dropping this value only forgets it.
#[derive(Clone, Debug)]
pub struct LoadedPlugin {
    manifest: Manifest,
    path: PathBuf,
    placement: Placement,
    tables: Tables,
    offers: Vec<Offer>,
    layout: LayoutCheck,
}

/// What a library answers for one table id.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// The table's id.
    pub id: String,
    /// The table's `struct_size`; absent when the library does not offer it or the host does not know it.
    pub bytes: Option<u32>,
    /// What `struct_size` must be; absent when the host does not know the table.
    pub wanted: Option<u32>,
    /// Why the table is not used; absent when it is, or when the host does not know it.
    #[serde(serialize_with = "crate::report::refusal")]
    pub refusal: Option<Refusal>,
}

/// Maps the library, checks it and keeps its tables. Calls `query` and nothing else of the plugin: whoever uses it
/// calls `init` of [`Tables::lifecycle`] first, once per process.
///
/// Constructors of the library run here, in this process, before anything can be checked at run time.
///
/// # Errors
/// The first refusal. The library stays mapped even then.
pub fn load(candidate: &Candidate, policy: &Policy) -> Result<LoadedPlugin, Refusal> {
    let plugin = map(candidate, candidate.admit(policy)?)?;
    for refusal in plugin.left_out() {
        tracing::warn!(plugin = plugin.id(), "{refusal}");
    }
    Ok(plugin)
}

/// Loads, in a child, the files that its host judged, and no others. What is left out of them is the host's to say.
///
/// # Errors
/// As [`load`]; [`Refusal::Swapped`].
pub(crate) fn load_judged(candidate: &Candidate, judged: &Judged) -> Result<LoadedPlugin, Refusal> {
    let admission = candidate.admit(&Policy::default())?;
    let found = candidate.judged(&admission);
    let swapped = |path: &Path| Err(Refusal::Swapped { path: path.to_owned() });
    if found.manifest != judged.manifest {
        return swapped(candidate.manifest_path());
    }
    if found.library != judged.library {
        return swapped(&admission.library);
    }
    map(candidate, admission)
}

fn map(candidate: &Candidate, admission: Admission) -> Result<LoadedPlugin, Refusal> {
    // Before, so that no code of another file runs; afterwards, because the linker opens the file by its name.
    admission.stamp.confirm(&admission.library)?;
    let opened = Opened::open(&admission.library)?;
    admission.stamp.confirm(&admission.library)?;
    opened.agree(candidate.manifest())?;
    let (tables, offers) = opened.survey(candidate.manifest());
    judge(candidate.manifest(), &offers)?;
    Ok(LoadedPlugin {
        manifest: candidate.manifest().clone(),
        path: admission.library,
        placement: admission.placement,
        tables,
        offers,
        layout: opened.layout_check(),
    })
}

impl LoadedPlugin {
    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.manifest.id.as_str()
    }

    /// What the plugin says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The library, resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its code runs.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Its tables, by name.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Its table of type `T`, if it has one that is usable.
    #[must_use]
    pub fn table<T: Table>(&self) -> Option<&'static T> {
        T::of(&self.tables)
    }

    /// What the library answered for each table id of the manifest.
    #[must_use]
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Why tables of the manifest are not used although the plugin is.
    pub fn left_out(&self) -> impl Iterator<Item = &Refusal> {
        self.offers.iter().filter_map(|offer| offer.refusal.as_ref())
    }

    /// How its tables were checked.
    #[must_use]
    pub fn layout_check(&self) -> &LayoutCheck {
        &self.layout
    }
}

/// The plugin as a whole: every table that the manifest names must be there; the first that the host knows and the
/// lifecycle must be usable.
pub(crate) fn judge(manifest: &Manifest, offers: &[Offer]) -> Result<(), Refusal> {
    let refusal = |offer: &Offer| offer.refusal.clone();
    let missing = |refusal: &Refusal| matches!(refusal, Refusal::TableMissing { .. });
    if let Some(refusal) = offers.iter().filter_map(refusal).find(missing) {
        return Err(refusal);
    }
    let (lifecycle, others): (Vec<&Offer>, Vec<&Offer>) =
        offers.iter().partition(|offer| offer.id == ids::LIFECYCLE_V1);
    let Some(main) = others.iter().find(|offer| offer.wanted.is_some()) else {
        let tables: Vec<&str> = manifest.interfaces.iter().map(|interface| interface.as_str()).collect();
        return Err(Refusal::NothingUsable { id: manifest.id.to_string(), tables: tables.join(", ") });
    };
    match std::iter::once(main).chain(&lifecycle).find_map(|offer| refusal(offer)) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_plugin_is_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<LoadedPlugin>();
    }
}
