//! `plugins ...` and `config ...`.

use std::{path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use selkies_config::Loader;
use selkies_plugin_host::{Depth, Inventory, PATH_VARIABLE, Policy, inspect, search_path};

use crate::{args, defaults};

type Outcome = Result<ExitCode, String>;

/// What the folders of flags, environment, file and defaults hold.
pub(crate) fn inventory(matches: &ArgMatches, from_file: Vec<PathBuf>) -> Inventory {
    let mut folders = args::plugin_folders(matches);
    folders.extend(from_file);
    let variable = std::env::var_os(PATH_VARIABLE);
    Inventory::scan(
        &search_path(&folders, variable.as_deref(), &defaults::plugin_folders()),
        Policy::default(),
    )
}

/// The configuration schemas of plugins that may be used, by id.
pub(crate) fn plugin_schemas(inventory: &Inventory) -> Vec<(String, serde_json::Value)> {
    inventory
        .usable()
        .filter_map(|plugin| {
            let schema = plugin.manifest().config_schema.clone()?;
            Some((plugin.id().to_string(), schema.into()))
        })
        .collect()
}

pub(crate) fn plugins(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("inspect", matches)) => inspect_one(matches),
        Some((_, matches)) => {
            let from_file = Loader::new()
                .cli(matches)
                .env(std::env::vars_os())
                .load()
                .map(|config| config.plugin_paths());
            let inventory = inventory(matches, from_file.unwrap_or_default());
            match matches.get_flag("json") {
                true => println!("{:#}", inventory.to_json()),
                false => print!("{}", inventory.to_text()),
            }
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::FAILURE),
    }
}

fn inspect_one(matches: &ArgMatches) -> Outcome {
    let Some(path) = matches.get_one::<PathBuf>("path") else { return Ok(ExitCode::FAILURE) };
    let depth = if matches.get_flag("no-load") { Depth::Files } else { Depth::Code };
    let inspections = inspect(path, &Policy::default(), depth);
    if inspections.is_empty() {
        return Err(format!(
            "{}: CL010 there is no plugin; name a manifest, a library or a folder",
            path.display()
        ));
    }
    if matches.get_flag("json") {
        let list: Vec<_> = inspections.iter().map(selkies_plugin_host::Inspection::to_json).collect();
        println!("{:#}", serde_json::Value::from(list));
    } else {
        for inspection in &inspections {
            println!("{}", inspection.to_text().trim_end());
        }
    }
    let refused = inspections.iter().any(|inspection| inspection.refusal.is_some());
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(crate) fn config(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("check", matches)) => {
            let Some(path) = matches.get_one::<PathBuf>("path") else { return Ok(ExitCode::FAILURE) };
            let loaded = Loader::new().cli(matches).env(std::env::vars_os()).file(path).load();
            let config = loaded.map_err(|errors| errors.to_string())?;
            let inventory = inventory(matches, config.plugin_paths());
            config.check_plugins(&plugin_schemas(&inventory)).map_err(|errors| errors.to_string())?;
            for inactive in config.not_active() {
                println!("{inactive}");
            }
            println!("{}: ok", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Some(("schema", matches)) => {
            let inventory = inventory(matches, Vec::new());
            println!("{:#}", selkies_config::config_schema(&plugin_schemas(&inventory)));
            Ok(ExitCode::SUCCESS)
        }
        Some(("explain", matches)) => {
            let config = Loader::new()
                .cli(matches)
                .env(std::env::vars_os())
                .load()
                .map_err(|errors| errors.to_string())?;
            let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
            match config.explain(name) {
                Some(text) => println!("{}", text.trim_end()),
                None => {
                    return Err(format!(
                        "CL011 there is no setting {name:?}; `selkies-host --help` lists them"
                    ));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => Ok(ExitCode::FAILURE),
    }
}
