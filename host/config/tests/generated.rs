//! The committed schema and documentation are what the table makes. `SELKIES_BLESS=1` writes them anew.

use std::{fs, path::PathBuf};

use selkies_config::{KnownPlugin, Loader, config_schema, docs_page, settings};
use serde_json::{Value as Json, json};

fn check(relative: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative);
    if std::env::var_os("SELKIES_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let line = committed.lines().zip(made.lines()).position(|(old, new)| old != new).map(|line| line + 1);
    assert!(
        committed == made,
        "{relative} is stale (first at line {line:?}): run SELKIES_BLESS=1 cargo test -p selkies-config"
    );
}

/// The first-party plugins, from their manifests.
fn plugins() -> Vec<KnownPlugin> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let manifests = fs::read_dir(folder).unwrap().filter_map(|entry| {
        let text = fs::read_to_string(entry.unwrap().path().join("selkies-plugin.json")).ok()?;
        let mut manifest: Json = serde_json::from_str(&text).unwrap();
        let id = manifest["id"].as_str().unwrap().to_owned();
        let schema = Some(manifest["config_schema"].take()).filter(|schema| !schema.is_null());
        Some(KnownPlugin { id, schema, refusal: None })
    });
    let mut plugins: Vec<KnownPlugin> = manifests.collect();
    plugins.sort_by(|left, right| left.id.cmp(&right.id));
    assert!(plugins.len() >= 4, "{plugins:?}");
    plugins
}

#[test]
fn the_schema_is_up_to_date() {
    let plugins = plugins().into_iter().filter_map(|plugin| Some((plugin.id, plugin.schema?)));
    let schema = config_schema(&plugins.collect::<Vec<_>>());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let with =
        |fps: Json| json!({ "capture": { "plugin": "selkies.test-pattern", "config": { "fps": fps } } });
    assert!(validator.is_valid(&with(json!(60))) && !validator.is_valid(&with(json!("fast"))));
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    check("schemas/selkies-host.schema.json", &schema);
}

#[test]
fn the_documentation_is_up_to_date() {
    check("docs/configuration.md", &docs_page());
}

#[test]
fn the_documentation_names_every_setting() {
    let page = docs_page();
    for setting in settings() {
        assert!(page.contains(&format!("\n| `{}` | `{} ", setting.name, setting.flag())), "{}", setting.name);
    }
}

#[test]
fn the_files_in_the_documentation_are_right() {
    let operators = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugins.md");
    for page in [docs_page(), fs::read_to_string(operators).unwrap()] {
        let blocks: Vec<&str> =
            page.split("```json\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
        assert!(!blocks.is_empty());
        blocks.into_iter().for_each(check_file);
    }
}

fn check_file(block: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.json");
    fs::write(&path, block).unwrap();
    Loader::new().file(path).load_with(|_| plugins()).unwrap();
}
