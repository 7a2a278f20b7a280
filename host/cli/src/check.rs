//! `plugins check`: the conformance kit.

use std::{path::PathBuf, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use selkies_plugin_check::{Fuzz, Options, PluginReport, Severity, check as run_check, rules};
use serde_json::{Value as Json, json};

use crate::failure::{Failure, print};

/// Exit code when no rule was broken but some could not be judged.
const INCOMPLETE: u8 = 3;

/// The command line of `plugins check`.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("check")
        .about("Check plugins against the rules of the ABI, each in processes of its own")
        .after_help(
            "Exit code: 0 when no rule was broken, 1 when one was, 3 when none was but some could not be judged on this \
             machine.",
        )
        .arg(
            Arg::new("path")
                .value_name("FILE")
                .num_args(1..)
                .required_unless_present("list")
                .value_parser(value_parser!(PathBuf))
                .help("Manifests, libraries, or folders with plugins"),
        )
        .arg(
            Arg::new("rule")
                .long("rule")
                .value_name("ID")
                .action(ArgAction::Append)
                .help("Judge only this rule; may be given several times"),
        )
        .arg(
            Arg::new("plugin-config")
                .long("plugin-config")
                .value_name("JSON")
                .help("The plugins' configuration, an object, or @FILE with one"),
        )
        .arg(
            Arg::new("fuzz")
                .long("fuzz")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("Make random, valid calls for so long instead"),
        )
        .arg(
            Arg::new("reproduce")
                .long("reproduce")
                .value_name("SEED")
                .requires("fuzz")
                .value_parser(value_parser!(u64))
                .help("The seed of an earlier run, for the same calls"),
        )
        .arg(flag("in-process", "Run in this process, for debuggers: no limits and no crash reports"))
        .arg(flag("list", "List the rules and check nothing"))
        .arg(flag("json", "Print JSON"))
}

/// Runs `plugins check`.
pub(crate) fn check(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let json = matches.get_flag("json");
    if matches.get_flag("list") {
        print(&list(json))?;
        return Ok(ExitCode::SUCCESS);
    }
    let program = std::env::current_exe().map_err(|error| {
        format!("CL031 this program's own file cannot be found: {error}; start it by its path")
    })?;
    let seconds = matches.get_one::<u64>("fuzz").copied();
    let seed = matches.get_one::<u64>("reproduce").copied();
    let options = Options {
        files: matches.get_many::<PathBuf>("path").unwrap_or_default().cloned().collect(),
        program,
        config: configuration(matches.get_one::<String>("plugin-config").map(String::as_str))?,
        rules: matches.get_many::<String>("rule").unwrap_or_default().cloned().collect(),
        in_process: matches.get_flag("in-process"),
        fuzz: seconds.map(|seconds| Fuzz { seed: seed.unwrap_or_else(fresh_seed), seconds }),
    };
    let mut unwritten = None;
    let tell = |report: &PluginReport| {
        if !json {
            unwritten = print(&format!("{}\n", report.to_text())).err();
        }
    };
    let report = run_check(&options, tell).map_err(|error| error.to_string())?;
    if let Some(failure) = unwritten {
        return Err(failure);
    }
    if json {
        print(&format!("{:#}", report.to_json()))?;
    }
    Ok(match (report.passed, report.complete) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(INCOMPLETE),
        (true, true) => ExitCode::SUCCESS,
    })
}

fn configuration(given: Option<&str>) -> Result<serde_json::Map<String, Json>, Failure> {
    let Some(given) = given else { return Ok(serde_json::Map::new()) };
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            format!("CL032 --plugin-config {path}: {error}; name a file with a JSON object")
        })?,
        None => given.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(Json::Object(config)) => Ok(config),
        Ok(_) => {
            Err("CL033 --plugin-config: found no object; give one, such as {\"display\": \":1\"}".into())
        }
        Err(error) => Err(format!("CL033 --plugin-config: no JSON: {error}; give an object").into()),
    }
}

/// A seed that differs from run to run.
fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs() << 20
}

fn list(json: bool) -> String {
    let severity = |severity| match severity {
        Severity::Must => "must",
        Severity::Should => "should",
    };
    if json {
        let rules: Vec<Json> = rules()
            .map(|rule| {
                json!({
                    "rule": rule.id, "title": rule.title, "wanted": rule.text, "severity": severity(rule.severity),
                    "table": rule.table, "remedy": rule.remedy, "spec": rule.anchor(),
                })
            })
            .collect();
        return format!("{:#}", Json::from(rules));
    }
    let lines: Vec<String> =
        rules().map(|rule| format!("{}  {}: {}", rule.id, rule.title, rule.text)).collect();
    lines.join("\n")
}
