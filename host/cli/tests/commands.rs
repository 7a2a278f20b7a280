//! The binary's answers to commands that start nothing.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selkies-host"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SELKIES_")) {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    host().args(args).output().expect("the binary runs")
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a folder for tests");
    path
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_configuration_ends_every_command_with_2() {
    let path = written("wrong.json", "{\n  \"setings\": {}\n}\n");
    let path = path.to_str().expect("a plain path");
    let line = format!(
        "SC004 {path}:2:3: /setings: found \"setings\", which is not a key here; did you mean \"settings\"?\n"
    );
    for args in [
        &["config", "check", path][..],
        &["--config", path, "plugins", "list"],
        &["--config", path, "plugins", "inspect", "/"],
        &["--config", path, "config", "explain", "port"],
        &["--config", path, "config", "schema"],
        &["--config", path],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), err(&output)), (Some(2), line.clone()), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_plugin_that_is_not_there_is_a_mistake_of_the_file() {
    let path = written("absent.json", r#"{ "capture": { "plugin": "acme.absent" } }"#);
    let path = path.to_str().expect("a plain path");
    for args in [&["config", "check", path][..], &["--config", path]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let line = format!("SC012 {path}:1:26: /capture/plugin: found \"acme.absent\", allowed ");
        assert!(err(&output).starts_with(&line) && err(&output).lines().count() == 1, "{}", err(&output));
    }
}

#[test]
fn a_right_file_is_told_with_what_has_no_effect() {
    let path = written(
        "right.json",
        r#"{ "settings": { "encoder": "jpeg,x264enc", "use_cpu": true }, "encoders": [] }"#,
    );
    let path = path.to_str().expect("a plain path");
    let output = host()
        .args(["config", "check", path])
        .env("SELKIES_FRAMRATE", "30")
        .env("SELKIES_PLUGIN_PATH", "")
        .env("SELKIES_ALLOW_IN_PROCESS", "acme.*")
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("use_cpu ") && lines[0].ends_with("is not active yet: hardware encoders"));
    assert_eq!(lines[1], "SELKIES_FRAMRATE is not a setting of this version");
    assert!(lines[2].ends_with(": ok"));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    // The reader has most likely gone before the host writes.
    for _ in 0..3 {
        let mut child = host()
            .args(["config", "schema"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        let status = child.wait().expect("it ends");
        let mut text = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
        assert_eq!((status.code(), text.as_str()), (Some(0), ""));
    }
}

#[test]
fn patterns_for_plugins_inside_the_host_are_given_several_times() {
    let output =
        run(&["--allow-in-process", "a.*", "--allow-in-process", "b.c", "plugins", "list", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}
