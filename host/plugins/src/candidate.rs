//! A plugin that was found, before any of its code runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use schemars::JsonSchema;
use selkies_plugin_abi::PluginEntry;
use serde::Serialize;

use crate::{
    ElfFacts, LibraryIdentity, Manifest, Policy, Refusal, SignatureState, files,
    manifest::Placement,
    placement::placement_of,
    signature,
    stamp::{FileStamp, Judged},
};

/// A manifest and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    manifest: Manifest,
    manifest_path: PathBuf,
    /// What was parsed, because a signature is one of bytes.
    text: Arc<[u8]>,
    /// The folder whose search found it; `manifest_path` lies in it or in a sub-folder.
    searched: Option<PathBuf>,
}

/// Why a candidate may be loaded, and what was measured on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Admission {
    /// The policy's rule that admits it.
    pub rule: String,
    /// The library, resolved.
    pub library: PathBuf,
    /// Which file that is.
    pub identity: LibraryIdentity,
    /// The state in which it was judged.
    #[serde(skip)]
    pub(crate) stamp: FileStamp,
    /// What the library's file says about itself.
    pub elf: ElfFacts,
    /// Where it will run.
    pub placement: Placement,
}

/// What was learned about a candidate, whether it may be loaded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The policy's rule that admits it; absent when a rule excludes it.
    pub rule: Option<String>,
    /// Its signature.
    pub signature: SignatureState,
    /// Its SHA-256.
    pub sha256: HashState,
    /// Where this host would run it.
    pub placement: Option<Placement>,
}

/// What is known about a library's SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HashState {
    /// The manifest names none.
    Absent,
    /// The manifest names one; the plugin was refused before the library was read.
    Unchecked,
    /// The library is the one that the manifest describes.
    Verified,
    /// It is another one.
    Mismatch,
}

impl HashState {
    /// For people, in a few words.
    #[must_use]
    pub fn to_text(self) -> &'static str {
        match self {
            Self::Absent => "not in the manifest",
            Self::Unchecked => "not checked",
            Self::Verified => "verified",
            Self::Mismatch => "differs",
        }
    }
}

impl Candidate {
    /// Reads a manifest file. The library is not looked at.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn read(manifest_path: &Path) -> Result<Self, Refusal> {
        let text = Manifest::read_text(manifest_path)?;
        let manifest = Manifest::parse(&text, manifest_path)?;
        Ok(Self { manifest, manifest_path: manifest_path.to_owned(), text: text.into(), searched: None })
    }

    /// Reads a manifest that a search of the folder `searched` found: that folder is judged with the plugin.
    pub(crate) fn read_in(searched: &Path, manifest_path: &Path) -> Result<Self, Refusal> {
        Ok(Self { searched: Some(searched.to_owned()), ..Self::read(manifest_path)? })
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

    /// Every check that needs no code of the plugin: policy, placement, owner and mode of the files, signature, ELF, the
    /// entry symbol, SHA-256. Reads the whole library only when the manifest has a SHA-256.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit(&self, policy: &Policy) -> Result<Admission, Refusal> {
        self.judge(policy).1
    }

    /// [`Self::admit`], with what was learned on the way.
    pub fn judge(&self, policy: &Policy) -> (Findings, Result<Admission, Refusal>) {
        let mut findings = Findings {
            rule: None,
            signature: signature::check(&self.manifest_path, &self.text, &policy.trusted_keys),
            sha256: match self.manifest.sha256 {
                Some(_) => HashState::Unchecked,
                None => HashState::Absent,
            },
            placement: None,
        };
        let verdict = self.fill(policy, &mut findings);
        (findings, verdict)
    }

    fn fill(&self, policy: &Policy, findings: &mut Findings) -> Result<Admission, Refusal> {
        let rule = policy.admit(self.id(), &self.manifest_path)?;
        findings.rule = Some(rule.clone());
        let placement = placement_of(&self.manifest, &policy.isolation)?;
        findings.placement = Some(placement);
        let root = self.root()?;
        files::safe_path(&self.manifest_path, &root)?;
        let library = files::safe_path(&self.library_path(), &root)?;
        let required = policy.require_signature;
        findings.signature.admit(&self.manifest_path, &policy.trusted_keys, required)?;
        if required && self.manifest.sha256.is_none() {
            return Err(Refusal::HashMissing { path: self.manifest_path.clone() });
        }
        // Before it is read: what is written to it from now on is noticed when it is loaded.
        let stamp = FileStamp::of(&library)?;
        let elf = ElfFacts::read(&library)?;
        let wanted = size_of::<PluginEntry>() as u64;
        match elf.entry_bytes {
            None => return Err(Refusal::NoEntry { path: library }),
            Some(found) if found < wanted => {
                return Err(Refusal::EntryTooSmall { path: library, wanted, found });
            }
            Some(_) => {}
        }
        let identity = match &self.manifest.sha256 {
            Some(wanted) => {
                let found = files::sha256_of(&library)?;
                if !found.eq_ignore_ascii_case(wanted.as_str()) {
                    findings.sha256 = HashState::Mismatch;
                    return Err(Refusal::HashMismatch { path: library, wanted: wanted.to_string(), found });
                }
                findings.sha256 = HashState::Verified;
                LibraryIdentity::of_hash(&found)
            }
            None => LibraryIdentity::of_file(&library)?,
        };
        Ok(Admission { rule, library, identity, stamp, elf, placement })
    }

    /// The files that were judged, for the process that loads them.
    pub(crate) fn judged(&self, admission: &Admission) -> Judged {
        Judged { manifest: files::sha256(&self.text), library: admission.stamp }
    }

    /// The folder that none of its files may leave, resolved.
    fn root(&self) -> Result<PathBuf, Refusal> {
        let folder: &Path = match (&self.searched, self.manifest_path.parent()) {
            (Some(searched), _) => searched,
            (None, Some(parent)) if !parent.as_os_str().is_empty() => parent,
            (None, _) => Path::new("."),
        };
        folder.canonicalize().map_err(|error| files::unreadable(folder, &error))
    }
}
