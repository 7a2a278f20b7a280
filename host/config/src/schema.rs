//! The JSON Schema of the configuration file, made from the table of settings and the file's types.

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};

use crate::{
    file::ConfigFile,
    parse::MAX_TEXT_BYTES,
    table::{Activity, Kind, Setting, settings},
};

/// The definitions that name a plugin, and so carry its configuration.
const PLUGIN_USES: [&str; 2] = ["PluginUse", "EncoderUse"];

/// The schema (2020-12) of the whole file. For each plugin of `plugins`, an id with its own schema, the `config` beside
/// that id is described by that schema; without any, every object is accepted there.
#[must_use]
pub fn config_schema(plugins: &[(String, Json)]) -> Json {
    let mut made =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<ConfigFile>().to_value();
    if let Some(own) = made.pointer_mut("/properties/$schema").and_then(Json::as_object_mut) {
        // The derived null is a default that the schema itself refuses.
        own.shift_remove("default");
    }
    // What a reader and an editor look for first stands first.
    let mut schema =
        json!({ "$schema": made["$schema"], "title": made["title"], "description": made["description"] });
    if let (Json::Object(schema), Json::Object(made)) = (&mut schema, made) {
        schema.extend(made);
    }
    let Some(definitions) = schema.get_mut("$defs").and_then(Json::as_object_mut) else { return schema };
    for (id, own) in plugins {
        // A plugin's schema is a resource of its own: its references must not point into ours.
        let name = format!("plugin:{id}");
        definitions.insert(name.clone(), with_id(id, own));
        let rule = json!({
            "if": { "properties": { "plugin": { "const": id } }, "required": ["plugin"] },
            "then": { "properties": { "config": { "$ref": resource(id, own) } } },
        });
        for holder in PLUGIN_USES {
            let Some(holder) = definitions.get_mut(holder).and_then(Json::as_object_mut) else { continue };
            match holder.entry("allOf").or_insert_with(|| json!([])) {
                Json::Array(rules) => rules.push(rule.clone()),
                other => *other = json!([rule]),
            }
        }
    }
    schema
}

/// The URI by which a plugin's schema is referred to.
fn resource(id: &str, own: &Json) -> String {
    match own.get("$id").and_then(Json::as_str) {
        Some(uri) => uri.to_owned(),
        None => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let escaped: String = id
                .bytes()
                .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect();
            format!("urn:selkies:plugin-config:{escaped}")
        }
    }
}

fn with_id(id: &str, own: &Json) -> Json {
    match own {
        Json::Object(members) => {
            let mut members = members.clone();
            members.entry("$id").or_insert_with(|| resource(id, own).into());
            Json::Object(members)
        }
        // `true` and `false` are schemas too.
        other => json!({ "$id": resource(id, own), "allOf": [other] }),
    }
}

/// The `settings` object. The host judges each value by the table itself, whose errors say more; this is for editors.
pub(crate) fn settings_schema(_: &mut SchemaGenerator) -> Schema {
    let mut properties = Map::new();
    for setting in settings() {
        for name in setting.names() {
            properties.insert(name.into(), setting_schema(setting, name));
        }
    }
    let mut schema = Schema::default();
    schema.insert("type".into(), "object".into());
    schema.insert("description".into(), "Values of settings by name, as text or in their JSON form.".into());
    schema.insert("additionalProperties".into(), false.into());
    schema.insert("properties".into(), properties.into());
    schema
}

