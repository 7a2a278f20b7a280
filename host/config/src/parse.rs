//! Reading one setting's text, or its value in the configuration file.

use serde_json::Value as Json;

use crate::{
    place,
    table::{Kind, Setting},
    value::{Secret, Value},
};

/// Longest text of one setting, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Characters of a wrong value that an error repeats.
const SHOWN_CHARS: usize = 60;

/// Why a text is not a value of a setting, in the words of the error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What was there; `***` for secrets.
    pub(crate) found: String,
    /// What could have been there.
    pub(crate) allowed: String,
    /// The value's JSON type is wrong rather than the value.
    pub(crate) wrong_type: bool,
}

/// Newer names of encoders, and what the configuration calls them (names of Selkies 2.1.0 and of its predecessor).
const ENCODER_ALIASES: [(&str, &str); 3] =
    [("h264enc", "x264enc"), ("h264enc-striped", "x264enc-striped"), ("h265enc", "x265enc")];

/// The configuration's name of an encoder that may be given by its newer one.
pub(crate) fn encoder_name(name: &str) -> &str {
    ENCODER_ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| known)
}

/// The name on the wire, in `SETTINGS` and `server_settings`, of an encoder that the configuration calls `name`.
#[must_use]
pub fn encoder_wire_name(name: &str) -> &str {
    ENCODER_ALIASES.iter().find(|(_, known)| *known == name).map_or(name, |(wire, _)| wire)
}

/// Reads the text of a setting. `extra` are names that a choice allows besides the table's: the encoders of the file.
pub(crate) fn parse(setting: &Setting, text: &str, extra: &[String]) -> Result<Value, Problem> {
    let problem = || Problem {
        found: if setting.is_secret() { "***".into() } else { shown(text) },
        allowed: allowed(setting, extra),
        wrong_type: false,
    };
    if text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
        return Err(problem());
    }
    if let Some(problem) = place::mistake(setting, text) {
        return Err(problem);
    }
    let value = match setting.kind {
        Kind::Bool => bool_value(text),
        Kind::Choice { allowed, span } => choice_value(setting, text, allowed, span, extra),
        Kind::List { allowed } => list_value(text, allowed),
        Kind::Range { min, max, initial } => range_value(text, min, max, initial),
        Kind::Int { min, max } => int(text).filter(|n| (min..=max).contains(n)).map(Value::Int),
        Kind::Text => Some(Value::Text(text.into())),
        Kind::Secret => Some(Value::Secret(Secret::new(text.into()))),
        Kind::Size { max } => size_value(text, max),
    };
    value.ok_or_else(problem)
}

