//! What is said about wrong configuration files.

use std::path::PathBuf;

use selkies_config::{Code, Config, ConfigErrors, Loader, MAX_FILE_BYTES};
use serde_json::json;

/// Keeps the folder for as long as the path is needed.
struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn written(bytes: impl AsRef<[u8]>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.json");
    std::fs::write(&path, bytes).unwrap();
    Written { _folder: folder, path }
}

fn load(text: impl AsRef<[u8]>) -> Result<Config, ConfigErrors> {
    Loader::new().file(written(text).path).load()
}

/// The errors' lines, without the folder.
fn errors(text: impl AsRef<[u8]>) -> Vec<String> {
    let written = written(text);
    let errors = Loader::new().file(&written.path).load().expect_err("a wrong file").to_string();
    let folder = format!("{}/", written.path.parent().unwrap().display());
    errors.lines().map(|line| line.replace(&folder, "")).collect()
}

#[test]
fn the_example_of_the_design_is_right() {
    let written = written(
        r#"{ "$schema": "./schemas/selkies-host.schema.json",
          "plugins":   { "paths": ["./plugins", "/opt/p"], "isolation": { "default": "process", "allow-in-process": ["selkies.*"] } },
          "settings":  { "encoder": "x264enc,x264enc-striped,jpeg", "framerate": "8-120" },
          "capture":   { "plugin": "selkies.x11", "config": { "display": ":0" } },
          "encoders":  [ { "name": "nvh264enc", "plugin": "selkies.nvh264" }, { "name": "x264enc", "plugin": "selkies.x264" } ],
          "transports":[ { "plugin": "selkies.websocket" }, { "plugin": "selkies.webrtc" } ],
          "input":     [ { "plugin": "selkies.x11" } ],
          "rtc_config":[ { "plugin": "selkies.coturn-rest", "config": { "uri": "http://turn-rest:8008/" } } ] }"#,
    );
    let config = Loader::new().file(&written.path).load().unwrap();
    let folder = written.path.parent().unwrap();
    assert_eq!(config.plugin_paths(), [folder.join("plugins"), PathBuf::from("/opt/p")]);
    assert_eq!(config.file().encoders[0].name, "nvh264enc");
    assert_eq!(config.file().capture.as_ref().unwrap().config["display"], ":0");
}

#[test]
fn settings_take_their_json_form() {
    let config = load(
        r#"{"settings": {"debug": true, "port": 9, "framerate": 30, "encoder": ["jpeg", "mine"], "scaling_dpi": 120,
            "file_transfers": [], "video_crf": "20,5-50", "audio_bitrate": ["64000", 96000]},
            "encoders": [{"name": "mine", "plugin": "acme.mine"}]}"#,
    )
    .unwrap();
    let shown = |name: &str| config.get(name).unwrap().value.to_string();
    assert_eq!(config.port(), 9);
    assert_eq!((shown("debug"), shown("framerate")), ("true".into(), "30 (locked)".into()));
    assert_eq!(
        (shown("encoder"), shown("scaling_dpi")),
        ("jpeg (of jpeg,mine)".into(), "120 (locked)".into())
    );
    assert_eq!((shown("file_transfers"), shown("h264_crf")), ("none".into(), "5-50 (starts at 20)".into()));
    assert_eq!(shown("audio_bitrate"), "64000 (of 64000,96000)");
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let text = r#"{
  "settings": { "framerate": "60-30", "prot": 1,
                "port": true, "é": 1, "video_crf": 20, "h264_crf": 20, "encoder": "a" },
  "plugins": { "isolation": { "default": "thread" }, "path": [] },
  "capture": { "config": {} },
  "encoders": [ { "name": "a", "plugin": "p" }, { "name": "a", "plugin": "" } ],
  "input": {},
  "captur": 1
}"#;
    let lines = [
        r#"h.json:2:30: /settings/framerate: found "60-30", allowed MIN-MAX, one number, or INITIAL,MIN-MAX, each from 1 to 240 (SC006)"#,
        r#"h.json:2:39: /settings/prot: found unknown key "prot", allowed "port" (is it meant?) (SC004)"#,
        r#"h.json:3:25: /settings/port: found true, allowed a whole number from 0 to 65535 (SC005)"#,
        r#"h.json:3:31: /settings/é: found unknown key "é", allowed a name of docs/configuration.md (SC004)"#,
        r#"h.json:3:39: /settings/video_crf: found "video_crf" beside "h264_crf", which is the same setting, allowed one of them (SC008)"#,
        r#"h.json:4:42: /plugins/isolation/default: found "thread", allowed "process", "in-process" (SC006)"#,
        r#"h.json:4:54: /plugins/path: found unknown key "path", allowed "paths" (is it meant?) (SC004)"#,
        r#"h.json:5:14: /capture: found no "plugin", allowed an object with "plugin" (SC007)"#,
        r#"h.json:6:59: /encoders/1/name: found "a" for a second time, allowed each encoder's name once (SC008)"#,
        r#"h.json:6:74: /encoders/1/plugin: found "", allowed 1 or more characters (SC006)"#,
        r#"h.json:7:12: /input: found an object of 0, allowed array (SC005)"#,
        r#"h.json:8:3: /captur: found unknown key "captur", allowed "capture" (is it meant?) (SC004)"#,
    ];
    assert_eq!(errors(text), lines);
    // Variables come after the file.
    let written = written(text);
    let all = Loader::new().file(&written.path).env([("SELKIES_PORT", "x")]).load().unwrap_err().to_string();
    assert_eq!(all.lines().count(), lines.len() + 1);
    assert!(all.lines().last().unwrap().starts_with("SELKIES_PORT: "));
}

