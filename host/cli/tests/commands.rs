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
    // What another host of this user remembers is not these tests' business.
    command.env("SELKIES_STATE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
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

/// A folder that is the memory of faults, with one plugin in it that may not be used any more.
fn state_with_a_quarantine(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for tests");
    let fault = r#"{ "unix_ms": 1763700000000, "note": { "code": "PF003", "class": "fatal-plugin", "text": "gone", "version": "1.0.0" } }"#;
    let record = format!(
        r#"{{ "library": "sha256:00", "faults": 3, "recent": [], "last": {fault}, "quarantined": {{ "since_unix_ms": 1763700000000, "reason": "three" }} }}"#
    );
    let text = format!(r#"{{ "version": 1, "plugins": {{ "acme.a": {record}, "acme.b": {record} }} }}"#);
    std::fs::write(folder.join("plugin-faults.json"), text).expect("a file for tests");
    folder
}

#[test]
fn what_failed_too_often_is_cleared_by_name_or_altogether() {
    let state = state_with_a_quarantine("quarantine");
    let clear = |args: &[&str]| {
        let output = host().args(["plugins", "clear"]).args(args).env("SELKIES_STATE_DIR", &state).output();
        let output = output.expect("the binary runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), err(&output));
        (output.status.code(), text)
    };
    let unknown = "CL018 acme.x: no faults of this plugin are remembered, allowed: acme.a, acme.b\n";
    assert_eq!(clear(&["acme.x"]), (Some(1), unknown.into()));
    assert_eq!(clear(&["acme.a"]), (Some(0), "acme.a: cleared\n".into()));
    assert_eq!(clear(&["acme.a"]).0, Some(1));
    assert_eq!(clear(&["--all"]), (Some(0), "1 plugin cleared\n".into()));
    assert_eq!(clear(&["--all"]), (Some(0), "0 plugins cleared\n".into()));
    assert_eq!(clear(&[]).0, Some(2), "a name or all");
    assert_eq!(clear(&["acme.a", "--all"]).0, Some(2));
    std::fs::write(state.join("plugin-faults.json"), "{").expect("a file for tests");
    let (code, text) = clear(&["--all"]);
    assert!(code == Some(1) && text.starts_with("SQ001 ") && text.lines().count() == 1, "{text}");
}

#[test]
fn signatures_need_a_key_that_can_be_read() {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    for (args, line) in [
        (&["--require-signature"][..], "CL015 signatures are required, and no key is trusted"),
        (
            &["--require-signature", "--trusted-key", "/nonexistent.pub"],
            "CL014 trusted key /nonexistent.pub: SP001 ",
        ),
        (&["--trusted-key", "/dev/null"], "CL014 trusted key /dev/null: SP"),
    ] {
        for command in [&["plugins", "list"][..], &["config", "schema"], &[]] {
            let output = run(&[args, command].concat());
            assert_eq!(output.status.code(), Some(1), "{args:?} {command:?}");
            assert!(err(&output).starts_with(line) && err(&output).lines().count() == 1, "{}", err(&output));
        }
    }
    let by_flag = run(&["--require-signature", "--trusted-key", key, "plugins", "list", "--json"]);
    let by_variable = host()
        .args(["plugins", "list", "--json"])
        .env("SELKIES_TRUSTED_KEYS", format!("{key},"))
        .env("SELKIES_REQUIRE_SIGNATURE", "true")
        .output()
        .expect("the binary runs");
    for output in [by_flag, by_variable] {
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(list["trusted_keys"], serde_json::json!(["E7620F1842B4E81F"]));
        assert_eq!(list["require_signature"], true);
    }
}

#[test]
fn a_switch_is_on_or_off() {
    for (value, code) in [("1", 0), ("true", 0), ("0", 0), ("", 0), ("maybe", 1)] {
        let output = host().args(["plugins", "list", "--json"]).env("SELKIES_SAFE_MODE", value).output();
        let output = output.expect("the binary runs");
        assert_eq!(output.status.code(), Some(code), "{value}: {}", err(&output));
        if code == 0 {
            let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(list["safe_mode"], matches!(value, "1" | "true"), "{value}");
        } else {
            assert!(err(&output).starts_with("CL016 SELKIES_SAFE_MODE: "), "{}", err(&output));
        }
    }
}

#[test]
fn the_users_own_folder_is_searched_and_remembers() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home");
    let own = home.join(".local/lib/selkies-host/plugins");
    std::fs::create_dir_all(&own).expect("a folder for tests");
    let list = |home: Option<&Path>| {
        let mut command = host();
        command
            .args(["plugins", "list", "--json"])
            .env_remove("SELKIES_STATE_DIR")
            .env_remove("XDG_STATE_HOME");
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let output = command.output().expect("the binary runs");
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (list, err(&output))
    };
    let (with, silent) = list(Some(&home));
    assert_eq!(with["folders"][0], own.display().to_string());
    let file = home.join(".local/state/selkies-host/plugin-faults.json");
    assert_eq!(with["fault_file"], file.display().to_string());
    assert_eq!(silent, "");
    let (without, told) = list(None);
    assert!(without["fault_file"].is_null());
    assert!(told.starts_with("CL019 ") && told.lines().count() == 1, "{told}");
}
