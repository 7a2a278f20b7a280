//! Every load decision with its reason: what `plugins list` and `/api/plugins` show.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Admission, Entry, FaultRecord, HashState, Inventory, ListedRefusal, Refusal, SignatureState,
    manifest::Placement,
    refusal::clip,
    report::{columns, rfc3339},
};

/// Every plugin and file that was found, with the decision about it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "plugins list --json, /api/plugins")]
pub struct Listing {
    /// The folders that were searched, in their order.
    pub folders: Vec<String>,
    /// Only first-party plugins may be used.
    pub safe_mode: bool,
    /// The host has more rights than whoever started it: `SELKIES_*` variables about plugins and the user's own plugin
    /// folder were ignored.
    pub privileged: bool,
    /// Only signed plugins may be used.
    pub require_signature: bool,
    /// Ids of the keys whose signatures count.
    pub trusted_keys: Vec<String>,
    /// The file that remembers faults; null when they are forgotten with the host.
    pub fault_file: Option<String>,
    /// The plugins, in the order in which they were found.
    pub plugins: Vec<ListedPlugin>,
    /// Folders, manifests and libraries that were passed over.
    pub refusals: Vec<ListedRefusal>,
}

/// One plugin and the decision about it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ListedPlugin {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who makes it.
    pub vendor: String,
    /// SPDX expression of its license.
    pub license: String,
    /// What it is good for.
    pub kinds: Vec<String>,
    /// Ids of the tables that it offers.
    pub interfaces: Vec<String>,
    /// The manifest's file.
    pub manifest: String,
    /// The library: resolved when the plugin may be used, otherwise as the manifest names it.
    pub library: String,
    /// True when it may be loaded.
    pub usable: bool,
    /// The rule of the operator that admits or excludes it.
    pub rule: String,
    /// What is known about the library's SHA-256.
    pub sha256: HashState,
    /// What is known about the manifest's signature.
    pub signature: SignatureState,
    /// Where it would run; null when it was refused before that was decided.
    pub placement: Option<Placement>,
    /// Whether it may run inside the host.
    pub in_process: bool,
    /// Why its library is in quarantine; null when it is not.
    pub quarantine: Option<ListedQuarantine>,
    /// Its last fault, if one is remembered.
    pub last_fault: Option<ListedFault>,
    /// What was measured on the way to its admission; null when it is refused.
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub admission: Option<Admission>,
    /// Why it is refused; null when it may be used.
    pub refusal: Option<ListedRefusal>,
}

/// A quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedQuarantine {
    /// Since when, in UTC (RFC 3339).
    pub since: String,
    /// Why.
    pub reason: String,
    /// What ends it.
    pub until: String,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedFault {
    /// When, in UTC (RFC 3339).
    pub at: String,
    /// The version that failed.
    pub version: String,
    /// The fault's code.
    pub code: String,
    /// Its class.
    pub class: String,
    /// What happened.
    pub text: String,
    /// How the plugin's process ended, such as `SIGSEGV`; null when it did not.
    pub ending: Option<String>,
    /// The call that was under way or was the last.
    pub last_call: Option<String>,
    /// All faults of that library that were counted.
    pub faults: u64,
}

impl From<&FaultRecord> for ListedFault {
    fn from(record: &FaultRecord) -> Self {
        let last = record.last();
        Self {
            at: rfc3339(last.unix_ms),
            version: last.note.version.clone(),
            code: last.note.code.clone(),
            class: last.note.class.clone(),
            text: last.note.text.clone(),
            ending: last.note.ending.clone(),
            last_call: last.note.last_call.clone(),
            faults: record.faults(),
        }
    }
}

impl Inventory {
    /// The decisions as they stand now. Files are judged as they
    /// were when they were scanned, faults as they are now.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let policy = self.policy();
        let text = |path: PathBuf| path.display().to_string();
        Listing {
            folders: self.folders().iter().cloned().map(text).collect(),
            safe_mode: policy.safe_mode.is_some(),
            privileged: crate::environment::privileged(),
            require_signature: policy.require_signature,
            trusted_keys: policy.trusted_keys.iter().map(|key| key.id().to_owned()).collect(),
            fault_file: self.ledger().path().map(text),
            plugins: self.entries().iter().map(|entry| listed(entry, self)).collect(),
            refusals: self.refusals().iter().map(ListedRefusal::from).collect(),
        }
    }
}

