//! `selkies-host`: streams a Linux desktop to browsers.
#![forbid(unsafe_code)]

mod args;
mod check;
mod commands;
mod control;
mod defaults;
mod desktop;
mod failure;
mod files;
mod gamepads;
mod keeper;
mod logging;
mod programs;
mod resize;
mod rtc;
mod run;
mod serving;
mod signaling;
mod sound;
mod stage;
mod stop;
mod supervision;
mod trust;
mod turn;
mod xvfb;

use std::process::ExitCode;

use failure::Failure;
use selkies_plugin_host::CHILD_ARGUMENT;

fn main() -> ExitCode {
    // Before anything else: a plugin's process opens nothing until it is confined.
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == CHILD_ARGUMENT => return selkies_plugin_host::child::run(),
        // This process is the plugin's: no configuration, no logging, nothing of the host.
        Some(word) if word == selkies_plugin_check::CHILD_ARGUMENT => {
            return selkies_plugin_check::run_child(words.next().unwrap_or_default().as_ref());
        }
        _ => {}
    }
    let matches = args::command().get_matches();
    let outcome = match matches.subcommand() {
        Some(("plugins", matches)) => commands::plugins(matches),
        Some(("config", matches)) => commands::config(matches),
        Some(("resize", matches)) => resize::run(matches),
        Some(("signaling", matches)) => signaling::run(matches),
        Some(("rtc-config", matches)) => rtc::run(matches),
        Some(("turn-rest", matches)) => turn::rest(matches),
        Some(("turn-check", matches)) => turn::check_servers(matches),
        _ => run::run(&matches),
    };
    outcome.unwrap_or_else(Failure::report)
}
