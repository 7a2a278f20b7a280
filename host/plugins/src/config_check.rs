//! A plugin's configuration against its own schema.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::{Manifest, Refusal};

/// Checks `config` against the manifest's `config_schema` (draft 2020-12 unless it names another). Without a schema
/// every object is accepted. The refusal never quotes the value: it may be a secret.
///
/// # Errors
/// [`Refusal::ConfigInvalid`] with the first difference, [`Refusal::SchemaInvalid`].
pub fn validate_config(manifest: &Manifest, config: &Value) -> Result<(), Refusal> {
    let invalid =
        |pointer: String, reason| Refusal::ConfigInvalid { id: manifest.id.to_string(), pointer, reason };
    if !config.is_object() {
        return Err(invalid(String::new(), format!("is {}, wanted an object", kind_of(config))));
    }
    let Some(validator) = validator_of(manifest)? else { return Ok(()) };
    match validator.iter_errors(config).next() {
        None => Ok(()),
        Some(error) => {
            let reason = format!("{} (found {})", error.masked(), kind_of(error.instance()));
            Err(invalid(error.instance_path().to_string(), reason))
        }
    }
}

/// Checks the manifest's `config_schema` itself.
///
/// # Errors
/// [`Refusal::SchemaInvalid`].
pub fn validate_schema(manifest: &Manifest) -> Result<(), Refusal> {
    validator_of(manifest).map(|_| ())
}

fn validator_of(manifest: &Manifest) -> Result<Option<Validator>, Refusal> {
    let Some(schema) = &manifest.config_schema else { return Ok(None) };
    let invalid = |reason: String| Refusal::SchemaInvalid { id: manifest.id.to_string(), reason };
    let schema = Value::Object(schema.clone());
    // The linear engine: a vendor's pattern cannot hang the host. No retriever is built in: a schema cannot make the
    // host open files or connections.
    jsonschema::options()
        .with_draft(draft_of(&schema))
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map(Some)
        .map_err(|error| invalid(error.to_string()))
}

fn draft_of(schema: &Value) -> Draft {
    match schema.get("$schema").and_then(Value::as_str) {
        Some(name) if name.contains("draft-07") => Draft::Draft7,
        Some(name) if name.contains("2019-09") => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
