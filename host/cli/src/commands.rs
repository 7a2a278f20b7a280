//! `plugins ...` and `config ...`, and the configuration and plugins that every command starts from.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use selkies_config::{Config, KnownPlugin, Loader, PluginRules};
use selkies_plugin_host::{Depth, Inspection, Inventory, Listing, inspect, matches as covers};
use serde_json::Value as Json;

use crate::{
    args,
    control::{self, ControlError, Request},
    failure::{Failure, print},
    trust,
};

type Outcome = Result<ExitCode, Failure>;

/// The configuration, all of it judged, and the plugins that were found.
///
/// # Errors
/// Every mistake, those in plugins' configurations included.
pub(crate) fn load(matches: &ArgMatches) -> Result<(Config, Inventory), Failure> {
    load_from(loader(matches), matches)
}

fn load_from(loader: Loader, matches: &ArgMatches) -> Result<(Config, Inventory), Failure> {
    let mut found = None;
    let config = loader.load_with(|rules| match found.insert(trust::inventory(matches, rules)) {
        Ok(inventory) => known_plugins(inventory, rules),
        Err(_) => Vec::new(),
    });
    // Without an inventory there are no plugins to miss.
    let found = found.transpose()?;
    let config = config?;
    let inventory = found.map_or_else(|| trust::inventory(matches, config.plugin_rules()), Ok)?;
    Ok((config, inventory))
}

fn loader(matches: &ArgMatches) -> Loader {
    Loader::new()
        .cli(matches)
        .env(trust::variables())
        .allow_in_process(args::in_process_patterns(matches))
        .other_variables(trust::VARIABLES)
}

/// Whether a plugin may run inside the host, the only place where this version runs plugins.
///
/// # Errors
/// One line with the remedy.
pub(crate) fn may_run_in_process(rules: &PluginRules, id: &str) -> Result<(), String> {
    if rules.in_process.iter().any(|pattern| covers(pattern, id)) {
        return Ok(());
    }
    let id = id.escape_debug();
    Err(format!(
        "CL012 plugin {id}: would need a child process, which this version does not have; to trust it like the host \
         itself, add its id to plugins.isolation.allow-in-process, or start with --allow-in-process {id}"
    ))
}

fn known_plugins(inventory: &Inventory, rules: &PluginRules) -> Vec<KnownPlugin> {
    let entries = inventory.entries().iter();
    let mut known: Vec<KnownPlugin> = entries
        .map(|entry| {
            let refused = entry.verdict().err().map(|refusal| refusal.to_string());
            KnownPlugin {
                id: entry.candidate.id().to_owned(),
                schema: entry.candidate.manifest().config_schema.clone().map(Json::Object),
                refusal: refused.or_else(|| may_run_in_process(rules, entry.candidate.id()).err()),
            }
        })
        .collect();
    // Of several with one id the first counts; one that is refused does not hide another one that may be used.
    known.sort_by_key(|plugin| plugin.refusal.is_some());
    known
}

pub(crate) fn plugins(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("inspect", matches)) => inspect_some(matches),
        Some(("check", matches)) => crate::check::check(matches),
        Some(("clear", matches)) => clear(matches),
        Some((_, matches)) => list(matches),
        None => Ok(ExitCode::FAILURE),
    }
}

