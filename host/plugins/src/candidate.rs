//! A plugin that was found, before any of its code runs.

use std::path::{Path, PathBuf};

use selkies_plugin_abi::PluginEntry;
use serde::Serialize;

use crate::{ElfFacts, Manifest, Policy, Refusal, files, manifest::Placement, placement::placement_of};

/// A manifest and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    manifest: Manifest,
    manifest_path: PathBuf,
}

/// Why a candidate may be loaded, and what was measured on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Admission {
    /// The policy's rule that admits it.
    pub rule: String,
    /// The library, resolved.
    pub library: PathBuf,
    /// What the library's file says about itself.
    pub elf: ElfFacts,
    /// Where it will run.
    pub placement: Placement,
}

impl Candidate {
    /// Reads a manifest file. The library is not looked at.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn read(manifest_path: &Path) -> Result<Self, Refusal> {
        Ok(Self { manifest: Manifest::read(manifest_path)?, manifest_path: manifest_path.to_owned() })
    }

    /// What the plugin says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.manifest.id.as_str()
    }

    /// The manifest's file.
    #[must_use]
    pub fn manifest_path(&self) -> &Path {
        &self.manifest_path
    }

    /// The library as the manifest names it, in the manifest's folder.
    #[must_use]
    pub fn library_path(&self) -> PathBuf {
        self.manifest_path.with_file_name(self.manifest.library.as_str())
    }

    /// Every check that needs no code of the plugin: policy, placement, owner and mode of the files, ELF, the entry
    /// symbol, SHA-256. Reads the whole library only when the manifest has a SHA-256.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit(&self, policy: &Policy) -> Result<Admission, Refusal> {
        let rule = policy.admit(self.id())?;
        let placement = placement_of(&self.manifest)?;
        let folder = match self.manifest_path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let root = std::fs::canonicalize(folder).map_err(|error| files::unreadable(folder, &error))?;
        files::safe_path(&self.manifest_path, &root)?;
        let library = files::safe_path(&self.library_path(), &root)?;
        let elf = ElfFacts::read(&library)?;
        let wanted = size_of::<PluginEntry>() as u64;
        match elf.entry_bytes {
            None => return Err(Refusal::NoEntry { path: library }),
            Some(found) if found < wanted => {
                return Err(Refusal::EntryTooSmall { path: library, wanted, found });
            }
            Some(_) => {}
        }
        if let Some(wanted) = &self.manifest.sha256 {
            let found = files::sha256_of(&library)?;
            if !found.eq_ignore_ascii_case(wanted.as_str()) {
                return Err(Refusal::HashMismatch { path: library, wanted: wanted.to_string(), found });
            }
        }
        Ok(Admission { rule, library, elf, placement })
    }
}
