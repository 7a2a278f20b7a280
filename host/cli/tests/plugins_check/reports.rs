//! What is printed, as text and as JSON.

use serde_json::Value as Json;

use crate::{check, faulty, own, project, run};

#[test]
fn reports_fit_their_schema() {
    let schema =
        std::fs::read(project().join("schemas/selkies-check-report.schema.json")).expect("it is there");
    let schema: Json = serde_json::from_slice(&schema).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    for (folder, more) in [
        (own("websocket"), &[][..]),
        (faulty().join("any-config"), &["--rule", "LIF-018"]),
        (faulty().join("none"), &["--fuzz", "1"]),
    ] {
        let (report, _) = check(&folder, more);
        let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(report["plugins"][0]["rules"].as_array().is_some_and(|rules| !rules.is_empty()));
    }
}

#[test]
fn a_rule_can_be_chosen_and_text_says_what_to_do() {
    let folder = faulty().join("any-config");
    let path = folder.to_str().expect("a plain path");
    let output = run(&["--rule", "lif-018", path]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    for line in [
        "failed     LIF-018  wrong configuration",
        "           found   create took after \"text\"",
        "           see     docs/specs/lifecycle.md#lif-018",
        "faulty.any-config FAILS: 1 failed",
    ] {
        assert!(text.lines().any(|found| found.trim_end() == line), "{line} in\n{text}");
    }
    // The same without a child.
    let output = run(&["--in-process", "--rule", "LIF-018", path]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("FAILS: 1 failed"));
}

#[test]
fn what_cannot_be_checked_is_one_line() {
    for (args, line) in [
        (&["/no/such/plugin"][..], "CK001 /no/such/plugin: found no plugin"),
        (&["--rule", "ENC-999", "/"], "CK002 \"ENC-999\": found no rule"),
        (&["--plugin-config", "[]", "/"], "CL033 --plugin-config: found no object"),
    ] {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text.starts_with(line) && text.lines().count() == 1, "{text}");
    }
    let list = run(&["--list"]);
    assert!(
        String::from_utf8_lossy(&list.stdout).contains("ENC-026  frames are read-only: A plugin MUST NOT")
    );
}
