//! Where plugins lie. Reads manifests, loads no code.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crate::{Candidate, ElfFacts, Manifest, Refusal, files};

/// The environment variable with more plugin folders, separated by colons.
pub const PATH_VARIABLE: &str = "SELKIES_PLUGIN_PATH";

/// Most entries of a folder that are looked at.
pub const MAX_FOLDER_ENTRIES: usize = 4096;

/// What the folders hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// The plugins, in the order in which they were found; each id once.
    pub candidates: Vec<Candidate>,
    /// What was passed over, and why.
    pub refusals: Vec<Refusal>,
}

/// The folders to search, earlier ones first: those of the command line or configuration, those of
/// [`PATH_VARIABLE`]'s value `variable`, and those of `defaults` that exist. A folder that is named twice, in whatever spelling, counts once.
#[must_use]
pub fn search_path(flags: &[PathBuf], variable: Option<&OsStr>, defaults: &[PathBuf]) -> Vec<PathBuf> {
    let variable = variable.map(std::env::split_paths).into_iter().flatten();
    let named = flags.iter().cloned().chain(variable.filter(|path| !path.as_os_str().is_empty()));
    let defaults = defaults.iter().filter(|path| path.is_dir()).cloned();
    let mut path: Vec<PathBuf> = Vec::new();
    let mut known: Vec<PathBuf> = Vec::new();
    for folder in named.chain(defaults) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if !known.contains(&real) {
            known.push(real);
            path.push(folder);
        }
    }
    path
}

/// Looks into each folder and its sub-folders (one level) for manifests. The first plugin with an id wins. Order within
/// a folder: its own manifests before those of sub-folders, each by name.
#[must_use]
pub fn discover(folders: &[PathBuf]) -> Discovery {
    discover_where(folders, &mut |_| true)
}

/// [`discover`], where only a candidate that `claims` its id keeps later ones out. Asked once for each candidate of the
/// answer, in their order.
pub(crate) fn discover_where(folders: &[PathBuf], claims: &mut dyn FnMut(&Candidate) -> bool) -> Discovery {
    let mut discovery = Discovery::default();
    let mut first_by_id: HashMap<String, PathBuf> = HashMap::new();
    for folder in folders {
        let Some(listing) = discovery.list(folder) else { continue };
        discovery.take(folder, &listing, &mut first_by_id, claims);
        discovery.report_orphans(&listing);
        for sub in &listing.folders {
            let Some(listing) = discovery.list(sub) else { continue };
            discovery.take(folder, &listing, &mut first_by_id, claims);
            if !listing.manifests.is_empty() {
                discovery.report_orphans(&listing);
            }
        }
    }
    discovery
}

#[derive(Default)]
struct Listing {
    manifests: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Discovery {
    /// The interesting entries of a folder by name; `None`, with a refusal, when it cannot be read.
    fn list(&mut self, folder: &Path) -> Option<Listing> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.refusals.push(files::unreadable(folder, &error));
                return None;
            }
        };
        let mut listing = Listing::default();
        for (count, entry) in entries.enumerate() {
            if count == MAX_FOLDER_ENTRIES {
                self.refusals.push(Refusal::TooLarge {
                    path: folder.to_owned(),
                    found: format!("a folder of more than {MAX_FOLDER_ENTRIES} entries"),
                    limit: format!("{MAX_FOLDER_ENTRIES} entries"),
                });
                break;
            }
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    self.refusals.push(files::unreadable(folder, &error));
                    continue;
                }
            };
            // A name that is not UTF-8 is neither a manifest's nor worth a search.
            let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
            if Manifest::is_manifest_name(name) {
                listing.manifests.push(path);
            } else if !name.starts_with('.') && path.is_dir() {
                listing.folders.push(path);
            } else if name.ends_with(".so") {
                listing.libraries.push(path);
            }
        }
        listing.manifests.sort();
        listing.libraries.sort();
        listing.folders.sort();
        Some(listing)
    }

    fn take(
        &mut self,
        searched: &Path,
        listing: &Listing,
        first_by_id: &mut HashMap<String, PathBuf>,
        claims: &mut dyn FnMut(&Candidate) -> bool,
    ) {
        for path in &listing.manifests {
            match Candidate::read_in(searched, path) {
                Ok(candidate) => {
                    if let Some(first) = first_by_id.get(candidate.id()) {
                        self.refusals.push(Refusal::DuplicateId {
                            id: candidate.id().to_owned(),
                            path: path.clone(),
                            first: first.clone(),
                        });
                    } else {
                        if claims(&candidate) {
                            first_by_id.insert(candidate.id().to_owned(), path.clone());
                        }
                        self.candidates.push(candidate);
                    }
                }
                Err(refusal) => self.refusals.push(refusal),
            }
        }
    }

    /// Libraries that are plugins but that no manifest beside them names. Where a manifest could not be read, silence:
    /// it may be the one.
    fn report_orphans(&mut self, listing: &Listing) {
        let mut named = Vec::new();
        for path in &listing.manifests {
            match Manifest::read(path) {
                Ok(manifest) => named.push(path.with_file_name(manifest.library.as_str())),
                Err(_) => return,
            }
        }
        for library in listing.libraries.iter().filter(|library| !named.contains(library)) {
            if ElfFacts::read(library).is_ok_and(|facts| facts.entry_bytes.is_some()) {
                self.refusals.push(Refusal::ManifestMissing { path: library.clone() });
            }
        }
    }
}
