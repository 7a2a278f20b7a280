//! Judges the configuration file: syntax, repeated keys, the schema.

use std::path::PathBuf;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    error::{Code, ConfigError, Origin, Remedy},
    file::{ConfigFile, EncoderUse, MAX_ENCODERS, PluginsSection, RawSettings},
    parse::shown_json,
    position::{Part, Position, duplicates, escaped, locate, position},
    schema::config_schema,
    table::nearest,
};

/// Most mistakes of one kind that are reported; finding the place of each costs a pass over the file.
pub(crate) const MAX_ERRORS: usize = 64;

/// What was read from a file. With errors, it holds only what further errors can be found in.
#[derive(Default)]
pub(crate) struct Parsed {
    pub(crate) file: ConfigFile,
    /// The whole text, null when it is no JSON.
    pub(crate) json: Json,
    /// False when it cannot be told where plugins are.
    pub(crate) names_plugins: bool,
    pub(crate) errors: Vec<ConfigError>,
}

/// A configuration file's text, for errors that name places in it.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Document {
    /// The place of a value or key; for one that is not there, that of what should hold it.
    pub(crate) fn origin(&self, pointer: &str, part: Part) -> Origin {
        let mut near = pointer;
        let Position { line, column } = loop {
            match (locate(&self.text, near, part), near.rsplit_once('/')) {
                (Some(found), _) => break found,
                (None, Some((parent, _))) => near = parent,
                (None, None) => break Position { line: 1, column: 1 },
            }
        };
        Origin::File { path: self.path.clone(), line, column, pointer: pointer.into() }
    }

    /// Reads the text.
    pub(crate) fn parse(&self) -> Parsed {
        let json: Json = match serde_json::from_str(&self.text) {
            Ok(json) => json,
            Err(error) => return Parsed { errors: vec![self.syntax_error(&error)], ..Parsed::default() },
        };
        let mut errors: Vec<ConfigError> = duplicates(&self.text)
            .into_iter()
            .map(|(pointer, Position { line, column })| {
                let origin = Origin::File { path: self.path.clone(), line, column, pointer };
                ConfigError::new(Code::Duplicate, origin, "a repeated key", "each key once")
            })
            .collect();
        let schema = config_schema(&[]);
        match jsonschema::validator_for(&schema) {
            Ok(validator) => errors.extend(self.violations(&validator, &schema, &json, "", |pointer| {
                // Settings are judged by the table, in words that know what they are.
                pointer != "/settings" && !pointer.starts_with("/settings/")
            })),
            Err(error) => errors.push(ConfigError::new(
                Code::PluginSchema,
                Origin::WholeFile(self.path.clone()),
                format!("an unusable schema of this host: {}", one_line(&error.to_string())),
                "a host built from a tested version",
            )),
        }
        if let Some(settings) = json.get("settings").filter(|settings| !settings.is_object()) {
            errors.push(ConfigError::new(
                Code::WrongType,
                self.origin("/settings", Part::Value),
                shown_json(settings),
                "an object",
            ));
        }
        let file = match ConfigFile::deserialize(&json) {
            Ok(file) => file,
            Err(error) => {
                if errors.is_empty() {
                    errors.push(ConfigError::new(
                        Code::WrongType,
                        self.origin("", Part::Value),
                        one_line(&error.to_string()),
                        "what the schema describes",
                    ));
                }
                salvaged(&json)
            }
        };
        errors.extend(self.repeated_encoders(&json));
        Parsed { names_plugins: plugins_section(&json).is_some(), file, json, errors }
    }

    fn syntax_error(&self, error: &serde_json::Error) -> ConfigError {
        // serde_json counts columns in bytes, from 1, and 0 when the line has just begun.
        let line_start =
            self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut at = error.column().saturating_sub(1).saturating_add(line_start).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let Position { line, column } = position(&self.text, at);
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        let origin = Origin::File { path: self.path.clone(), line, column, pointer: String::new() };
        ConfigError::new(Code::Syntax, origin, format!("no JSON ({})", one_line(what)), "one JSON object")
    }

    /// One name may stand for encoders of several plugins: after a fault the next of them goes on.
    fn repeated_encoders(&self, json: &Json) -> Vec<ConfigError> {
        let entries = json.get("encoders").and_then(Json::as_array).into_iter().flatten().take(MAX_ENCODERS);
        let text = |entry: &Json, key| entry.get(key).and_then(Json::as_str).map(str::to_owned);
        let uses: Vec<_> = entries.map(|entry| text(entry, "name").zip(text(entry, "plugin"))).collect();
        let repeated = uses.iter().enumerate().filter(|(index, one)| uses[..*index].contains(one));
        repeated
            .filter_map(|(index, one)| Some((index, one.as_ref()?)))
            .map(|(index, (name, plugin))| {
                ConfigError::new(
                    Code::Duplicate,
                    self.origin(&format!("/encoders/{index}/name"), Part::Value),
                    format!("{name:?} of plugin {plugin:?} for a second time"),
                    "each encoder of a plugin once",
                )
            })
            .collect()
    }

    pub(crate) fn violations(
        &self,
        validator: &Validator,
        schema: &Json,
        instance: &Json,
        base: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<ConfigError> {
        let errors = validator.iter_errors(instance).take(MAX_ERRORS);
        errors
            .filter(|error| wanted(error.instance_path().as_str()))
            .flat_map(|error| self.violation(&error, schema, base))
            .take(MAX_ERRORS)
            .collect()
    }

    fn violation(&self, error: &ValidationError<'_>, schema: &Json, base: &str) -> Vec<ConfigError> {
        let pointer = format!("{base}{}", error.instance_path());
        if let ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } = error.kind()
        {
            let known = known_keys(schema, error.schema_path().as_str());
            return unexpected
                .iter()
                .take(MAX_ERRORS)
                .map(|key| self.unknown_key(&pointer, key, &known))
                .collect();
        }
        let (code, found, allowed) = describe(error, &pointer);
        vec![ConfigError::new(code, self.origin(&pointer, Part::Value), found, allowed)]
    }

    /// The error for a key that nobody reads.
    pub(crate) fn unknown_key(&self, object: &str, key: &str, known: &[&str]) -> ConfigError {
        let shown: String = key.chars().take(60).collect();
        let remedy = match nearest(key, known.iter().copied()) {
            Some(near) => Remedy::Meant(near.into()),
            None if known.is_empty() => Remedy::Allowed("no further keys".into()),
            None if object == "/settings" => Remedy::Allowed("a name of docs/configuration.md".into()),
            None if known.len() > 20 => Remedy::Allowed(format!("one of {} keys of the schema", known.len())),
            None => Remedy::Allowed(known.join(", ")),
        };
        let what = if object == "/settings" { "setting" } else { "key here" };
        ConfigError {
            code: Code::UnknownKey,
            origin: self.origin(&format!("{object}/{}", escaped(key)), Part::Key),
            found: format!("{shown:?}, which is not a {what}"),
            remedy,
        }
    }
}

