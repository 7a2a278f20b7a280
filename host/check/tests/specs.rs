//! docs/specs/ lists the rules of this crate, word for word. `SELKIES_BLESS=1` writes them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use selkies_plugin_check::{Report, Severity, rules};

const MARK: &str = "<!-- Below: host/check/src/rules/, written by SELKIES_BLESS=1 cargo test -p selkies-plugin-check --test specs -->";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/specs")
}

/// What each page has to say below its mark.
fn wanted() -> BTreeMap<&'static str, String> {
    let mut pages: BTreeMap<&'static str, String> = BTreeMap::new();
    for rule in rules() {
        let page = pages.entry(rule.page).or_default();
        let note = match rule.severity {
            Severity::Must => "",
            Severity::Should => " Breaking it is a warning.",
        };
        let (anchor, id, title) = (rule.id.to_lowercase(), rule.id, rule.title);
        let (text, remedy) = (rule.text, rule.remedy);
        let _ = write!(
            page,
            "\n<a id=\"{anchor}\"></a>\n**{id}, {title}.** {text}{note}\n*When it fails:* {remedy}\n"
        );
    }
    pages
}

#[test]
fn the_specs_list_the_rules_word_for_word() {
    let bless = std::env::var_os("SELKIES_BLESS").is_some();
    for (page, wanted) in wanted() {
        let path = folder().join(format!("{page}.md"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (intro, found) =
            text.split_once(MARK).unwrap_or_else(|| panic!("{}: no line {MARK}", path.display()));
        assert!(intro.starts_with("# ") && intro.len() > 200, "{page}: the page says nothing itself");
        if bless {
            std::fs::write(&path, format!("{intro}{MARK}\n{wanted}")).expect("the page is writable");
        } else {
            assert_eq!(found.trim_start_matches('\n'), wanted.trim_start_matches('\n'), "{page}");
        }
    }
}

#[test]
fn there_is_no_page_without_rules() {
    let pages = wanted();
    for entry in std::fs::read_dir(folder()).expect("docs/specs is there") {
        let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
        let page = name.strip_suffix(".md").unwrap_or_else(|| panic!("{name} is no page"));
        assert!(pages.contains_key(page), "{name} has no rules");
    }
}

#[test]
fn the_schema_of_reports_is_the_committed_one() {
    let path = folder().join("../../schemas/selkies-check-report.schema.json");
    let wanted = format!("{:#}\n", Report::json_schema());
    if std::env::var_os("SELKIES_BLESS").is_some() {
        std::fs::write(&path, wanted).expect("schemas/ is writable");
    } else {
        let found = std::fs::read_to_string(&path).expect("the schema is committed");
        assert_eq!(found, wanted, "SELKIES_BLESS=1 writes it");
    }
}
