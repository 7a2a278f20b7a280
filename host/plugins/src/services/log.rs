//! `selkies.host.log/1`: lines of plugins go to `tracing`, target `selkies::plugin`, with the plugin's id as a field.

use core::ffi::c_void;
use std::sync::atomic::Ordering;

use selkies_plugin_abi as abi;

use super::account::PluginAccount;
use super::context::enter;
use super::{failure, foreign};
use crate::size::size_field;

/// Longest `target`, in bytes.
const MAX_TARGET: usize = 128;
/// Longest `message` and `fields_json`, in bytes.
const MAX_MESSAGE: usize = 8 * 1024;
/// Longest text of `fail`, in bytes.
const MAX_FAILURE: usize = 1024;

pub(crate) static LOG: abi::LogV1 = abi::LogV1 {
    struct_size: size_field::<abi::LogV1>(),
    reserved: 0,
    max_level: Some(max_level),
    log: Some(log),
    fail: Some(fail),
};

unsafe extern "C" fn max_level(ctx: *mut c_void) -> u32 {
    enter(ctx, "log.max_level", abi::LEVEL_ERROR, |context| context.account.level.load(Ordering::Relaxed))
}

unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: u32,
    target: abi::Str,
    message: abi::Str,
    fields: abi::Str,
) {
    enter(ctx, "log.log", (), |context| {
        let account = &context.account;
        if !(abi::LEVEL_ERROR..=abi::LEVEL_PLUGIN_MISBEHAVING).contains(&level) {
            return account.misbehaving("log.log", format_args!("there is no log level {level}"));
        }
        if level <= abi::LEVEL_TRACE && level > account.level.load(Ordering::Relaxed) || !account.may_log() {
            return;
        }
        // SAFETY: texts of a call are readable for the call.
        let (target, message, fields) = unsafe {
            (
                one_line(foreign::lossy(target, MAX_TARGET)),
                one_line(foreign::lossy(message, MAX_MESSAGE)),
                foreign::lossy(fields, MAX_MESSAGE),
            )
        };
        write(account, level, &target, &message, object(&fields));
    });
}

unsafe extern "C" fn fail(ctx: *mut c_void, status: abi::Status, text: abi::Str) {
    enter(ctx, "log.fail", (), |_| {
        // SAFETY: texts of a call are readable for the call.
        failure::remember(status, one_line(unsafe { foreign::lossy(text, MAX_FAILURE) }));
    });
}

fn write(account: &PluginAccount, level: u32, module: &str, message: &str, fields: Option<&str>) {
    macro_rules! line {
        ($level:ident, $prefix:literal) => {
            tracing::event!(
                target: "selkies::plugin",
                tracing::Level::$level,
                plugin = &*account.id,
                module,
                fields,
                concat!($prefix, "{}"),
                message
            )
        };
    }
    match level {
        abi::LEVEL_HOST_MISBEHAVING => line!(ERROR, "host misbehaving, says the plugin: "),
        abi::LEVEL_PLUGIN_MISBEHAVING => line!(ERROR, "plugin misbehaving: "),
        abi::LEVEL_ERROR => line!(ERROR, ""),
        abi::LEVEL_WARN => line!(WARN, ""),
        abi::LEVEL_INFO => line!(INFO, ""),
        abi::LEVEL_DEBUG => line!(DEBUG, ""),
        _ => line!(TRACE, ""),
    }
}

/// The fields if they are an object; a cut or broken one would only confuse the reader of the log.
fn object(fields: &str) -> Option<&str> {
    let text = fields.trim();
    let whole = text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    whole.then_some(text)
}

/// A log line is one line: control characters, which could forge others or steer a terminal, are escaped.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        assert_eq!(one_line("a\nb\u{1b}[1mc".into()), "a\\nb\\u{1b}[1mc");
        assert_eq!(one_line("grün".into()), "grün");
    }

    #[test]
    fn only_whole_objects_are_fields() {
        assert_eq!(object(" {\"a\":1} "), Some("{\"a\":1}"));
        for broken in ["", "[1]", "{\"a\":", "null"] {
            assert_eq!(object(broken), None);
        }
    }
}
