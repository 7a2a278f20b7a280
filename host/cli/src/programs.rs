//! Command lines of clients and of the operator.

use std::sync::Arc;

use selkies_commands::{Limits, Options};
use selkies_config::{Config, secret_variables};
use selkies_server::{CommandOptions, Hub};

/// Lets command lines be run on this display, as far as the operator allows.
pub(crate) fn attach(config: &Config, hub: &Arc<Hub>, display: &str) {
    let wanted = config.command_lines();
    let set = (!display.is_empty()).then(|| ("DISPLAY".to_owned(), display.to_owned()));
    let lines = Options {
        folder: std::env::home_dir().unwrap_or_else(|| "/".into()),
        set: set.into_iter().collect(),
        unset: withheld(),
        limits: Limits { time: wanted.time, ..Limits::default() },
        end_with_client: wanted.end_with_client,
    };
    let (after_connect, after_disconnect) = (wanted.after_connect, wanted.after_disconnect);
    hub.attach_commands(CommandOptions { lines, after_connect, after_disconnect });
}

/// The variables that programs of the desktop do not get: those of secret settings, and what is called so among the host's.
pub(crate) fn withheld() -> Vec<String> {
    let called_so = |name: &String| {
        name.starts_with("SELKIES_")
            && ["TOKEN", "SECRET", "PASSWORD", "_KEY"].iter().any(|word| name.contains(word))
    };
    let there = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(called_so);
    secret_variables().chain(there).collect()
}
