//! `plugins ...` and `config ...`, and the configuration and plugins that every command starts from.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use selkies_config::{Config, KnownPlugin, Loader};
use selkies_plugin_host::{Depth, Inspection, Inventory, inspect};
use serde_json::Value as Json;

use crate::{
    args,
    control::{self, ControlError, Request},
    failure::{Failure, print},
    trust,
};

pub(crate) type Outcome = Result<ExitCode, Failure>;

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
        Ok(inventory) => known_plugins(inventory),
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

/// The configuration for the signaling relay alone; plugins are not looked for.
///
/// # Errors
/// Every mistake.
pub(crate) fn relay_config(matches: &ArgMatches) -> Result<Config, Failure> {
    Ok(loader(matches).for_relay().load()?)
}

/// The configuration for the TURN REST service alone; plugins are not looked for.
///
/// # Errors
/// Every mistake.
pub(crate) fn turn_rest_config(matches: &ArgMatches) -> Result<Config, Failure> {
    Ok(loader(matches).for_turn_rest().load()?)
}

fn known_plugins(inventory: &Inventory) -> Vec<KnownPlugin> {
    let entries = inventory.entries().iter();
    let mut known: Vec<KnownPlugin> = entries
        .map(|entry| KnownPlugin {
            id: entry.candidate.id().to_owned(),
            schema: entry.candidate.manifest().config_schema.clone().map(Json::Object),
            refusal: entry.verdict().err().map(|refusal| refusal.to_string()),
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
        Some(("reload", matches)) => reload(matches),
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
    let listing = inventory.listing();
    if matches.get_flag("json") {
        print(&format!("{:#}", listing.to_json()))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&listing.to_text())?;
    Ok(ExitCode::SUCCESS)
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

fn reload(matches: &ArgMatches) -> Outcome {
    let plugin = matches.get_one::<String>("id").cloned().unwrap_or_default();
    order(matches, &Request::Reload { plugin })
}

/// Has the running host carry a request out, and prints what it answers.
///
/// # Errors
/// Mistakes of the configuration, no host, or its refusal.
pub(crate) fn order(matches: &ArgMatches, request: &Request) -> Outcome {
    let config = loader(matches).load()?;
    let answer = control::ask(config.addr(), config.port(), request);
    print(&answer.map_err(|error| error.to_string())?.map_err(Failure::Other)?.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the host that runs, if one does, that plugins may be used again.
fn tell_running(matches: &ArgMatches, plugins: Vec<String>) -> Result<(), Failure> {
    let config = loader(matches).load()?;
    match control::ask(config.addr(), config.port(), &Request::Admit { plugins }) {
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
        let texts: Vec<String> = inspections.iter().map(report).collect();
        print(&texts.join("\n\n"))?;
    }
    let refused = inspections.iter().any(|inspection| inspection.refusal.is_some());
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The inspection with its verdict first, where a reader looks.
fn report(inspection: &Inspection) -> String {
    let text = inspection.to_text();
    let (facts, verdict) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    let lines = [verdict, facts].into_iter().filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
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
            let known = known_plugins(&trust::inventory(matches, config.plugin_rules())?);
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