/// The settings, the encoders' names and the rules of plugins of a file that is wrong elsewhere.
fn salvaged(json: &Json) -> ConfigFile {
    let settings = json.get("settings").and_then(Json::as_object).cloned().unwrap_or_default();
    let encoders = json.get("encoders").and_then(Json::as_array).into_iter().flatten();
    let names = encoders.take(MAX_ENCODERS).filter_map(|encoder| encoder.get("name")?.as_str());
    let encoders = names.map(|name| EncoderUse {
        name: name.into(),
        plugin: String::new(),
        config: serde_json::Map::new(),
    });
    ConfigFile {
        settings: RawSettings(settings),
        encoders: encoders.collect(),
        plugins: plugins_section(json).unwrap_or_default(),
        ..ConfigFile::default()
    }
}

/// The section about plugins; `None` when it cannot be read.
fn plugins_section(json: &Json) -> Option<PluginsSection> {
    match json.get("plugins") {
        Some(section) => PluginsSection::deserialize(section).ok(),
        None => Some(PluginsSection::default()),
    }
}

/// Class, what was found and what is allowed.
fn describe(error: &ValidationError<'_>, pointer: &str) -> (Code, String, String) {
    use ValidationErrorKind as Kind;
    let found = if looks_secret(pointer) { "***".into() } else { shown_json(error.instance()) };
    let (code, allowed) = match error.kind() {
        Kind::Required { property } => {
            return (Code::Missing, format!("no {property}"), format!("an object with {property}"));
        }
        Kind::Type { kind: jsonschema::error::TypeKind::Single(kind) } => (Code::WrongType, kind.to_string()),
        Kind::Type { kind: jsonschema::error::TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            (Code::WrongType, kinds.join(" or "))
        }
        Kind::Enum { options } => {
            let options = options.as_array().map(|list| list.iter().map(Json::to_string).collect::<Vec<_>>());
            (Code::NotAllowed, options.unwrap_or_default().join(", "))
        }
        Kind::Constant { expected_value } => (Code::NotAllowed, expected_value.to_string()),
        Kind::Minimum { limit } => (Code::NotAllowed, format!("{limit} or more")),
        Kind::Maximum { limit } => (Code::NotAllowed, format!("{limit} or less")),
        Kind::ExclusiveMinimum { limit } => (Code::NotAllowed, format!("more than {limit}")),
        Kind::ExclusiveMaximum { limit } => (Code::NotAllowed, format!("less than {limit}")),
        Kind::MinLength { limit } => (Code::NotAllowed, format!("{limit} or more characters")),
        Kind::MaxLength { limit } => (Code::NotAllowed, format!("{limit} or fewer characters")),
        Kind::MinItems { limit } => (Code::NotAllowed, format!("{limit} or more items")),
        Kind::MaxItems { limit } => (Code::NotAllowed, format!("{limit} or fewer items")),
        Kind::Pattern { pattern } => (Code::NotAllowed, format!("text that matches {}", one_line(pattern))),
        Kind::Format { format } => (Code::NotAllowed, format!("text of the format {}", one_line(format))),
        Kind::UniqueItems => (Code::Duplicate, "each item once".into()),
        // The library's own words repeat the value unless it is masked.
        _ => (Code::NotAllowed, format!("what its schema says ({})", one_line(&error.masked().to_string()))),
    };
    (code, found, allowed)
}

/// The keys beside the `additionalProperties` or `unevaluatedProperties` that was violated.
fn known_keys<'s>(schema: &'s Json, keyword: &str) -> Vec<&'s str> {
    let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.pointer(&format!("{parent}/properties")).and_then(Json::as_object);
    properties.map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Values whose key sounds like a secret are not repeated in errors.
fn looks_secret(pointer: &str) -> bool {
    let pointer = pointer.to_ascii_lowercase();
    ["secret", "password", "token", "credential", "key"].iter().any(|word| pointer.contains(word))
}

/// Text of others on one line, cut.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
