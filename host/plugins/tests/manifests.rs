//! The manifest's form: its parser, its schema and the configurations it describes.

mod support;

use std::{fs, path::Path};

use selkies_plugin_host::{Listing, Manifest, Refusal, validate_config, validate_schema};
use serde_json::{Value, json};
use support::{Outcome, PluginFolder, assert_refusal};

#[test]
fn the_committed_schemas_are_the_generated_ones() -> Outcome {
    for (name, schema) in [
        ("selkies-plugin.schema.json", Manifest::json_schema()),
        ("selkies-plugins-list.schema.json", Listing::json_schema()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(name);
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        if std::env::var_os("SELKIES_BLESS").is_some_and(|value| value == "1") {
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(&path, &text)?;
        }
        let committed = fs::read_to_string(&path)?;
        assert!(committed == text, "schemas/{name} is old: run this test with SELKIES_BLESS=1");
    }
    Ok(())
}

/// A change to the good manifest and a word of the error, empty when there is none.
fn changes() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("name", json!("Ünïcode"), ""),
        ("version", json!("1.0.0-beta.1+build"), ""),
        ("version", json!("1.0"), "not a version"),
        ("version", json!("01.0.0"), "not a version"),
        ("id", json!("nodot"), "not an id"),
        ("id", json!("Upper.case"), "not an id"),
        ("id", json!(format!("a.{}", "b".repeat(70))), "not an id"),
        ("library", json!("../plugin.so"), "not a plain file name"),
        ("library", json!("/etc/passwd"), "not a plain file name"),
        ("library", json!(".."), "not a plain file name"),
        ("library", json!(""), "not a plain file name"),
        ("interfaces", json!([]), "0 entries"),
        ("interfaces", json!(["selkies.encoder"]), "not a table id"),
        ("interfaces", json!(["selkies.encoder/0"]), "not a table id"),
        ("kinds", json!(["encoder", "new-kind"]), ""),
        ("kinds", json!("encoder"), "invalid type"),
        ("sha256", json!("abc"), "not a SHA-256"),
        ("requires", json!({ "network": "yes" }), "invalid type"),
        ("requires", json!({ "gpu": true }), "unknown field"),
        ("isolation", json!({ "default": "moon" }), "unknown variant"),
        ("config_schema", json!(true), "invalid type"),
        ("extra", json!(1), "unknown field `extra`"),
    ]
}

#[test]
fn parser_and_schema_agree() -> Outcome {
    let schema = jsonschema::validator_for(&Manifest::json_schema())?;
    let good = PluginFolder::new("test.form")?.manifest;
    assert!(schema.is_valid(&good));
    for (field, value, word) in changes() {
        let mut manifest = good.clone();
        manifest[field] = value;
        let text = serde_json::to_string_pretty(&manifest)?;
        let parsed = Manifest::parse(text.as_bytes(), Path::new("m.json"));
        assert_eq!(schema.is_valid(&manifest), word.is_empty(), "schema, {field}: {manifest}");
        if word.is_empty() {
            parsed?;
        } else {
            assert_refusal(parsed, "SP003", word);
        }
    }
    for field in ["id", "name", "version", "vendor", "license", "library", "interfaces", "kinds"] {
        let mut manifest = good.clone();
        manifest.as_object_mut().ok_or("no object")?.remove(field);
        assert!(!schema.is_valid(&manifest), "{field}");
        assert_refusal(
            Manifest::parse(manifest.to_string().as_bytes(), Path::new("m.json")),
            "SP003",
            &format!("missing field `{field}`"),
        );
    }
    Ok(())
}

#[test]
fn errors_name_file_line_and_column() {
    let text = "{\n  \"id\": \"a.b\",\n  \"naem\": \"x\"\n}";
    assert_refusal(
        Manifest::parse(text.as_bytes(), Path::new("/p/m.json")),
        "SP003",
        "/p/m.json:3:8: unknown field",
    );
    let hostile = "{\"id\": \"a\u{1b}[2J\\n\\u0007\\u202e.b\"}";
    assert_refusal(Manifest::parse(hostile.as_bytes(), Path::new("/p/m.json")), "SP003", "/p/m.json:1:");
    let twice = r#"{"id": "a.b", "id": "a.c"}"#;
    assert_refusal(Manifest::parse(twice.as_bytes(), Path::new("m")), "SP003", "duplicate field `id`");
}

#[test]
fn a_huge_manifest_is_not_read() -> Outcome {
    let plugin = PluginFolder::new("test.huge")?;
    fs::write(plugin.manifest_path(), " ".repeat(256 * 1024 + 1))?;
    assert_refusal(plugin.candidate(), "SP022", "limit is 256 KiB");
    fs::write(plugin.manifest_path(), "[".repeat(200 * 1024))?;
    assert_refusal(plugin.candidate(), "SP003", ":1:");
    Ok(())
}

fn manifest_with(schema: Option<Value>) -> Result<Manifest, Box<dyn std::error::Error>> {
    let mut manifest = PluginFolder::new("test.config")?.manifest;
    match schema {
        Some(schema) => manifest["config_schema"] = schema,
        None => drop(manifest.as_object_mut().ok_or("no object")?.remove("config_schema")),
    }
    Ok(Manifest::parse(manifest.to_string().as_bytes(), Path::new("m.json"))?)
}

#[test]
fn configurations_are_checked_by_the_plugins_schema() -> Outcome {
    let manifest = Manifest::parse(
        PluginFolder::new("test.config")?.manifest.to_string().as_bytes(),
        Path::new("m.json"),
    )?;
    validate_config(&manifest, &json!({ "threads": 4, "device": "/dev/dri/renderD128" }))?;
    let refused = |config: Value| validate_config(&manifest, &config);
    assert_refusal(refused(json!({ "threads": "four" })), "SP025", "configuration /threads: ");
    assert_refusal(refused(json!({ "threads": "four" })), "SP025", "found a string");
    assert_refusal(refused(json!({ "threads": 65 })), "SP025", "maximum of 64");
    assert_refusal(refused(json!({ "treads": 4 })), "SP025", "treads");
    assert_refusal(refused(json!([1])), "SP025", "is an array, wanted an object");
    // A value may be a secret.
    let refusal = refused(json!({ "token": "hunter2hunter2" })).map_err(|refusal| refusal.to_string());
    assert!(refusal.is_err_and(|line| !line.contains("hunter2")));

    let free = manifest_with(None)?;
    validate_config(&free, &json!({ "anything": [1, 2] }))?;
    assert_refusal(validate_config(&free, &json!("text")), "SP025", "is a string");
    Ok(())
}

#[test]
fn unusable_schemas_are_refused() -> Outcome {
    for schema in [
        json!({ "type": "strnig" }),
        json!({ "properties": 3 }),
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "$ref": "file:///etc/passwd" }),
        json!({ "pattern": "(" }),
    ] {
        let manifest = manifest_with(Some(schema))?;
        assert_refusal(validate_schema(&manifest), "SP026", "config_schema");
        let refused: Result<(), Refusal> = validate_config(&manifest, &json!({}));
        assert_refusal(refused, "SP026", "config_schema");
    }
    Ok(())
}

#[test]
fn schemas_that_refer_to_themselves_end() -> Outcome {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "anyOf": [{ "$ref": "#/$defs/a" }] } } }),
    ] {
        let manifest = manifest_with(Some(schema.clone()))?;
        validate_config(&manifest, &json!({ "a": 1 }))?;
    }
    Ok(())
}