fn list(matches: &ArgMatches) -> Outcome {
    let config = loader(matches).load()?;
    let rules = config.plugin_rules();
    let inventory = trust::inventory(matches, rules)?;
    for line in trust::notices(&inventory) {
        // Where standard error is closed, the list is still good.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    let listing = listing(&inventory, rules);
    if matches.get_flag("json") {
        print(&format!("{:#}", listing.to_json()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = listing.to_text();
    for line in inventory.usable().filter_map(|plugin| may_run_in_process(rules, plugin.id()).err()) {
        text.push_str(&line);
        text.push('\n');
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Every decision about plugins, as it stands now.
pub(crate) fn listing(inventory: &Inventory, rules: &PluginRules) -> Listing {
    inventory.listing(&|id| may_run_in_process(rules, id).is_ok())
}

fn clear(matches: &ArgMatches) -> Outcome {
    let ledger = trust::ledger();
    if let Some(line) = ledger.warning() {
        return Err(Failure::Other(line));
    }
    let id = matches.get_one::<String>("id").map(String::as_str).unwrap_or_default();
    if matches.get_flag("all") {
        let plugins = ledger.ids();
        print(&format!("{} cleared", counted(ledger.clear_all())))?;
        tell_running(matches, plugins)?;
    } else if ledger.clear(id) {
        print(&format!("{id}: cleared"))?;
        tell_running(matches, vec![id.to_owned()])?;
    } else {
        let known = ledger.ids();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Failure::Other(format!(
            "CL018 {}: no faults of this plugin are remembered, allowed: {known}",
            id.escape_debug()
        )));
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the host that runs, if one does, that plugins may be used again.
fn tell_running(matches: &ArgMatches, plugins: Vec<String>) -> Result<(), Failure> {
    let config = loader(matches).load()?;
    match control::ask(config.port(), &Request::Admit { plugins }) {
        Ok(answer) => print(&answer.map_err(Failure::Other)?.join("\n")),
        // It starts with what the file says now.
        Err(ControlError::NoHost { .. }) => Ok(()),
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

fn counted(plugins: usize) -> String {
    if plugins == 1 { "1 plugin".into() } else { format!("{plugins} plugins") }
}

fn inspect_some(matches: &ArgMatches) -> Outcome {
    let Some(path) = matches.get_one::<PathBuf>("path") else { return Ok(ExitCode::FAILURE) };
    let config = loader(matches).load()?;
    let rules = config.plugin_rules();
    let depth = if matches.get_flag("no-load") { Depth::Files } else { Depth::Code };
    let inspections = inspect(path, &trust::policy(matches, rules)?, depth);
    if inspections.is_empty() {
        return Err(Failure::Other(format!(
            "CL010 {}: found no plugin, allowed a manifest, a library or a folder with plugins",
            path.display()
        )));
    }
    if matches.get_flag("json") {
        let list: Vec<_> = inspections.iter().map(Inspection::to_json).collect();
        print(&format!("{:#}", Json::from(list)))?;
    } else {
        let texts: Vec<String> = inspections.iter().map(|inspection| report(inspection, rules)).collect();
        print(&texts.join("\n\n"))?;
    }
    let refused = inspections.iter().any(|inspection| inspection.refusal.is_some());
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The inspection with its verdict first, where a reader looks.
fn report(inspection: &Inspection, rules: &PluginRules) -> String {
    let text = inspection.to_text();
    let (facts, verdict) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    let manifest = inspection.manifest.as_ref().filter(|_| inspection.refusal.is_none());
    let in_process = manifest.and_then(|manifest| may_run_in_process(rules, manifest.id.as_str()).err());
    let lines = [Some(verdict), in_process.as_deref(), Some(facts)];
    let lines: Vec<&str> = lines.into_iter().flatten().filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

pub(crate) fn config(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("check", matches)) => {
            let Some(path) = matches.get_one::<PathBuf>("path") else { return Ok(ExitCode::FAILURE) };
            let (config, _) = load_from(loader(matches).file(path), matches)?;
            let mut lines: Vec<String> = config.not_active().map(|inactive| inactive.to_string()).collect();
            let unknown = config.unknown_env().iter();
            lines.extend(unknown.map(|name| format!("{name} is not a setting of this version")));
            let unlisted = config.unlisted_encoders();
            lines.extend(unlisted.map(|name| {
                format!("encoder {name} will not be offered: it is not among the encoders of the file")
            }));
            lines.push(format!("{}: ok", path.display()));
            print(&lines.join("\n"))?;
        }
        Some(("schema", matches)) => {
            let config = loader(matches).load()?;
            let known =
                known_plugins(&trust::inventory(matches, config.plugin_rules())?, config.plugin_rules());
            let usable = known.into_iter().filter(|plugin| plugin.refusal.is_none());
            let schemas: Vec<_> = usable.filter_map(|plugin| Some((plugin.id, plugin.schema?))).collect();
            print(&format!("{:#}", selkies_config::config_schema(&schemas)))?;
        }
        Some(("explain", matches)) => {
            let config = loader(matches).load()?;
            let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
            let Some(text) = config.explain(name) else {
                return Err(Failure::Other(format!(
                    "CL011 {name:?}: found no setting of that name, allowed those of `selkies-host --help`"
                )));
            };
            print(&text)?;
        }
        _ => return Ok(ExitCode::FAILURE),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_covered_plugins_run_inside_the_host() {
        let config = Loader::new().allow_in_process(["acme.*".to_owned()]).load().ok();
        let config = config.as_ref().map(Config::plugin_rules);
        let may_run = |id| config.is_some_and(|rules| may_run_in_process(rules, id).is_ok());
        assert!(may_run("selkies.x11") && may_run("acme.cam"));
        assert!(!may_run("other.cam") && !may_run("not.acme.cam"));
        let line = may_run_in_process(&PluginRules::default(), "a.b\n").unwrap_err();
        assert!(line.starts_with("CL012 plugin a.b\\n: ") && line.lines().count() == 1, "{line}");
    }
}
