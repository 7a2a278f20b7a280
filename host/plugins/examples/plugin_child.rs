//! A program that is a plugin's process and nothing else: what `selkies-host` is with its hidden first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    selkies_plugin_host::child::run()
}
