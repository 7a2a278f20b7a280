//! `plugins ...` and `config ...`, and the configuration and plugins that every command starts from.

use std::{path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use selkies_config::{Config, KnownPlugin, Loader, PluginRules};
use selkies_plugin_host::{
    Depth, Inspection, Inventory, PATH_VARIABLE, Policy, inspect, matches as covers, search_path,
};
use serde_json::Value as Json;

use crate::{
    args, defaults,
    failure::{Failure, print},
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
    let config = loader.load_with(|rules| {
        let inventory = found.insert(inventory(matches, rules));
        known_plugins(inventory, rules)
    })?;
    let inventory = found.unwrap_or_else(|| inventory(matches, config.plugin_rules()));
    Ok((config, inventory))
}

fn loader(matches: &ArgMatches) -> Loader {
    Loader::new()
        .cli(matches)
        .env(std::env::vars_os())
        .allow_in_process(args::in_process_patterns(matches))
        .other_variables(&[PATH_VARIABLE, args::IN_PROCESS_VARIABLE])
}

/// What the folders of flags, file, environment and defaults hold.
fn inventory(matches: &ArgMatches, rules: &PluginRules) -> Inventory {
    let mut folders = args::plugin_folders(matches);
    folders.extend(rules.paths.iter().cloned());
    let variable = std::env::var_os(PATH_VARIABLE);
    let folders = search_path(&folders, variable.as_deref(), &defaults::plugin_folders());
    Inventory::scan(&folders, policy(rules))
}

fn policy(rules: &PluginRules) -> Policy {
    Policy { allow: rules.allow.clone(), deny: rules.deny.clone() }
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
    entries
        .map(|entry| {
            let refused = entry.verdict.as_ref().err().map(ToString::to_string);
            KnownPlugin {
                id: entry.candidate.id().to_owned(),
                schema: entry.candidate.manifest().config_schema.clone().map(Json::Object),
                refusal: refused.or_else(|| may_run_in_process(rules, entry.candidate.id()).err()),
            }
        })
        .collect()
}

pub(crate) fn plugins(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("inspect", matches)) => inspect_some(matches),
        Some((_, matches)) => {
            let config = loader(matches).load()?;
            let rules = config.plugin_rules();
            let inventory = inventory(matches, rules);
            let mut text = inventory.to_text();
            for line in inventory.usable().filter_map(|plugin| may_run_in_process(rules, plugin.id()).err()) {
                text.push_str(&line);
                text.push('\n');
            }
            print(&match matches.get_flag("json") {
                true => format!("{:#}", in_process_told(inventory.to_json(), rules)),
                false => text,
            })?;
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::FAILURE),
    }
}

/// Adds to each plugin of the list whether it may run inside the host.
fn in_process_told(mut list: Json, rules: &PluginRules) -> Json {
    for plugin in list.get_mut("plugins").and_then(Json::as_array_mut).into_iter().flatten() {
        let id = plugin.get("id").and_then(Json::as_str).unwrap_or_default();
        let may_run = may_run_in_process(rules, id).is_ok();
        if let Some(members) = plugin.as_object_mut() {
            members.insert("in_process".into(), may_run.into());
        }
    }
    list
}

fn inspect_some(matches: &ArgMatches) -> Outcome {
    let Some(path) = matches.get_one::<PathBuf>("path") else { return Ok(ExitCode::FAILURE) };
    let config = loader(matches).load()?;
    let rules = config.plugin_rules();
    let depth = if matches.get_flag("no-load") { Depth::Files } else { Depth::Code };
    let inspections = inspect(path, &policy(rules), depth);
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
            let known = known_plugins(&inventory(matches, config.plugin_rules()), config.plugin_rules());
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
