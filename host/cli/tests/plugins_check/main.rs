//! `plugins check` against plugins that are right, and against plugins with one fault each.

mod codecs;
mod faults;
mod plugins;
mod random;
mod reports;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value as Json;

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

/// Nothing was broken, warned of or left unjudged.
fn assert_clean(folder: &Path, more: &[&str]) {
    let (report, code) = check(folder, more);
    let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "warning", "unjudged"]);
    assert!(bad.is_empty(), "{}: {bad:?}", folder.display());
    assert_eq!(code, 0, "{}", folder.display());
}
