//! Every plugin that was found, with the decision about it.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::{
    Candidate, LoadedPlugin, Policy, Refusal, candidate::Admission, discovery::discover_where, loader::load,
    report,
};

/// The plugins of a search path, judged without loading code.
#[derive(Clone, Debug)]
pub struct Inventory {
    policy: Policy,
    entries: Vec<Entry>,
    refusals: Vec<Refusal>,
}

/// A plugin and the decision about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The plugin.
    pub candidate: Candidate,
    /// Why it may or may not be loaded.
    pub verdict: Result<Admission, Refusal>,
}

impl Inventory {
    /// Searches `folders` (see [`search_path`](crate::search_path)) and judges what is there. Loads no code; reads files,
    /// those with a SHA-256 in their manifest as a whole.
    #[must_use]
    pub fn scan(folders: &[PathBuf], policy: Policy) -> Self {
        // A plugin that is refused does not keep another one with its id, in a later folder, from being used.
        let mut verdicts = Vec::new();
        let found = discover_where(folders, &mut |candidate| {
            let verdict = candidate.admit(&policy);
            let admitted = verdict.is_ok();
            verdicts.push(verdict);
            admitted
        });
        let entries = found
            .candidates
            .into_iter()
            .zip(verdicts)
            .map(|(candidate, verdict)| Entry { candidate, verdict })
            .collect();
        Self { policy, entries, refusals: found.refusals }
    }

    /// Every plugin with a readable manifest.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Folders, manifests and libraries that were passed over.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// The plugins that may be loaded.
    pub fn usable(&self) -> impl Iterator<Item = &Candidate> {
        self.entries.iter().filter(|entry| entry.verdict.is_ok()).map(|entry| &entry.candidate)
    }

    /// The plugin with this id.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], or why it may not be loaded.
    pub fn find(&self, id: &str) -> Result<&Candidate, Refusal> {
        let named = || self.entries.iter().filter(|entry| entry.candidate.id() == id);
        match named().find(|entry| entry.verdict.is_ok()).or_else(|| named().next()) {
            Some(entry) => entry.verdict.as_ref().map(|_| &entry.candidate).map_err(Clone::clone),
            None => {
                let known: Vec<&str> = self.usable().map(Candidate::id).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                Err(Refusal::Unknown { id: id.to_owned(), known })
            }
        }
    }

    /// Loads the plugin with this id, see [`load`].
    ///
    /// # Errors
    /// As [`Self::find`] and [`load`].
    pub fn load(&self, id: &str) -> Result<LoadedPlugin, Refusal> {
        load(self.find(id)?, &self.policy)
    }

    /// The list for people: a table, then one line for each refusal.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut rows = vec![["ID", "VERSION", "KINDS", "STATE", "MANIFEST"].map(String::from)];
        for Entry { candidate, verdict } in &self.entries {
            let manifest = candidate.manifest();
            let kinds: Vec<&str> = manifest.kinds.iter().map(|kind| kind.as_str()).collect();
            let state = match verdict {
                Ok(_) => "usable".to_owned(),
                Err(refusal) => format!("refused {}", refusal.code()),
            };
            rows.push([
                manifest.id.to_string(),
                manifest.version.to_string(),
                kinds.join(","),
                state,
                candidate.manifest_path().display().to_string(),
            ]);
        }
        let mut lines = if self.entries.is_empty() { Vec::new() } else { report::columns(&rows) };
        let refused = self.entries.iter().filter_map(|entry| entry.verdict.as_ref().err());
        lines.extend(refused.chain(&self.refusals).map(Refusal::to_string));
        if lines.is_empty() {
            lines.push("no plugins found".into());
        }
        lines.join("\n") + "\n"
    }

    /// The list for programs: `{"plugins": [...], "refusals": [{code, message}]}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let plugins = self.entries.iter().map(EntryJson::from).collect();
        // Every field is text, a number or a list of these, so that it always is a JSON value.
        serde_json::to_value(InventoryJson { plugins, refusals: &self.refusals }).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct InventoryJson<'a> {
    plugins: Vec<EntryJson<'a>>,
    #[serde(serialize_with = "report::refusals")]
    refusals: &'a [Refusal],
}

#[derive(Serialize)]
struct EntryJson<'a> {
    id: &'a str,
    name: &'a str,
    version: &'a str,
    vendor: &'a str,
    license: &'a str,
    kinds: Vec<&'a str>,
    interfaces: Vec<&'a str>,
    manifest: String,
    library: String,
    usable: bool,
    /// Null when it is refused.
    admission: Option<&'a Admission>,
    #[serde(serialize_with = "report::refusal")]
    refusal: Option<Refusal>,
}

impl<'a> From<&'a Entry> for EntryJson<'a> {
    fn from(Entry { candidate, verdict }: &'a Entry) -> Self {
        let manifest = candidate.manifest();
        Self {
            id: manifest.id.as_str(),
            name: &manifest.name,
            version: manifest.version.as_str(),
            vendor: &manifest.vendor,
            license: &manifest.license,
            kinds: manifest.kinds.iter().map(|kind| kind.as_str()).collect(),
            interfaces: manifest.interfaces.iter().map(|interface| interface.as_str()).collect(),
            manifest: candidate.manifest_path().display().to_string(),
            library: candidate.library_path().display().to_string(),
            usable: verdict.is_ok(),
            admission: verdict.as_ref().ok(),
            refusal: verdict.as_ref().err().cloned(),
        }
    }
}
