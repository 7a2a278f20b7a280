//! Every declaration of a published header is still in today's, unchanged: a plugin that was written against an old
//! header compiles against the new one and means the same.

use std::{collections::BTreeSet, path::PathBuf};

fn include() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../include")
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `text` without comments.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let line = rest.find("//").unwrap_or(rest.len());
        let block = rest.find("/*").unwrap_or(rest.len());
        out.push_str(&rest[..line.min(block)]);
        rest = &rest[line.min(block)..];
        if rest.is_empty() {
            return out;
        }
        let end = if line < block { rest.find('\n') } else { rest.find("*/").map(|at| at + 2) };
        rest = &rest[end.unwrap_or(rest.len())..];
    }
}

/// The declarations of a header, each on one line with single spaces: directives, and what ends with a `;` outside of
/// braces. A directive under a condition carries the condition.
fn declarations(header: &str) -> BTreeSet<String> {
    let text = code(header).replace("\\\n", " ");
    let mut found = BTreeSet::new();
    let mut conditions: Vec<String> = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(directive) = words.strip_prefix('#') else {
            open.push_str(&words);
            open.push(' ');
            if words.ends_with(';') && open.matches('{').count() == open.matches('}').count() {
                found.insert(open.trim().into());
                open.clear();
            }
            continue;
        };
        match directive.split(' ').next().unwrap_or_default() {
            "if" | "ifdef" | "ifndef" => conditions.push(directive.into()),
            "else" => {
                let last = conditions.pop().expect("an else belongs to an if");
                conditions.push(format!("not {last}"));
            }
            "endif" => drop(conditions.pop()),
            _ => {
                found.insert(format!("{} #{directive}", conditions.join(", ")));
            }
        }
        // The braces of extern "C" stand between directives.
        if open.trim() == "}" || open.trim() == "extern \"C\" {" {
            open.clear();
        }
    }
    assert!(
        open.trim().is_empty() && conditions.is_empty(),
        "the header ends within {open:?} {conditions:?}"
    );
    found
}

#[test]
fn what_was_published_is_declared_as_it_was() {
    let now = declarations(&read(include().join("selkies_plugin.h")));
    let mut headers = 0;
    for entry in std::fs::read_dir(include().join("kept")).expect("the kept headers") {
        let path = entry.expect("an entry").path();
        let kept = declarations(&read(path.clone()));
        assert!(kept.len() > 150, "{} declarations were read from {}", kept.len(), path.display());
        let changed: Vec<&String> = kept.difference(&now).collect();
        assert!(changed.is_empty(), "changed since {}; use a new id instead: {changed:#?}", path.display());
        headers += 1;
    }
    assert!(headers > 0, "no header was kept");
}

#[test]
fn changes_are_seen_and_comments_are_not() {
    let kept = read(include().join("kept/selkies_plugin-1.h"));
    let before = declarations(&kept);
    let with = |from: &str, to: &str| {
        let changed = kept.replacen(from, to, 1);
        assert_ne!(changed, kept, "{from} is not in the header");
        before.difference(&declarations(&changed)).count()
    };
    assert_eq!(with("// Success.", "/* It went\nwell. */"), 0);
    assert_eq!(with("#define SELKIES_OK 0", "#define SELKIES_FINE 9\n#define SELKIES_OK 0"), 0);
    assert_eq!(with("typedef int32_t SelkiesStatus;", "typedef int64_t SelkiesStatus;"), 1);
    assert_eq!(with("#define SELKIES_CODEC_H264 2", "#define SELKIES_CODEC_H264 3"), 1);
    assert_eq!(with("(*send_packet)(SelkiesInstance *instance,", "(*send_packet)("), 1);
    assert_eq!(with("  uint32_t stride;\n", ""), 1);
    assert_eq!(with("\"selkies.capture/1\"", "\"selkies.capture/2\""), 1);
    assert_eq!(with("extern SELKIES_EXPORT const", "extern const"), 1);
}