fn listed(entry: &Entry, inventory: &Inventory) -> ListedPlugin {
    let (candidate, findings) = (&entry.candidate, &entry.findings);
    let manifest = candidate.manifest();
    let verdict = entry.verdict();
    let library = verdict.as_ref().map_or_else(|_| candidate.library_path(), |good| good.library.clone());
    let refusal = verdict.as_ref().err();
    ListedPlugin {
        id: manifest.id.to_string(),
        name: manifest.name.clone(),
        version: manifest.version.to_string(),
        vendor: manifest.vendor.clone(),
        license: manifest.license.clone(),
        kinds: manifest.kinds.iter().map(ToString::to_string).collect(),
        interfaces: manifest.interfaces.iter().map(ToString::to_string).collect(),
        manifest: candidate.manifest_path().display().to_string(),
        library: library.display().to_string(),
        usable: refusal.is_none(),
        rule: match (&findings.rule, refusal) {
            (Some(rule), _) => rule.clone(),
            (None, Some(Refusal::PolicyDenied { rule, .. })) => rule.clone(),
            (None, _) => "safe mode".into(),
        },
        sha256: findings.sha256,
        signature: findings.signature.clone(),
        placement: findings.placement,
        in_process: inventory.policy().isolation.covers(candidate.id()),
        quarantine: entry.sentence().map(|sentence| ListedQuarantine {
            since: rfc3339(sentence.since_unix_ms),
            reason: sentence.reason,
            until: format!("its library changes, or selkies-host plugins clear {}", manifest.id),
        }),
        last_fault: inventory.ledger().record(candidate.id()).as_ref().map(ListedFault::from),
        admission: verdict.as_ref().ok().map(|admission| (*admission).clone()),
        refusal: refusal.map(ListedRefusal::from),
    }
}

impl Listing {
    /// For programs; [`Self::json_schema`] describes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // Every field is text, a number or a list of these, so that it always is a JSON value.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The JSON Schema of [`Self::to_json`], as committed in `schemas/selkies-plugins-list.schema.json`.
    #[must_use]
    pub fn json_schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    /// For people: a table, a line for each decision, one for each refusal and last fault, and the rules.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut rows = vec![["ID", "VERSION", "KINDS", "STATE", "MANIFEST"].map(String::from)];
        rows.extend(self.plugins.iter().map(|plugin| {
            let state = match &plugin.refusal {
                None => "usable".to_owned(),
                Some(_) if plugin.quarantine.is_some() => "quarantined".into(),
                Some(refusal) => format!("refused {}", refusal.code),
            };
            let kinds = plugin.kinds.join(",");
            [plugin.id.clone(), plugin.version.clone(), kinds, state, plugin.manifest.clone()]
        }));
        let mut lines =
            if self.plugins.is_empty() { vec!["no plugins found".to_owned()] } else { columns(&rows) };
        lines.push(String::new());
        lines.extend(self.plugins.iter().map(ListedPlugin::decision));
        lines.extend(self.plugins.iter().filter_map(ListedPlugin::fault_line));
        let refused = self.plugins.iter().filter_map(|plugin| plugin.refusal.as_ref());
        lines.extend(refused.chain(&self.refusals).map(|refusal| refusal.message.clone()));
        lines.push(self.rules());
        lines.join("\n") + "\n"
    }

    fn rules(&self) -> String {
        let on = |on| if on { "on" } else { "off" };
        let list = |list: &[String], none: &str| {
            if list.is_empty() { none.to_owned() } else { clip(&list.join(", "), 400) }
        };
        let fault_file = self.fault_file.as_deref().map_or("only in memory".into(), |path| clip(path, 120));
        let privileged = if self.privileged {
            "; started with borrowed rights: variables about plugins and the user's folder are ignored"
        } else {
            ""
        };
        format!(
            "safe mode {}; signatures {}, trusted keys {}; faults kept {fault_file}; searched {}{privileged}",
            on(self.safe_mode),
            if self.require_signature { "required" } else { "not required" },
            list(&self.trusted_keys, "none"),
            list(&self.folders, "nothing"),
        )
    }
}

impl ListedPlugin {
    /// One line: what was decided, and by what.
    fn decision(&self) -> String {
        let decided = match &self.refusal {
            None => "usable".to_owned(),
            Some(refusal) => format!("refused {}", refusal.code),
        };
        let place = match self.placement {
            None => "runs nowhere",
            Some(Placement::InProcess) => "runs in the host",
            Some(Placement::Process) => "runs in a child",
        };
        format!(
            "{}: {decided}, rule {}; {place}; {}; sha256 {}; by {}; {}",
            clip(&self.id, 64),
            clip(&self.rule, 80),
            self.signature.to_text(),
            self.sha256.to_text(),
            clip(&self.vendor, 60),
            clip(&self.library, 120),
        )
    }

    fn fault_line(&self) -> Option<String> {
        let fault = self.last_fault.as_ref()?;
        let mut what = vec![fault.code.as_str(), fault.class.as_str()];
        what.extend(fault.ending.as_deref());
        what.push(fault.text.as_str());
        what.retain(|part| !part.is_empty());
        let call = fault.last_call.as_ref().map_or(String::new(), |call| format!(" in {call}"));
        let (id, at, faults, version) = (&self.id, &fault.at, fault.faults, &fault.version);
        let what = clip(&what.join(", "), 200);
        Some(format!("{id}: last fault {at} (version {version}): {what}{call}; {faults} in all"))
    }
}
