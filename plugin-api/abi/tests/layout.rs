//! The published ABI, locked: size, alignment and every offset of every struct, every constant, every id. What is
//! published never changes; what is new is added to the lock, and then it is published, too.

#[path = "layout/lock.rs"]
mod lock;
#[path = "layout/subjects.rs"]
mod subjects;

use std::{collections::BTreeSet, fmt::Write as _};

use selkies_plugin_abi as abi;

const LOCK: &str = include_str!("layout.lock");
const HEAD: &str = "\
# The published ABI on LP64 platforms: structs, their fields, constants, and the table of each id.
# Lines are added by SELKIES_BLESS=1 cargo test -p selkies-plugin-abi --test layout, and never changed.
";

/// The constants and the documented type of each id, as `ids.rs` has them.
fn ids() -> Vec<(String, String, String)> {
    let mut table = "";
    let mut found = Vec::new();
    for line in include_str!("../src/ids.rs").lines() {
        if let Some(text) = line.strip_prefix("/// [`") {
            table = text.split('`').next().unwrap_or_default();
        } else if let Some((name, value)) =
            line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": &str = "))
        {
            assert!(!table.is_empty(), "{name} does not name its table");
            found.push((name.into(), value.trim_end_matches(';').into(), std::mem::take(&mut table).into()));
        }
    }
    found
}

/// The ABI of this build in the words of the lock.
fn current() -> String {
    let mut text = String::from(HEAD);
    for (name, size, align, fields) in subjects::structs() {
        let _ = writeln!(text, "{name}: size {size}, align {align}");
        for (field, offset, size) in fields {
            let _ = writeln!(text, "{name}.{field}: offset {offset}, size {size}");
        }
    }
    for (name, kind, value) in subjects::constants() {
        let _ = writeln!(text, "{name}: {kind} = {value}");
    }
    for (name, value, table) in ids() {
        let _ = writeln!(text, "id {name}: {value} = {table}");
    }
    text
}

#[test]
fn what_is_published_is_frozen() {
    let now = current();
    let changes = lock::changes(LOCK, &now);
    assert!(
        changes.is_empty(),
        "published plugins would break; use a new id instead:\n{}",
        changes.join("\n")
    );
    if std::env::var_os("SELKIES_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/layout.lock");
        std::fs::write(path, &now).expect("layout.lock is writable");
    } else {
        assert!(LOCK == now, "new parts of the ABI are not locked: {HEAD}");
    }
}

#[test]
fn the_lists_are_complete() {
    let structs: BTreeSet<&str> = subjects::structs().iter().map(|entry| entry.0).collect();
    let constants: BTreeSet<&str> = subjects::constants().iter().map(|entry| entry.0).collect();
    let tables: BTreeSet<String> = ids().into_iter().map(|(_, _, table)| table).collect();
    assert!(tables.iter().all(|table| structs.contains(table.as_str())), "{tables:?}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("the sources") {
        let path = file.expect("an entry").path();
        // Ids have lines of their own, the verifier's module never crosses the boundary, and drafts are not published.
        if ["ids.rs", "verify.rs", "draft.rs"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for line in std::fs::read_to_string(&path).expect("a source").lines() {
            let word = |prefix| {
                let rest: &str = line.strip_prefix(prefix)?;
                rest.split(|end: char| !end.is_ascii_alphanumeric() && end != '_').next()
            };
            let (known, name) = match (word("pub struct "), word("pub const ")) {
                (Some(name), _) => (&structs, name),
                (None, Some(name)) if name != "fn" => (&constants, name),
                _ => continue,
            };
            assert!(
                known.contains(name),
                "{name} of {} is missing in tests/layout/subjects.rs",
                path.display()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, structs.len() + constants.len(), "subjects.rs names something twice or from elsewhere");
}

#[test]
fn ids_are_different_and_carry_their_revision() {
    let ids = ids();
    let values: BTreeSet<&String> = ids.iter().map(|(_, value, _)| value).collect();
    assert_eq!(values.len(), ids.len(), "an id stands for one table");
    for (name, value, table) in &ids {
        let revision = value.trim_end_matches('"').rsplit('/').next().expect("a text");
        assert!(revision.parse::<u32>().is_ok_and(|number| number > 0), "{value}");
        assert!(
            name.ends_with(&format!("_V{revision}")) && table.ends_with(&format!("V{revision}")),
            "{name}"
        );
    }
}

#[test]
fn magic_reads_selkplug() {
    assert_eq!(&abi::PLUGIN_MAGIC.to_le_bytes(), b"SELKPLUG");
    assert_eq!(abi::FOURCC_XRGB8888, abi::fourcc(*b"XR24"));
    assert_eq!(abi::FOURCC_NV12, abi::fourcc(*b"NV12"));
    assert_eq!(abi::FOURCC_P010, abi::fourcc(*b"P010"));
}

#[test]
fn status_carries_class_and_detail() {
    let status = abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO);
    assert_eq!(status, -1289, "plugins have this number compiled in");
    assert_eq!(abi::class_of(status), abi::CLASS_DEVICE_LOST);
    assert_eq!(abi::detail_of(status), abi::DETAIL_IO);
    assert_eq!(abi::class_of(abi::NOTHING), 0);
    assert_eq!(abi::class_of(i32::MIN), 1 << 23);
}
