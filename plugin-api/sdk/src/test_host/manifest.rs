//! The manifest beside the code.

use std::path::Path;

use schemars::JsonSchema;
use serde_json::Value;

/// Compares `selkies-plugin.json` in `folder` with the code: its `config_schema` with that of `C`, its `version` with
/// `version`. With the variable `SELKIES_BLESS` set it writes the schema into the file instead.
///
/// # Errors
/// What differs, or why the file cannot be read or written.
pub fn compare_manifest<C: JsonSchema>(folder: impl AsRef<Path>, version: &str) -> Result<(), String> {
    let path = folder.as_ref().join("selkies-plugin.json");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let mut manifest: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    if manifest["version"] != version {
        return Err(failed(&format_args!("version {}, the code has {version}", manifest["version"])));
    }
    let schema = schemars::schema_for!(C).to_value();
    if std::env::var_os("SELKIES_BLESS").is_some() {
        manifest["config_schema"] = schema;
        let text = serde_json::to_string_pretty(&manifest).map_err(|error| failed(&error))? + "\n";
        return std::fs::write(&path, text).map_err(|error| failed(&error));
    }
    if manifest["config_schema"] == schema {
        Ok(())
    } else {
        Err(failed(&"config_schema is not that of the code; SELKIES_BLESS=1 cargo test writes it"))
    }
}
