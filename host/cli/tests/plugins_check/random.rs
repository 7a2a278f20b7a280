//! Random calls: `--fuzz`.

use crate::{BROKEN, assert_clean, check, faults::HIDDEN, faulty, with_outcome};

#[test]
fn random_calls_find_a_fault_and_find_it_again() {
    let folder = faulty().join("overrun");
    let config = ["--plugin-config", r#"{"after": 20}"#];
    let (report, code) = check(&folder, &[&config[..], &["--fuzz", "30", "--reproduce", "7"]].concat());
    let first = with_outcome(&report, BROKEN);
    assert_eq!((code, first.len(), first[0].0.as_str()), (1, 1, "ENC-013"), "{first:?}");
    assert_eq!(report["plugins"][0]["seed"], 7);
    let (again, _) = check(&folder, &[&config[..], &["--fuzz", "1", "--reproduce", "7"]].concat());
    assert_eq!(with_outcome(&again, BROKEN), first);
}

#[test]
fn random_calls_of_a_capture_find_its_fault() {
    for (name, wanted) in [("capture-none", &[][..]), ("capture-overrun", &["CAP-005"])] {
        let (report, code) = check(&faulty().join(name), &["--fuzz", "1", "--reproduce", "5"]);
        let found = with_outcome(&report, BROKEN);
        let rules: Vec<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!((rules.as_slice(), code), (wanted, i32::from(!wanted.is_empty())), "{name}: {found:?}");
    }
}

#[test]
fn random_calls_of_every_table_find_what_its_rules_miss() {
    for (name, rule) in HIDDEN {
        let folder = faulty().join(name);
        assert_clean(&folder, &[]);
        let (report, code) = check(&folder, &["--fuzz", "1", "--reproduce", "5"]);
        let first = with_outcome(&report, BROKEN);
        assert_eq!((code, first.len(), first[0].0.as_str()), (1, 1, *rule), "{name}: {first:?}");
        // A seed makes the same calls, whatever the machine does meanwhile.
        let (again, _) = check(&folder, &["--fuzz", "1", "--reproduce", "5"]);
        let (again, first) = (without_times(&again), without_times(&report));
        assert_eq!(again, first, "{name}");
    }
    for table in ["cursor", "display", "input", "rtc-config"] {
        assert_clean(&faulty().join(format!("{table}-none")), &["--fuzz", "1", "--reproduce", "5"]);
    }
}

/// What was broken, without how many milliseconds a call took.
fn without_times(report: &serde_json::Value) -> Vec<(String, String)> {
    let broken = with_outcome(report, BROKEN).into_iter();
    broken.map(|(rule, found)| (rule, found.split(" took ").next().unwrap_or_default().to_owned())).collect()
}
