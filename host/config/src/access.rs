//! Settings that, together, would let in whom the operator did not mean to.

use std::net::IpAddr;

use crate::{
    error::{Code, ConfigError, Origin},
    parse::shown,
    resolve::{Resolved, Source},
    value::Value,
};

/// The mistakes of an otherwise right configuration.
pub(crate) fn mistakes(values: &[Resolved]) -> Vec<ConfigError> {
    if is_on(values, "allow_unauthenticated") {
        return Vec::new();
    }
    exposure(values).into_iter().chain(unenforced_tokens(values)).collect()
}

/// The mistakes of a configuration for the signaling relay alone: nobody reaches a desktop through it.
pub(crate) fn mistakes_of_relay(values: &[Resolved]) -> Vec<ConfigError> {
    if is_on(values, "allow_unauthenticated") || has_secret(values, "socketio_token") {
        return Vec::new();
    }
    let remedy = "127.0.0.1, or socketio_token set, or --allow-unauthenticated (allow_unauthenticated=true)";
    beyond_loopback(values)
        .map(|(addr, text)| {
            ConfigError::new(Code::Exposed, origin(addr), format!("{} without a token", shown(text)), remedy)
        })
        .into_iter()
        .collect()
}

/// Other machines may connect only with a password, or when the operator says that none is needed.
fn exposure(values: &[Resolved]) -> Option<ConfigError> {
    let (addr, text) = beyond_loopback(values)?;
    if is_on(values, "enable_basic_auth") && has_secret(values, "basic_auth_password") {
        return None;
    }
    Some(ConfigError::new(
        Code::Exposed,
        origin(addr),
        format!("{} without a password", shown(text)),
        "127.0.0.1, or basic_auth_password set, or --allow-unauthenticated (allow_unauthenticated=true)",
    ))
}

/// The addresses, if other machines can connect to one of them.
fn beyond_loopback(values: &[Resolved]) -> Option<(&Resolved, &str)> {
    let addr = get(values, "addr")?;
    let Value::Text(text) = &addr.value else { return None };
    let is_loopback = |name: &str| {
        let name = name.trim();
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    (!text.split(',').all(is_loopback)).then_some((addr, text))
}

/// An operator who sets a master token relies on tokens being asked for; this version does not know them.
fn unenforced_tokens(values: &[Resolved]) -> Option<ConfigError> {
    let token = get(values, "master_token").filter(|_| has_secret(values, "master_token"))?;
    Some(ConfigError::new(
        Code::Unprotected,
        origin(token),
        "a master token, but this version asks nobody for tokens",
        "no master_token (basic_auth_password protects instead), or --allow-unauthenticated (allow_unauthenticated=true)",
    ))
}

fn get<'a>(values: &'a [Resolved], name: &str) -> Option<&'a Resolved> {
    values.iter().find(|resolved| resolved.setting.name == name)
}

fn is_on(values: &[Resolved], name: &str) -> bool {
    matches!(get(values, name).map(|resolved| &resolved.value), Some(Value::Bool { on: true, .. }))
}

fn has_secret(values: &[Resolved], name: &str) -> bool {
    matches!(get(values, name).map(|resolved| &resolved.value), Some(Value::Secret(text)) if !text.is_empty())
}

/// Where the value that holds was given.
fn origin(resolved: &Resolved) -> Origin {
    let name = resolved.setting.name;
    match &resolved.source {
        Source::Cli(flag) => Origin::Flag(flag.clone()),
        Source::Env(variable) | Source::Legacy(variable) => Origin::Env(variable.clone()),
        Source::File { path, line, column } => Origin::File {
            path: path.clone(),
            line: *line,
            column: *column,
            pointer: format!("/settings/{name}"),
        },
        Source::Default => Origin::Default(name),
    }
}
