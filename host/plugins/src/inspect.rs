//! Everything that can be learned about one plugin.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Candidate, ElfFacts, HashState, LayoutCheck, Manifest, Offer, Policy, Refusal, SignatureState,
    config_check::validate_schema, discovery::discover, files, loader::judge, opened::Opened, report,
};

/// How far an inspection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Reads files.
    Files,
    /// Also maps a library that passed the checks of its file, which runs its constructors in this process, and asks
    /// for its tables.
    Code,
}

/// What was learned about one plugin.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The manifest's file, if there is one.
    pub manifest_path: Option<PathBuf>,
    /// The manifest, if it can be read.
    pub manifest: Option<Manifest>,
    /// The library.
    pub library: Option<PathBuf>,
    /// What the library's file says about itself, if it can be read.
    pub elf: Option<ElfFacts>,
    /// The policy's rule that admits it.
    pub rule: Option<String>,
    /// What is known about the manifest's signature.
    pub signature: Option<SignatureState>,
    /// What is known about the library's SHA-256.
    pub sha256: Option<HashState>,
    /// The tables of the manifest; empty without [`Depth::Code`].
    pub tables: Vec<Offer>,
    /// How the tables were compared; absent without [`Depth::Code`].
    pub layout: Option<LayoutCheck>,
    /// Why it is not used. Without [`Depth::Code`], null means that its file gives no reason.
    #[serde(serialize_with = "report::refusal")]
    pub refusal: Option<Refusal>,
}

/// Inspects a manifest, a library or every plugin of a folder (and its sub-folders, one level).
#[must_use]
pub fn inspect(path: &Path, policy: &Policy, depth: Depth) -> Vec<Inspection> {
    if path.is_dir() {
        let found = discover(&[path.to_owned()]);
        let plugins = found.candidates.iter().map(|candidate| of_candidate(candidate, policy, depth));
        let mut inspections: Vec<Inspection> = plugins.collect();
        inspections.extend(found.refusals.into_iter().map(of_refusal));
        return inspections;
    }
    let is_manifest = path.file_name().and_then(|name| name.to_str()).is_some_and(Manifest::is_manifest_name);
    vec![if is_manifest {
        match Candidate::read(path) {
            Ok(candidate) => of_candidate(&candidate, policy, depth),
            Err(refusal) => Inspection { manifest_path: Some(path.to_owned()), ..of_refusal(refusal) },
        }
    } else {
        of_library(path, policy, depth)
    }]
}

fn of_refusal(refusal: Refusal) -> Inspection {
    Inspection {
        manifest_path: None,
        manifest: None,
        library: None,
        elf: None,
        rule: None,
        signature: None,
        sha256: None,
        tables: Vec::new(),
        layout: None,
        refusal: Some(refusal),
    }
}

/// A library, with the manifest in its folder that names it.
fn of_library(path: &Path, policy: &Policy, depth: Depth) -> Inspection {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut manifests: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(Manifest::is_manifest_name)
        })
        .collect();
    manifests.sort();
    let named = manifests
        .iter()
        .filter_map(|manifest| Candidate::read(manifest).ok())
        .find(|candidate| candidate.library_path().file_name() == path.file_name());
    if let Some(candidate) = named {
        return of_candidate(&candidate, policy, depth);
    }
    let elf = files::open(path).and_then(|_| ElfFacts::read(path));
    let refusal = match &elf {
        Ok(facts) if facts.entry_bytes.is_some() => Refusal::ManifestMissing { path: path.to_owned() },
        Ok(_) => Refusal::NoEntry { path: path.to_owned() },
        Err(refusal) => refusal.clone(),
    };
    Inspection { library: Some(path.to_owned()), elf: elf.ok(), ..of_refusal(refusal) }
}

fn of_candidate(candidate: &Candidate, policy: &Policy, depth: Depth) -> Inspection {
    let library = candidate.library_path();
    let mut inspection = Inspection {
        manifest_path: Some(candidate.manifest_path().to_owned()),
        manifest: Some(candidate.manifest().clone()),
        elf: ElfFacts::read(&library).ok(),
        library: Some(library),
        rule: None,
        signature: None,
        sha256: None,
        tables: Vec::new(),
        layout: None,
        refusal: None,
    };
    inspection.refusal = inspection.fill(candidate, policy, depth).err();
    inspection
}

impl Inspection {
    fn fill(&mut self, candidate: &Candidate, policy: &Policy, depth: Depth) -> Result<(), Refusal> {
        let (findings, verdict) = candidate.judge(policy);
        self.rule = findings.rule;
        self.signature = Some(findings.signature);
        self.sha256 = Some(findings.sha256);
        let admission = verdict?;
        validate_schema(candidate.manifest())?;
        if depth == Depth::Files {
            return Ok(());
        }
        let opened = Opened::open(&admission.library)?;
        self.layout = Some(opened.layout_check());
        opened.agree(candidate.manifest())?;
        self.tables = opened.survey(candidate.manifest()).1;
        judge(candidate.manifest(), &self.tables)
    }

    /// For people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut rows: Vec<[String; 2]> = Vec::new();
        let mut row = |name: &str, value: String| rows.push([name.into(), value]);
        if let Some(manifest) = &self.manifest {
            row("plugin", format!("{} {} ({})", manifest.id, manifest.version, manifest.name));
            row("vendor", manifest.vendor.clone());
            row("license", manifest.license.clone());
            let kinds: Vec<&str> = manifest.kinds.iter().map(|kind| kind.as_str()).collect();
            row("kinds", kinds.join(", "));
        }
        if let Some(path) = &self.manifest_path {
            row("manifest", path.display().to_string());
        }
        if let Some(path) = &self.library {
            row("library", path.display().to_string());
        }
        if let Some(elf) = &self.elf {
            row("file", format!("{} bytes, {}", elf.bytes, elf.machine));
            row("needs", if elf.needed.is_empty() { "nothing".into() } else { elf.needed.join(", ") });
            row(
                "entry",
                elf.entry_bytes
                    .map_or_else(|| "none".into(), |bytes| format!("selkies_plugin_entry, {bytes} bytes")),
            );
        }
        if let Some(rule) = &self.rule {
            row("policy", rule.clone());
        }
        if let Some(signature) = &self.signature {
            row("signature", signature.to_text());
        }
        if let Some(hash) = self.sha256 {
            row("sha256", hash.to_text().into());
        }
        for table in &self.tables {
            row("table", table_text(table));
        }
        if let Some(layout) = &self.layout {
            row(
                "layout",
                match layout {
                    LayoutCheck::Compared => "compared field by field".into(),
                    LayoutCheck::NoRecords => "no records: checked by epoch and size".into(),
                    LayoutCheck::Unreadable(reason) => format!("checked by epoch and size: {reason}"),
                    LayoutCheck::Disabled => "not compared by this build of the host".into(),
                },
            );
        }
        let mut lines = report::columns(&rows);
        lines.push(match &self.refusal {
            Some(refusal) => format!("refused: {refusal}"),
            None => "usable".into(),
        });
        lines.join("\n") + "\n"
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // Texts, numbers and lists only, so that it always is a JSON value.
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn table_text(table: &Offer) -> String {
    let id = &table.id;
    match (&table.refusal, table.bytes) {
        (Some(refusal), Some(bytes)) => format!("{id}, {bytes} bytes, not used ({})", refusal.code()),
        (Some(refusal), None) => format!("{id}, not used ({})", refusal.code()),
        (None, Some(bytes)) => format!("{id}, {bytes} bytes"),
        (None, None) => format!("{id}, unknown to this host"),
    }
}
