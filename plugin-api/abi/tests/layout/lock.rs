//! The lock: its text, and what may become of it.

use std::collections::BTreeMap;

/// The locked lines by what they are about, which is the text before the first `: `.
fn lines(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": ")).collect()
}

/// What `now` changes of `kept`, one line each; empty when it only adds structs, constants and ids. A field that a
/// locked struct did not have is a change: the struct is one that plugins know.
pub(crate) fn changes(kept: &str, now: &str) -> Vec<String> {
    let (kept, now) = (lines(kept), lines(now));
    let mut found = Vec::new();
    for (what, was) in &kept {
        match now.get(what) {
            Some(is) if is == was => {}
            Some(is) => found.push(format!("{what} was {was}, is {is}")),
            None => found.push(format!("{what} is gone")),
        }
    }
    for what in now.keys().filter(|what| !kept.contains_key(*what)) {
        if let Some((of, _)) = what.split_once('.').filter(|(of, _)| kept.contains_key(of)) {
            found.push(format!("{what} is new in {of}, which is published"));
        }
    }
    found
}

#[test]
fn only_additions_pass() {
    let kept = "# words\nRect: size 8, align 4\nRect.x: offset 0, size 4\nRect.y: offset 4, size 4\nRED: u32 = 1\n\
                id A_V1: \"a/1\" = A\n";
    let with = |from: &str, to: &str| changes(kept, &kept.replace(from, to));
    assert_eq!(changes(kept, kept), Vec::<String>::new());
    let more = format!(
        "{kept}Line: size 4, align 4\nLine.x: offset 0, size 4\nBLUE: u32 = 2\nid A_V2: \"a/2\" = B\n"
    );
    assert_eq!(changes(kept, &more), Vec::<String>::new());
    assert_eq!(with("# words", "# other words"), Vec::<String>::new());
    for (from, to, said) in [
        ("size 8, align 4", "size 16, align 4", "Rect was size 8, align 4, is size 16, align 4"),
        ("size 8, align 4", "size 8, align 8", "Rect was size 8, align 4, is size 8, align 8"),
        ("offset 4", "offset 0", "Rect.y was offset 4, size 4, is offset 0, size 4"),
        ("Rect.x: offset 0, size 4\n", "", "Rect.x is gone"),
        ("RED", "PINK", "RED is gone"),
        ("u32 = 1", "u32 = 2", "RED was u32 = 1, is u32 = 2"),
        ("u32 = 1", "i32 = 1", "RED was u32 = 1, is i32 = 1"),
        ("\"a/1\"", "\"a/3\"", "id A_V1 was \"a/1\" = A, is \"a/3\" = A"),
        ("= A", "= B", "id A_V1 was \"a/1\" = A, is \"a/1\" = B"),
        ("RED", "Rect.z: offset 8, size 4\nRED", "Rect.z is new in Rect, which is published"),
    ] {
        assert_eq!(with(from, to), [said]);
    }
}
