//! `selkies-host`: streams a Linux desktop to browsers.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod control;
mod defaults;
mod desktop;
mod failure;
mod logging;
mod run;
mod stage;
mod stop;
mod supervision;
mod trust;
mod xvfb;

use std::process::ExitCode;

use failure::Failure;

fn main() -> ExitCode {
    let matches = args::command().get_matches();
    let outcome = match matches.subcommand() {
        Some(("plugins", matches)) => commands::plugins(matches),
        Some(("config", matches)) => commands::config(matches),
        _ => run::run(&matches),
    };
    outcome.unwrap_or_else(Failure::report)
}