fn setting_schema(setting: &Setting, name: &str) -> Json {
    let mut schema = match setting.kind {
        Kind::Bool => json!({
            "type": ["boolean", "string"],
            "pattern": r"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)(\|[Ll][Oo][Cc][Kk][Ee][Dd])?$",
        }),
        Kind::Choice { span: Some((min, max)), .. } => json!({
            "type": ["string", "integer", "array"],
            "minimum": min,
            "maximum": max,
            "minItems": 1,
            "items": { "type": ["string", "integer"] },
        }),
        Kind::Choice { .. } => {
            json!({ "type": ["string", "array"], "minItems": 1, "items": { "type": "string" } })
        }
        Kind::List { allowed } => json!({ "type": ["string", "array"], "items": { "enum": allowed } }),
        Kind::Range { min, max, .. } => json!({
            "type": ["integer", "string"],
            "minimum": min,
            "maximum": max,
            "pattern": r"^\d+$|^(\d+,)?\d+-\d+$",
        }),
        Kind::Int { min, max } => {
            json!({ "type": ["integer", "string"], "minimum": min, "maximum": max, "pattern": r"^-?\d+$" })
        }
        Kind::Text => json!({ "type": "string", "maxLength": MAX_TEXT_BYTES }),
        Kind::Secret => json!({ "type": "string", "maxLength": MAX_TEXT_BYTES, "writeOnly": true }),
        Kind::Size { .. } => json!({ "type": "string", "pattern": r"^\d+[xX]\d+$" }),
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".into(), description(setting, name).into());
        if !setting.is_secret() {
            members.insert("default".into(), setting.default.into());
        }
    }
    schema
}

fn description(setting: &Setting, name: &str) -> String {
    let mut text = setting.help.to_owned();
    if name != setting.name {
        text.push_str(&format!(" The same as {}.", setting.name));
    }
    if let Activity::NotYet(feature) = setting.activity {
        text.push_str(&format!(" Not active yet ({feature})."));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{parse, text_of};

    fn plugin() -> Vec<(String, Json)> {
        let own = json!({
            "type": "object",
            "properties": { "display": { "$ref": "#/$defs/name" } },
            "additionalProperties": false,
            "$defs": { "name": { "type": "string" } },
        });
        vec![("selkies.x11".into(), own), ("acme.any thing".into(), Json::Bool(true))]
    }

    #[test]
    fn the_merged_schema_judges_a_plugins_config() {
        let validator = jsonschema::validator_for(&config_schema(&plugin())).expect("a valid schema");
        let with = |config: Json| json!({ "capture": { "plugin": "selkies.x11", "config": config } });
        assert!(validator.is_valid(&with(json!({ "display": ":0" }))));
        assert!(!validator.is_valid(&with(json!({ "display": 0 }))));
        assert!(!validator.is_valid(&with(json!({ "other": 0 }))));
        let other = json!({ "input": [{ "plugin": "acme.any thing", "config": { "other": 0 } }] });
        assert!(validator.is_valid(&other));
    }

    #[test]
    fn the_schema_and_the_table_agree_on_what_is_right() {
        let validator = jsonschema::validator_for(&config_schema(&[])).expect("a valid schema");
        let values = [
            json!(true),
            json!("false|locked"),
            json!("yes"),
            json!(1),
            json!(0),
            json!(-1),
            json!(60),
            json!("60"),
            json!("8-120"),
            json!("30,8-120"),
            json!("30,60"),
            json!("jpeg,x264enc"),
            json!(["jpeg"]),
            json!([]),
            json!("upload"),
            json!(["download", "upload"]),
            json!(["delete"]),
            json!(120),
            json!(1.5),
            json!(null),
            json!("1920x1080"),
            json!("1920*1080"),
            json!({}),
            json!(100_000_000),
            json!("text"),
            json!([[]]),
        ];
        for setting in settings() {
            for value in &values {
                let taken = text_of(setting, value, &[]).and_then(|text| parse(setting, &text, &[])).is_ok();
                let described = validator.is_valid(&json!({ "settings": { setting.name: value } }));
                // The schema leaves the names, and the numbers inside texts, to the table.
                assert!(described || !taken, "{} takes {value}, its schema does not", setting.name);
                if !value.is_string() && !matches!(setting.kind, Kind::Choice { .. }) {
                    assert_eq!(described, taken, "{} and {value}", setting.name);
                }
            }
        }
    }

    #[test]
    fn the_schema_is_valid_and_takes_every_default() {
        let validator = jsonschema::validator_for(&config_schema(&[])).expect("a valid schema");
        for setting in settings() {
            let file = json!({ "settings": { setting.name: setting.default } });
            assert!(validator.is_valid(&file), "{}", setting.name);
        }
        for wrong in [
            json!({ "settings": { "port": 70000 } }),
            json!({ "settings": { "prot": 1 } }),
            json!({ "x": 1 }),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }
}
