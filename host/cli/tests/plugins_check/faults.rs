//! Plugins with one fault each break its rule and no other; those without break none.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{BROKEN, assert_clean, check, faulty, with_outcome};

/// Each plugin of tests/faulty and the rule that catches it.
const FAULTS: &[(&str, &str)] = &[
    ("abort", "LIF-001"),
    ("any-config", "LIF-018"),
    ("beyond-capacity", "ENC-012"),
    ("corrupt-picture", "ENC-031"),
    ("descriptor-leak", "LIF-011"),
    ("done-twice", "ENC-008"),
    ("empty-packet", "ENC-011"),
    ("exit", "LIF-002"),
    ("forks", "LIF-009"),
    ("frame-write", "ENC-026"),
    ("hang-create", "LIF-003"),
    ("hang-encode", "LIF-004"),
    ("heap-leak", "LIF-012"),
    ("ignores-damage", "ENC-024"),
    ("ignores-keyframe", "ENC-023"),
    ("late-call", "LIF-014"),
    ("late-packet", "ENC-017"),
    ("log-flood", "LIF-008"),
    ("memory", "LIF-013"),
    ("never-done", "ENC-008"),
    ("overrun", "ENC-013"),
    ("panic", "LIF-005"),
    ("refused-format", "ENC-003"),
    ("retains", "ENC-030"),
    ("retains-too-many", "ENC-029"),
    ("segfault", "LIF-001"),
    ("slab-leak", "ENC-015"),
    ("stdout", "LIF-007"),
    ("takes-wrong-frames", "ENC-007"),
    ("thread-leak", "LIF-010"),
    ("underrun", "ENC-013"),
    ("unknown-ids", "PKG-006"),
    ("wrong-area", "ENC-019"),
    ("wrong-frame-id", "ENC-016"),
    ("wrong-picture", "ENC-032"),
    ("capture-any-call", "CAP-010"),
    ("capture-bad-info", "CAP-001"),
    ("capture-deaf", "CAP-008"),
    ("capture-half-picture", "CAP-003"),
    ("capture-late", "CAP-007"),
    ("capture-late-write", "CAP-009"),
    ("capture-no-first-damage", "CAP-002"),
    ("capture-overrun", "CAP-005"),
    ("capture-wrong-clock", "CAP-011"),
    ("capture-wrong-damage", "CAP-006"),
    ("capture-wrong-frame", "CAP-004"),
    ("capture-wrong-part", "CAP-012"),
    ("cursor-deaf", "CUR-004"),
    ("cursor-no-image", "CUR-001"),
    ("cursor-repeats", "CUR-003"),
    ("cursor-wrong-hot-spot", "CUR-002"),
    ("display-any-size", "DSP-002"),
    ("display-no-outputs", "DSP-001"),
    ("display-stubborn", "DSP-003"),
    ("input-any-event", "INP-002"),
    ("input-no-kinds", "INP-001"),
    ("input-no-moves", "INP-004"),
    ("input-no-release", "INP-003"),
    ("rtc-config-bad-answer", "RTC-001"),
    ("rtc-config-deaf", "RTC-004"),
    ("rtc-config-late", "RTC-003"),
    ("rtc-config-late-fetch", "RTC-002"),
    ("transport-bad-info", "TRN-001"),
    ("transport-bad-message", "TRN-007"),
    ("transport-fragile", "TRN-004"),
    ("transport-ghost", "TRN-003"),
    ("transport-long-header", "TRN-005"),
    ("transport-picky", "TRN-002"),
    ("transport-silent", "TRN-006"),
    ("vp8-cut-packet", "ENC-031"),
    ("vp8-false-keyframe", "ENC-031"),
    ("vp8-wrong-picture", "ENC-032"),
    ("vp8-wrong-size", "ENC-031"),
    ("vp9-cut-packet", "ENC-031"),
    ("vp9-false-keyframe", "ENC-031"),
    ("vp9-wrong-picture", "ENC-032"),
    ("vp9-wrong-size", "ENC-031"),
];

/// Plugins of tests/faulty whose fault only random calls meet, and the rule that it breaks.
pub(crate) const HIDDEN: &[(&str, &str)] = &[
    ("cursor-toggles", "CUR-004"),
    ("display-any-height", "DSP-002"),
    ("input-crowd", "INP-004"),
    ("rtc-config-unquoted", "RTC-001"),
];

/// Plugins of tests/faulty without a fault.
const RIGHT: &[&str] = &[
    "none",
    "gtype-one",
    "gtype-two",
    "capture-none",
    "cursor-none",
    "display-none",
    "input-none",
    "rtc-config-none",
    "transport-none",
    "vp8-none",
    "vp9-none",
];

#[test]
fn each_fault_breaks_its_own_rule_and_no_other() {
    let folders: BTreeSet<String> = std::fs::read_dir(faulty())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    let right = RIGHT.iter().copied();
    let listed: BTreeSet<String> =
        FAULTS.iter().chain(HIDDEN).map(|(name, _)| *name).chain(right).map(str::to_owned).collect();
    assert_eq!(folders, listed, "every plugin of tests/faulty is listed here");

    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, rule)) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (report, code) = check(&faulty().join(name), &[]);
                    let found = with_outcome(&report, BROKEN);
                    let rules: BTreeSet<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
                    if rules != BTreeSet::from([*rule]) || code != 1 {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("{name}: wanted {rule} and 1, found {code}, {found:?}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plugins_without_fault_break_no_rule() {
    for name in RIGHT {
        assert_clean(&faulty().join(name), &[]);
    }
}

#[test]
fn two_plugins_with_one_gtype_name_fail_together() {
    let paths = ["gtype-one", "gtype-two"].map(|name| faulty().join(name));
    let (report, code) = check(&paths[0], &[paths[1].to_str().expect("a plain path")]);
    let found = with_outcome(&report, BROKEN);
    let rules: Vec<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!((rules, code), (vec!["PKG-011", "PKG-011"], 1), "{found:?}");
    assert!(
        found.iter().all(|(_, found)| found.contains("SIGABRT in encoder.create, job company")),
        "{found:?}"
    );
}
