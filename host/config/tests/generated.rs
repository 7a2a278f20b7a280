//! The committed schema and documentation are what the table makes. `SELKIES_BLESS=1` writes them anew.

use std::{fs, path::PathBuf};

use selkies_config::{Loader, config_schema, docs_page, settings};

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

#[test]
fn the_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&config_schema(&[])).unwrap() + "\n";
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
    let page = docs_page();
    let blocks: Vec<&str> =
        page.split("```json\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.json");
        fs::write(&path, block).unwrap();
        Loader::new().file(path).load().unwrap();
    }
}