#[test]
fn syntax_errors_have_a_place() {
    assert_eq!(
        errors("{\n  \"settings\": { \"port\": 80,, }\n}"),
        ["h.json:2:28: /: found no JSON (key must be a string), allowed one JSON object (SC003)"]
    );
    assert_eq!(
        errors("{\n \"é\": x}"),
        ["h.json:2:7: /: found no JSON (expected value), allowed one JSON object (SC003)"]
    );
    assert_eq!(errors("[1]"), ["h.json:1:1: /: found an array of 1, allowed object (SC005)"]);
    assert!(errors("")[0].contains("SC003") && errors("{} {}")[0].contains("SC003"));
    assert!(errors("[".repeat(100_000))[0].contains("SC003"));
}

#[test]
fn a_file_full_of_mistakes_is_reported_in_part() {
    let keys: String = (0..20_000).map(|n| format!("\"k{n}\": 1, ")).collect();
    let encoders: String = (0..2_000).map(|_| "{\"name\": \"a\"},").collect();
    let text = format!("{{ {keys} \"settings\": {{ {keys} \"port\": 1 }}, \"encoders\": [{encoders}{{}}] }}");
    let started = std::time::Instant::now();
    assert!((64..300).contains(&errors(text).len()));
    // Without the limits this takes minutes.
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn repeated_keys_are_mistakes() {
    assert_eq!(
        errors(r#"{"settings": {"port": 1, "port": 2}}"#),
        ["h.json:1:26: /settings/port: found a repeated key, allowed each key once (SC008)"]
    );
}

#[test]
fn settings_must_be_an_object() {
    assert_eq!(errors(r#"{"settings": 7}"#), ["h.json:1:14: /settings: found 7, allowed an object (SC005)"]);
}

#[test]
fn files_that_cannot_be_read() {
    let code = |result: Result<Config, ConfigErrors>| result.unwrap_err().as_slice()[0].code;
    assert_eq!(code(Loader::new().file("/no/such/file").load()), Code::Unreadable);
    assert_eq!(code(Loader::new().file("/").load()), Code::Unreadable);
    assert_eq!(code(load(vec![b' '; MAX_FILE_BYTES + 1])), Code::TooLarge);
    assert_eq!(code(load(b"{\"\xff\": 1}")), Code::NotUtf8);
    let missing =
        Loader::new().env([("SELKIES_CONFIG", "/no/such/file"), ("SELKIES_PORT", "x")]).load().unwrap_err();
    assert_eq!(missing.as_slice().len(), 2, "{missing}");
    let mut full = String::from("{}");
    full.push_str(&" ".repeat(MAX_FILE_BYTES - 2));
    load(full).unwrap();
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_utf8() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let value = OsString::from_vec(vec![0xff]);
    let error = Loader::new().env([("SELKIES_UI_TITLE", value)]).load().unwrap_err().to_string();
    assert_eq!(error, "SELKIES_UI_TITLE: found bytes that are no UTF-8, allowed UTF-8 text (SC011)");
}

#[test]
fn plugins_configurations_are_judged_by_their_own_schema() {
    let written = written(
        r#"{ "capture": { "plugin": "selkies.x11", "config": { "display": 0 } },
  "input": [ { "plugin": "acme.in", "config": {} },
             { "plugin": "selkies.x11", "config": { "display": ":1", "dsplay": 1 } },
             { "plugin": "selkies.x11" } ] }"#,
    );
    let config = Loader::new().file(&written.path).load().unwrap();
    let schema = json!({
        "type": "object",
        "properties": { "display": { "type": "string" } },
        "required": ["display"],
        "additionalProperties": false,
    });
    let elsewhere = json!({ "$ref": "https://example.com/schema.json" });
    let schemas = [
        ("selkies.x11".to_owned(), schema),
        ("acme.in".to_owned(), elsewhere),
        ("acme.unused".to_owned(), json!({ "type": 7 })),
    ];
    let errors = config.check_plugins(&schemas).unwrap_err().to_string();
    let lines: Vec<&str> = errors.lines().collect();
    let place = |rest: &str| format!("{}:{rest}", written.path.display());
    assert_eq!(lines[0], place("1:64: /capture/config/display: found 0, allowed string (SC005)"));
    assert_eq!(
        lines[1],
        place(
            r#"3:70: /input/1/config/dsplay: found unknown key "dsplay", allowed "display" (is it meant?) (SC004)"#
        )
    );
    assert_eq!(
        lines[2],
        place(r#"4:14: /input/2/config: found no "display", allowed an object with "display" (SC007)"#)
    );
    assert!(lines[3].starts_with("plugin acme.in: found an unusable config schema"), "{errors}");
    assert!(lines[4].starts_with("plugin acme.unused: found an unusable config schema"), "{errors}");
    assert_eq!(lines.len(), 5, "{errors}");
    assert!(config.check_plugins(&[]).is_ok());
}
