//! The command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use selkies_plugin_host::Placement;
use selkies_plugin_host::environment;

use crate::trust;

/// The variable with more patterns for `--allow-in-process`, separated by commas.
pub(crate) const IN_PROCESS_VARIABLE: &str = "SELKIES_ALLOW_IN_PROCESS";

/// The whole command line: every setting, and what is not a setting.
pub(crate) fn command() -> Command {
    let plugins = Arg::new("plugins")
        .long("plugins")
        .value_name("DIR")
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .help("Folder with plugins; may be given several times [env: SELKIES_PLUGIN_PATH]");
    let in_process = Arg::new("allow-in-process")
        .long("allow-in-process")
        .value_name("PATTERN")
        .action(ArgAction::Append)
        .global(true)
        .help(
            "Ids of plugins (*: any text) that run inside the host, beside selkies.* and those of the file; others run \
             in a child process; may be given several times [env: SELKIES_ALLOW_IN_PROCESS]",
        );
    let isolation = Arg::new("isolation")
        .long("isolation")
        .value_name("PLACE")
        .value_parser(["process", "in-process"])
        .global(true)
        .help("Run all plugins in children (but transports), or all inside the host, whatever the file says");
    let signature = Arg::new("require-signature")
        .long("require-signature")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Use only plugins that a trusted key has signed [env: SELKIES_REQUIRE_SIGNATURE]");
    let keys = Arg::new("trusted-key")
        .long("trusted-key")
        .value_name("KEY|FILE")
        .action(ArgAction::Append)
        .global(true)
        .help(
            "Public key of minisign (RW...), or its .pub file, whose signatures count, beside those of the file; may be \
             given several times [env: SELKIES_TRUSTED_KEYS]",
        );
    let safe_mode = Arg::new("safe-mode")
        .long("safe-mode")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Use only first-party plugins from the host's own folders [env: SELKIES_SAFE_MODE]");
    let desktop = Arg::new("desktop")
        .long("desktop")
        .value_name("COMMAND")
        .help("Command that is run on the display once it is ready, and ended with the host");
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let file = |help: &'static str| {
        Arg::new("path").value_name("FILE").required(true).value_parser(value_parser!(PathBuf)).help(help)
    };
    Command::new("selkies-host")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Streams a Linux desktop to web browsers; every backend is a plugin.")
        .subcommand_precedence_over_arg(true)
        .args(selkies_config::args())
        .arg(plugins)
        .arg(in_process)
        .arg(isolation)
        .arg(signature)
        .arg(keys)
        .arg(safe_mode)
        .arg(desktop)
        .subcommand(
            Command::new("plugins")
                .about("Look at plugins, and let those run again that failed too often")
                .subcommand_required(true)
                .subcommand(
                    Command::new("list")
                        .about("List what the folders hold, with every decision; runs no plugin code")
                        .arg(json()),
                )
                .subcommand(
                    Command::new("reload")
                        .about("Let the running host take a new version of a plugin into use; SIGHUP: all that changed")
                        .arg(Arg::new("id").value_name("ID").required(true).help("The plugin's id")),
                )
                .subcommand(
                    Command::new("clear")
                        .about("Forget the faults of a plugin, so that it may run again")
                        .arg(
                            Arg::new("id")
                                .value_name("ID")
                                .required_unless_present("all")
                                .conflicts_with("all")
                                .help("The plugin's id"),
                        )
                        .arg(
                            Arg::new("all")
                                .long("all")
                                .action(ArgAction::SetTrue)
                                .help("Forget those of every plugin"),
                        ),
                )
                .subcommand(
                    Command::new("inspect")
                        .about("Load one plugin and tell everything about it")
                        .arg(file("A manifest, a library, or a folder with plugins"))
                        .arg(json())
                        .arg(
                            Arg::new("no-load")
                                .long("no-load")
                                .action(ArgAction::SetTrue)
                                .help("Read the files only, run no plugin code"),
                        ),
                )
                .subcommand(crate::check::command()),
        )
        .subcommand(crate::signaling::command())
        .subcommand(
            Command::new("config")
                .about("Look at the configuration")
                .subcommand_required(true)
                .subcommand(
                    Command::new("check")
                        .about("Check a configuration file with the plugins that are found")
                        .arg(file("The configuration file")),
                )
                .subcommand(
                    Command::new("schema").about("Print the JSON Schema of the file, plugins included"),
                )
                .subcommand(
                    Command::new("explain").about("Tell where a setting's value comes from").arg(
                        Arg::new("name")
                            .value_name("NAME")
                            .required(true)
                            .help("Any spelling: jpeg_quality, --jpeg-quality"),
                    ),
                ),
        )
        .subcommand(crate::resize::command())
        .subcommand(crate::rtc::command())
        .subcommands(crate::turn::commands())
}

/// The folders given with `--plugins`.
pub(crate) fn plugin_folders(matches: &ArgMatches) -> Vec<PathBuf> {
    matches.get_many::<PathBuf>("plugins").unwrap_or_default().cloned().collect()
}

/// The place given with `--isolation`.
pub(crate) fn isolation(matches: &ArgMatches) -> Option<Placement> {
    matches.get_one::<String>("isolation").map(|place| match place.as_str() {
        "in-process" => Placement::InProcess,
        _ => Placement::Process,
    })
}

/// The patterns given with `--allow-in-process` and by its variable.
pub(crate) fn in_process_patterns(matches: &ArgMatches) -> Vec<String> {
    several(matches, "allow-in-process", IN_PROCESS_VARIABLE)
}

/// The keys and files given with `--trusted-key` and by its variable.
pub(crate) fn trusted_keys(matches: &ArgMatches) -> Vec<String> {
    several(matches, "trusted-key", trust::KEYS_VARIABLE)
}

/// What a flag that may be given several times and a variable with commas say together.
fn several(matches: &ArgMatches, flag: &str, variable: &str) -> Vec<String> {
    let variable = environment::trusted_variable(variable).unwrap_or_default();
    let variable = variable.to_string_lossy();
    let given = matches.get_many::<String>(flag).unwrap_or_default().map(String::as_str);
    let texts = given.chain(variable.split(',').map(str::trim)).filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
