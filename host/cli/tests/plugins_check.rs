//! `plugins check` against plugins that are right, and against plugins with one fault each.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value as Json;

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
];

/// Faults of tests/faulty/h264 and the rule that catches each.
const H264_FAULTS: &[(&str, &str)] = &[
    ("wrong-picture", "ENC-032"),
    ("wrong-size", "ENC-031"),
    ("cut-keyframe", "ENC-031"),
    ("false-keyframe", "ENC-031"),
    ("first-delta", "ENC-022"),
    ("lost-reference", "ENC-039"),
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
];

/// Plugins of tests/faulty without a fault, of a codec that the kit does not decode.
const UNDECODED: &[&str] = &["vp9-none"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A library that cargo built for this test; it lies beside the test.
fn library(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let path = test.with_file_name(name);
    assert!(path.is_file(), "{} is a dev-dependency", path.display());
    path
}

/// The folder with the plugins of tests/faulty, built once.
fn faulty() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty");
        let built = Command::new(project().join("tests/faulty/build.sh"))
            .arg(&folder)
            .env("PANIC_LIBRARY", library("libselkies_faulty_panic.so"))
            .output()
            .expect("tests/faulty/build.sh runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        folder
    })
}

/// A folder with one of the host's own plugins.
fn own(name: &str) -> PathBuf {
    packed(&format!("plugins/{name}"), &format!("libselkies_{}.so", name.replace('-', "_")))
}

/// The folder of the H.264 encoder of tests/faulty.
fn h264() -> PathBuf {
    packed("tests/faulty/h264", "libselkies_faulty_h264.so")
}

/// A folder with a manifest of the project and the library that cargo built for it.
fn packed(place: &str, file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own").join(place);
    std::fs::create_dir_all(&folder).expect("a folder for tests");
    let manifest = project().join(place).join("selkies-plugin.json");
    std::fs::copy(manifest, folder.join("selkies-plugin.json")).expect("the plugin has a manifest");
    // Not in place: another run of this test may have the old file mapped.
    let fresh = folder.join(format!("{file}.{}", std::process::id()));
    std::fs::copy(library(file), &fresh).expect("the library can be copied");
    std::fs::rename(fresh, folder.join(file)).expect("the library can be renamed");
    folder
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selkies-host"));
    command.args(["plugins", "check"]).args(args).output().expect("the binary runs")
}

/// The report of one plugin as JSON, and the exit code.
fn check(folder: &Path, more: &[&str]) -> (Json, i32) {
    let path = folder.to_str().expect("a plain path");
    let output = run(&[&["--json", path], more].concat());
    let report = serde_json::from_slice(&output.stdout);
    let report: Json =
        report.unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap_or(-1))
}

/// Rules of a report with one of these outcomes, with what was found.
fn with_outcome(report: &Json, outcomes: &[&str]) -> Vec<(String, String)> {
    let rules = report["plugins"].as_array().into_iter().flatten();
    let rules = rules.flat_map(|plugin| plugin["rules"].as_array().into_iter().flatten());
    rules
        .filter(|rule| outcomes.iter().any(|outcome| rule["outcome"] == *outcome))
        .map(|rule| (rule["rule"].as_str().unwrap_or_default().to_owned(), rule["found"].to_string()))
        .collect()
}

const BROKEN: &[&str] = &["failed", "crashed", "timed-out"];

#[test]
fn each_fault_breaks_its_own_rule_and_no_other() {
    let folders: BTreeSet<String> = std::fs::read_dir(faulty())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    let right = RIGHT.iter().chain(UNDECODED).copied();
    let listed: BTreeSet<String> =
        FAULTS.iter().map(|(name, _)| *name).chain(right).map(str::to_owned).collect();
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

/// Nothing was broken, warned of or left unjudged.
fn assert_clean(folder: &Path, more: &[&str]) {
    let (report, code) = check(folder, more);
    let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "warning", "unjudged"]);
    assert!(bad.is_empty(), "{}: {bad:?}", folder.display());
    assert_eq!(code, 0, "{}", folder.display());
}

