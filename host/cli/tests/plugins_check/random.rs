//! Random calls: `--fuzz`.

use crate::{BROKEN, check, faulty, with_outcome};

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
