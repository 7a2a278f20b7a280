//! The verdicts for people and for programs.

use std::{fmt::Write as _, path::PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{rule::Rule, verdict::Outcome};

/// What `selkies-host plugins check --json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "plugins check --json")]
pub struct Report {
    /// No plugin broke a rule.
    pub passed: bool,
    /// Every rule that concerns a plugin was judged.
    pub complete: bool,
    /// One for each plugin, in the order in which they were found.
    pub plugins: Vec<PluginReport>,
}

/// Verdicts of one plugin.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PluginReport {
    /// The plugin's id, or its manifest's path when that cannot be read.
    pub plugin: String,
    /// Its manifest.
    pub manifest: PathBuf,
    /// No rule was broken.
    pub passed: bool,
    /// One for each rule.
    pub rules: Vec<RuleReport>,
    /// What the last child that did not end well wrote to standard error; empty when all did.
    pub stderr: String,
    /// The seed of random calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// What became of one rule.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleReport {
    /// The rule's id.
    pub rule: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What it asks.
    pub wanted: &'static str,
    /// What was found; the reason for those that were not judged.
    pub found: Vec<String>,
    /// What to do.
    pub remedy: &'static str,
    /// Where it is written down.
    pub spec: String,
}

impl PluginReport {
    pub(crate) fn new(
        plugin: String,
        manifest: PathBuf,
        rows: Vec<(&'static Rule, Outcome, Vec<String>)>,
        stderr: String,
        seed: Option<u64>,
    ) -> Self {
        let rules: Vec<RuleReport> = rows
            .into_iter()
            .map(|(rule, outcome, found)| RuleReport {
                rule: rule.id,
                title: rule.title,
                outcome,
                wanted: rule.text,
                found,
                remedy: rule.remedy,
                spec: rule.anchor(),
            })
            .collect();
        let passed = !rules.iter().any(|rule| rule.outcome.is_failure());
        Self { plugin, manifest, passed, rules, stderr, seed }
    }

    /// How many rules came to this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rules.iter().filter(|rule| rule.outcome == outcome).count()
    }

    /// One line for each rule, more for those that did not hold, and a summary.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{} ({})\n", self.plugin, self.manifest.display());
        let mut broken = false;
        for rule in &self.rules {
            let outcome = rule.outcome;
            let reason = match outcome {
                Outcome::Skipped | Outcome::Unjudged => rule.found.first().map(|why| format!(": {why}")),
                _ => None,
            };
            // Writing to a text cannot fail, here and below.
            let _ = writeln!(
                text,
                "{:9}  {}  {}{}",
                outcome.as_str(),
                rule.rule,
                rule.title,
                reason.unwrap_or_default()
            );
            if outcome >= Outcome::Warning {
                broken |= outcome.is_failure();
                for (name, value) in [("wanted", rule.wanted), ("remedy", rule.remedy), ("see", &rule.spec)] {
                    if name == "remedy" {
                        for found in &rule.found {
                            let _ = writeln!(text, "           found   {}", found.replace('\n', " "));
                        }
                    }
                    let _ = writeln!(text, "           {name:6}  {value}");
                }
            }
        }
        if broken && !self.stderr.is_empty() {
            text.push_str("the end of its standard error:\n");
            for line in self.stderr.lines().rev().take(10).collect::<Vec<_>>().into_iter().rev() {
                let _ = writeln!(text, "  | {line}");
            }
        }
        if let Some(seed) = self.seed {
            let _ = writeln!(text, "seed {seed}; the same calls again: --fuzz SECONDS --reproduce {seed}");
        }
        let counts = [
            Outcome::Passed,
            Outcome::Warning,
            Outcome::Failed,
            Outcome::TimedOut,
            Outcome::Crashed,
            Outcome::Unjudged,
            Outcome::Skipped,
        ]
        .map(|outcome| (outcome, self.count(outcome)));
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> =
            counts.map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
        let verdict = if self.passed { "passes" } else { "FAILS" };
        let _ = write!(text, "{} {verdict}: {}", self.plugin, counts.join(", "));
        text
    }
}

impl Report {
    pub(crate) fn new(plugins: Vec<PluginReport>) -> Self {
        let passed = plugins.iter().all(|plugin| plugin.passed);
        let complete = plugins.iter().all(|plugin| plugin.count(Outcome::Unjudged) == 0);
        Self { passed, complete, plugins }
    }

    /// For programs; [`Report::json_schema`] describes it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        // Texts, numbers and lists only, so that it always is a JSON value.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The JSON Schema of reports, as committed in `schemas/selkies-check-report.schema.json`.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