#[test]
fn h264_is_decoded_and_compared() {
    let folder = h264();
    for config in ["{}", r#"{"profile": "high"}"#, r#"{"stripes": true}"#] {
        assert_clean(&folder, &["--plugin-config", config]);
    }
    let (report, code) = check(&folder, &["--fuzz", "5", "--reproduce", "11"]);
    assert_eq!((with_outcome(&report, BROKEN), code), (Vec::new(), 0));
    for (fault, rule) in H264_FAULTS {
        // What comes before and after counts for each row of stripes.
        let stripes = matches!(*fault, "lost-reference" | "first-delta");
        let config = format!(r#"{{"fault": "{fault}", "stripes": {stripes}}}"#);
        let (report, code) = check(&folder, &["--plugin-config", &config]);
        let found = with_outcome(&report, BROKEN);
        let rules: BTreeSet<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!((rules, code), (BTreeSet::from([*rule]), 1), "{config}: {found:?}");
    }
}

#[test]
fn plugins_without_fault_break_no_rule() {
    for name in RIGHT {
        assert_clean(&faulty().join(name), &[]);
    }
}

/// A vendor's machine has a release and no development packages.
#[test]
fn the_decoders_are_part_of_the_binary() {
    let output =
        Command::new("readelf").args(["-d", env!("CARGO_BIN_EXE_selkies-host")]).output().expect("binutils");
    let text = String::from_utf8_lossy(&output.stdout);
    let needed: Vec<&str> = text.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.iter().any(|line| line.contains("[libc.so")), "{text}");
    for library in ["stdc++", "vpx", "openh264"] {
        assert!(!needed.iter().any(|line| line.contains(library)), "{needed:?}");
    }
}

#[test]
fn what_is_not_decoded_is_said_so() {
    for name in UNDECODED {
        let (report, code) = check(&faulty().join(name), &[]);
        assert_eq!(
            (with_outcome(&report, &["failed", "crashed", "timed-out", "unjudged"]), code),
            (Vec::new(), 0)
        );
        let warnings = with_outcome(&report, &["warning"]);
        let rules: Vec<&str> = warnings.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(rules, ["ENC-031", "ENC-032", "ENC-039"]);
        let said = r#"["not decoded: vp9: no decoder in this build"]"#;
        assert!(warnings.iter().all(|(_, found)| found == said), "{warnings:?}");
    }
}

#[test]
fn the_hosts_own_plugins_break_no_rule() {
    for name in ["striped-jpeg", "test-pattern", "websocket"] {
        assert_clean(&own(name), &[]);
    }
}

#[test]
fn the_h264_plugin_breaks_no_rule() {
    let (report, code) = check(&own("x264"), &[]);
    let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "warning", "unjudged"]);
    // The kit's decoder knows no 4:4:4; 4:2:0 is decoded and compared.
    let undecoded = |(_, found): &(String, String)| found.contains("not decoded: h264 of profile 244");
    let bad: Vec<_> = bad.into_iter().filter(|entry| !undecoded(entry)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(code, 0);
}

/// An X server of its own, ended with the test.
struct Server(Child, String);

impl Server {
    fn start() -> Self {
        let mut process = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", "1280x720x24"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        let mut number = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb names its display");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        Self(process, format!(":{}", number.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_x11_plugin_breaks_no_rule_on_a_display() {
    let server = Server::start();
    assert_clean(&own("x11"), &["--plugin-config", &format!("{{\"display\": {:?}}}", server.1)]);
}

#[test]
fn a_machine_that_lacks_what_a_plugin_needs_is_said_so() {
    let (report, code) = check(&own("x11"), &["--plugin-config", r#"{"display": ":3999"}"#]);
    assert_eq!(code, 1);
    let found = with_outcome(&report, BROKEN);
    assert!(found.iter().any(|(rule, found)| rule == "LIF-016" && found.contains(":3999")), "{found:?}");
    assert!(with_outcome(&report, &["unjudged"]).iter().any(|(rule, _)| rule == "CAP-001"));
}

#[test]
fn the_c_template_breaks_no_rule() {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-template");
    for args in [
        vec!["-S".into(), project().join("plugin-api/templates/c"), "-B".into(), build.clone()],
        vec!["--build".into(), build.clone()],
    ] {
        let output = Command::new("cmake").args(&args).output().expect("cmake is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_clean(&build.join("plugin"), &[]);
}

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
fn plugins_are_loaded_beside_each_other() {
    let (one, two) = (own("test-pattern"), own("websocket"));
    let paths = [one.to_str().expect("a plain path"), two.to_str().expect("a plain path")];
    let output = run(&["--rule", "PKG-011", paths[0], paths[1]]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().filter(|line| *line == "passed     PKG-011  company").count(), 2, "{text}");
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