/// Turns a value of the configuration file into the text that a variable would hold.
pub(crate) fn text_of(setting: &Setting, json: &Json, extra: &[String]) -> Result<String, Problem> {
    let text = match (setting.kind, json) {
        (_, Json::String(text)) => Some(text.clone()),
        (Kind::Bool, Json::Bool(on)) => Some(on.to_string()),
        (
            Kind::Range { .. } | Kind::Int { .. } | Kind::Choice { span: Some(_), .. },
            Json::Number(number),
        ) => number.as_i64().map(|number| number.to_string()),
        (Kind::Choice { .. } | Kind::List { .. }, Json::Array(items)) => items
            .iter()
            .map(|item| match item {
                Json::String(name) if !name.contains(',') => Some(name.clone()),
                Json::Number(number) => number.as_i64().map(|number| number.to_string()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(|names| names.join(",")),
        _ => None,
    };
    text.ok_or_else(|| Problem {
        found: if setting.is_secret() { "***".into() } else { shown_json(json) },
        allowed: allowed(setting, extra),
        wrong_type: true,
    })
}

/// The value of the row itself. Its choice opens the whole menu, where an operator's would narrow it.
pub(crate) fn default_value(setting: &Setting, extra: &[String]) -> Result<Value, Problem> {
    let value = parse(setting, setting.default, extra)?;
    Ok(match (value, setting.kind) {
        (Value::Choice { value, .. }, Kind::Choice { allowed, .. }) => {
            let mut menu: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            menu.extend(extra.iter().filter(|name| !allowed.contains(&name.as_str())).cloned());
            Value::Choice { value, allowed: menu }
        }
        (value, _) => value,
    })
}

/// What a setting takes, for errors and documentation.
pub(crate) fn allowed(setting: &Setting, extra: &[String]) -> String {
    match setting.kind {
        Kind::Bool => "true or false, with |locked behind it to lock it".into(),
        Kind::Choice { allowed, span } => {
            let names: Vec<&str> = allowed.iter().copied().chain(extra.iter().map(String::as_str)).collect();
            let span = span.map(|(min, max)| format!(", any number from {min} to {max}")).unwrap_or_default();
            format!("one or more of {}{span}, comma-separated", names.join(", "))
        }
        Kind::List { allowed } => format!("any of {}, comma-separated, or none", allowed.join(", ")),
        Kind::Range { min, max, .. } => {
            format!("MIN-MAX, one number, or INITIAL,MIN-MAX, each from {min} to {max}")
        }
        Kind::Int { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Text | Kind::Secret => {
            format!("text of at most {MAX_TEXT_BYTES} bytes without control characters")
        }
        Kind::Size { max } => format!("WIDTHxHEIGHT, each from 1 to {max}"),
    }
}

/// A wrong text in quotes, escaped and cut.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{more}")
}

/// A wrong JSON value in few words.
pub(crate) fn shown_json(json: &Json) -> String {
    match json {
        Json::String(text) => shown(text),
        Json::Array(items) => format!("an array of {}", items.len()),
        Json::Object(members) => format!("an object of {}", members.len()),
        scalar => scalar.to_string(),
    }
}

/// `true` and `1`, `false` and `0` in any case, then perhaps `|locked`. (Selkies takes anything else for false.)
fn bool_value(text: &str) -> Option<Value> {
    let (word, locked) = match text.split_once('|') {
        Some((word, lock)) => (word, lock.trim().eq_ignore_ascii_case("locked").then_some(true)?),
        None => (text, false),
    };
    let on = match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => true,
        "false" | "0" => false,
        _ => return None,
    };
    Some(Value::Bool { on, locked })
}

fn choice_value(
    setting: &Setting,
    text: &str,
    allowed: &[&str],
    span: Option<(i64, i64)>,
    extra: &[String],
) -> Option<Value> {
    let mut menu: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let is_extra = extra.iter().any(|known| known == name);
        let name = if setting.name == "encoder" && !is_extra { encoder_name(name) } else { name };
        let in_span = || span.zip(int(name)).is_some_and(|((min, max), n)| (min..=max).contains(&n));
        if !(allowed.contains(&name) || is_extra || in_span()) {
            return None;
        }
        // Two spellings of one encoder are one entry of the menu.
        if !menu.iter().any(|known| known == name) {
            menu.push(name.into());
        }
    }
    Some(Value::Choice { value: menu.first()?.clone(), allowed: menu })
}

/// `""` and `none` switch everything off, as Selkies documents (its seed-era code did not).
fn list_value(text: &str, allowed: &[&str]) -> Option<Value> {
    if text.trim().is_empty() || text.trim().eq_ignore_ascii_case("none") {
        return Some(Value::List(Vec::new()));
    }
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if !allowed.contains(&name) {
            return None;
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.into());
        }
    }
    Some(Value::List(names))
}

/// A single number locks (seed rule); `INITIAL,MIN-MAX` is the spelling of Selkies 2.1.0.
fn range_value(text: &str, min: i64, max: i64, initial: i64) -> Option<Value> {
    let (asked, span) = match text.split_once(',') {
        Some((asked, span)) => (Some(natural(asked)?), span),
        None => (None, text),
    };
    let (low, high) = match span.split_once('-') {
        Some((low, high)) => (natural(low)?, natural(high)?),
        // "60,60" says nothing that "60" does not.
        None if asked.is_none() => (natural(span)?, natural(span)?),
        None => return None,
    };
    if low < min || high > max || low > high || asked.is_some_and(|n| !(low..=high).contains(&n)) {
        return None;
    }
    Some(Value::Range { min: low, max: high, initial: asked.unwrap_or_else(|| initial.clamp(low, high)) })
}

fn size_value(text: &str, max: u32) -> Option<Value> {
    let (width, height) = text.trim().split_once(['x', 'X'])?;
    let side = |text| natural(text).and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=max).contains(n));
    Some(Value::Size { width: side(width)?, height: side(height)? })
}

fn int(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn natural(text: &str) -> Option<i64> {
    int(text).filter(|n| *n >= 0 && !text.contains('-'))
}
