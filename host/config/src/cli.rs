//! The command line of the settings.

use clap::{Arg, ArgAction, ArgMatches};

use crate::table::{Kind, Setting, settings};

/// Id of the argument that names the configuration file.
const CONFIG: &str = "config";

/// The arguments of all settings, and `--config FILE`, for a program to add to its [`clap::Command`].
///
/// They are global: subcommands take them too. A boolean's value may be left out (`--debug`), so a command with
/// subcommands should set [`clap::Command::subcommand_precedence_over_arg`].
#[must_use]
pub fn args() -> Vec<Arg> {
    let config = Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .global(true)
        .help("Configuration file (JSON) [env: SELKIES_CONFIG]");
    std::iter::once(config).chain(settings().map(arg)).collect()
}

fn arg(setting: &'static Setting) -> Arg {
    let long = setting.name.replace('_', "-");
    let underscored = std::iter::once(setting.name).filter(|name| name.contains('_')).map(str::to_owned);
    let others = setting.names().skip(1).flat_map(|name| [name.replace('_', "-"), name.to_owned()]);
    let mut aliases: Vec<String> = underscored.chain(others).collect();
    aliases.sort();
    aliases.dedup();
    let shown_default = if setting.default.is_empty() || setting.is_secret() {
        String::new()
    } else {
        format!(" [default: {}]", setting.default)
    };
    let arg = Arg::new(setting.name)
        .long(long)
        .aliases(aliases)
        .action(ArgAction::Set)
        .value_name(value_name(setting.kind))
        .help(format!("{}{shown_default}", setting.help))
        .help_heading(setting.section.title())
        .allow_hyphen_values(matches!(setting.kind, Kind::Int { .. }))
        .global(true);
    match setting.kind {
        Kind::Bool => arg.num_args(0..=1).default_missing_value("true"),
        _ => arg.num_args(1),
    }
}

/// What stands for a value in the help and in the documentation.
pub(crate) const fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "BOOL",
        Kind::Choice { .. } => "NAME[,NAME]",
        Kind::List { .. } => "LIST",
        Kind::Range { .. } => "MIN-MAX",
        Kind::Int { .. } => "NUMBER",
        Kind::Text => "TEXT",
        Kind::Secret => "SECRET",
        Kind::Size { .. } => "WxH",
    }
}

/// The settings that the command line gives, by name, and the configuration file.
pub(crate) fn given(matches: &ArgMatches) -> (Vec<(&'static str, String)>, Option<String>) {
    // An argument that the program did not add was not given.
    let text = |id| matches.try_get_one::<String>(id).ok().flatten().cloned();
    let given = settings().filter_map(|setting| Some((setting.name, text(setting.name)?))).collect();
    (given, text(CONFIG))
}
