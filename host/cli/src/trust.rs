//! Which plugins this host searches, believes and remembers: the file's rules, and what flags and variables add to them.

use std::{ffi::OsString, path::PathBuf};

use clap::ArgMatches;
use selkies_config::{KeySource, PluginRules};
use selkies_plugin_host::{
    Inventory, IsolationRules, Ledger, PATH_VARIABLE, Policy, Quarantine, SafeMode, TrustedKey, environment,
    search_path,
};

use crate::{args, defaults, failure::Failure};

/// The variable that turns safe mode on.
pub(crate) const SAFE_MODE_VARIABLE: &str = "SELKIES_SAFE_MODE";
/// The variable that asks for signatures.
pub(crate) const SIGNATURE_VARIABLE: &str = "SELKIES_REQUIRE_SIGNATURE";
/// The variable with more trusted keys, separated by commas.
pub(crate) const KEYS_VARIABLE: &str = "SELKIES_TRUSTED_KEYS";
/// The variable that names the folder where the host remembers faults.
pub(crate) const STATE_VARIABLE: &str = "SELKIES_STATE_DIR";

/// Every variable that says which code runs, or where what is known about it lies. Whoever starts a host that has more
/// rights than himself does not say that.
pub(crate) const VARIABLES: &[&str] = &[
    PATH_VARIABLE,
    args::IN_PROCESS_VARIABLE,
    SAFE_MODE_VARIABLE,
    SIGNATURE_VARIABLE,
    KEYS_VARIABLE,
    STATE_VARIABLE,
];

/// The variable that names the configuration file, which says all of this, too.
const FILE_VARIABLE: &str = "SELKIES_CONFIG";

/// The name of the file with the faults, in the state's folder.
const FAULT_FILE: &str = "plugin-faults.json";

/// The variables of this process that the configuration may see.
pub(crate) fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    let privileged = environment::privileged();
    std::env::vars_os().filter(move |(name, _)| !(privileged && name == FILE_VARIABLE))
}

/// What the folders of flags, file, environment and defaults hold, judged by all rules.
///
/// # Errors
/// One line for a key or a variable that cannot be used.
pub(crate) fn inventory(matches: &ArgMatches, rules: &PluginRules) -> Result<Inventory, Failure> {
    inventory_with(matches, rules, ledger())
}

/// [`inventory`] with a memory of faults that is there already.
///
/// # Errors
/// As [`inventory`].
pub(crate) fn inventory_with(
    matches: &ArgMatches,
    rules: &PluginRules,
    ledger: Ledger,
) -> Result<Inventory, Failure> {
    let mut folders = args::plugin_folders(matches);
    folders.extend(rules.paths.iter().cloned());
    let variable = environment::trusted_variable(PATH_VARIABLE);
    let folders = search_path(&folders, variable.as_deref(), &defaults::plugin_folders());
    Ok(Inventory::scan_with(&folders, policy(matches, rules)?, ledger))
}

/// The operator's rules.
///
/// # Errors
/// As [`inventory`].
pub(crate) fn policy(matches: &ArgMatches, rules: &PluginRules) -> Result<Policy, Failure> {
    let given = args::trusted_keys(matches).into_iter().map(|key| KeySource::new(&key, None));
    let keys = rules.trusted_keys.iter().cloned().chain(given);
    let trusted_keys = keys.map(|source| key(&source)).collect::<Result<Vec<_>, _>>()?;
    let require_signature =
        rules.require_signature || matches.get_flag("require-signature") || is_on(SIGNATURE_VARIABLE)?;
    if require_signature && trusted_keys.is_empty() {
        return Err(Failure::Other(
            "CL015 signatures are required, and no key is trusted, so that no plugin could be used; name one in \
             plugins.trusted_keys or with --trusted-key"
                .into(),
        ));
    }
    let safe_mode = matches.get_flag("safe-mode") || is_on(SAFE_MODE_VARIABLE)?;
    let safe_mode = safe_mode.then(|| SafeMode { folders: defaults::first_party_folders() });
    Ok(Policy {
        allow: rules.allow.clone(),
        deny: rules.deny.clone(),
        require_signature,
        trusted_keys,
        safe_mode,
        isolation: IsolationRules {
            in_process: rules.in_process.clone(),
            groups: rules.groups.clone(),
            forced: args::isolation(matches),
            ..IsolationRules::default()
        },
    })
}

fn key(source: &KeySource) -> Result<TrustedKey, Failure> {
    let (read, name) = match source {
        KeySource::Text(text) => (TrustedKey::parse(text), text.clone()),
        KeySource::File(path) => (TrustedKey::read(path), path.display().to_string()),
    };
    read.map_err(|error| Failure::Other(format!("CL014 trusted key {}: {error}", name.escape_debug())))
}

/// Whether a variable that is no setting is switched on.
fn is_on(name: &str) -> Result<bool, Failure> {
    let value = environment::trusted_variable(name).unwrap_or_default();
    match value.to_str() {
        Some("" | "0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        _ => Err(Failure::Other(format!("CL016 {name}: found {value:?}, allowed true or false"))),
    }
}

/// The memory of plugins' faults.
pub(crate) fn ledger() -> Ledger {
    let file = state_folder(&environment::trusted_variable).map(|folder| folder.join(FAULT_FILE));
    Ledger::new(file.map_or_else(Quarantine::in_memory, Quarantine::open))
}

/// Where the host keeps what it remembers (XDG base directories); nothing when nobody says where.
fn state_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |name| path(name).filter(|path| path.is_absolute());
    path(STATE_VARIABLE)
        .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join("selkies-host")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/selkies-host")))
}

/// What the operator should know about what was ignored or is not remembered, a line each.
pub(crate) fn notices(inventory: &Inventory) -> Vec<String> {
    let mut lines = Vec::new();
    if environment::privileged() {
        lines.push(format!(
            "CL017 started with more rights than its user's (setuid, setgid or file capabilities): {}, {FILE_VARIABLE} \
             and the user's own folders are ignored; name folders with --plugins",
            VARIABLES.join(", ")
        ));
    }
    match (inventory.ledger().warning(), inventory.ledger().path()) {
        (Some(warning), _) => lines.push(warning),
        (None, None) if !environment::privileged() => lines.push(format!(
            "CL019 neither {STATE_VARIABLE} nor XDG_STATE_HOME nor HOME names a folder: faults of plugins are forgotten \
             with the host; name one"
        )),
        (None, _) => {}
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lies_where_the_operator_or_the_system_says() {
        let folder = |variables: &[(&str, &str)]| {
            let find = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(OsString::from(found.1))
            };
            state_folder(&find)
        };
        let home = ("HOME", "/home/u");
        assert_eq!(folder(&[home]), Some("/home/u/.local/state/selkies-host".into()));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "/s")]), Some("/s/selkies-host".into()));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "relative")]), folder(&[home]));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "/s"), (STATE_VARIABLE, "/v")]), Some("/v".into()));
        assert_eq!(folder(&[(STATE_VARIABLE, "")]), None);
    }
}
