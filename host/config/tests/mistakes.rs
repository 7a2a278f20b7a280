//! What is said about wrong configuration files.

use std::path::PathBuf;

use selkies_config::{Code, Config, ConfigErrors, KeySource, KnownPlugin, Loader, MAX_FILE_BYTES};
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
    let rules = config.plugin_rules();
    assert_eq!(rules.paths, [folder.join("plugins"), PathBuf::from("/opt/p")]);
    assert_eq!((rules.allow.as_slice(), rules.deny.len()), (&["*".to_owned()][..], 0));
    assert_eq!(rules.in_process, ["selkies.*"]);
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
  "encoders": [ { "name": "a", "plugin": "p" }, { "name": "a", "plugin": "p" }, { "name": "a", "plugin": "" } ],
  "input": {},
  "captur": 1
}"#;
    let lines = [
        r#"SC006 h.json:2:30: /settings/framerate: found "60-30", allowed MIN-MAX, one number, or INITIAL,MIN-MAX, each from 1 to 240"#,
        r#"SC004 h.json:2:39: /settings/prot: found "prot", which is not a setting; did you mean "port"?"#,
        r#"SC005 h.json:3:25: /settings/port: found true, allowed a whole number from 0 to 65535"#,
        r#"SC004 h.json:3:31: /settings/é: found "é", which is not a setting, allowed a name of docs/configuration.md"#,
        r#"SC008 h.json:3:39: /settings/video_crf: found "video_crf" beside "h264_crf", which is the same setting, allowed one of them"#,
        r#"SC006 h.json:4:42: /plugins/isolation/default: found "thread", allowed "process", "in-process""#,
        r#"SC004 h.json:4:54: /plugins/path: found "path", which is not a key here; did you mean "paths"?"#,
        r#"SC007 h.json:5:14: /capture: found no "plugin", allowed an object with "plugin""#,
        r#"SC008 h.json:6:59: /encoders/1/name: found "a" of plugin "p" for a second time, allowed each encoder of a plugin once"#,
        r#"SC006 h.json:6:106: /encoders/2/plugin: found "", allowed 1 or more characters"#,
        r#"SC005 h.json:7:12: /input: found an object of 0, allowed array"#,
        r#"SC004 h.json:8:3: /captur: found "captur", which is not a key here; did you mean "capture"?"#,
    ];
    assert_eq!(errors(text), lines);
    // Variables come after the file.
    let written = written(text);
    let all = Loader::new().file(&written.path).env([("SELKIES_PORT", "x")]).load().unwrap_err().to_string();
    assert_eq!(all.lines().count(), lines.len() + 1);
    assert!(all.lines().last().unwrap().starts_with("SC006 SELKIES_PORT: "));
}

#[test]
fn syntax_errors_have_a_place() {
    assert_eq!(
        errors("{\n  \"settings\": { \"port\": 80,, }\n}"),
        ["SC003 h.json:2:28: (document): found no JSON (key must be a string), allowed one JSON object"]
    );
    assert_eq!(
        errors("{\n \"é\": x}"),
        ["SC003 h.json:2:7: (document): found no JSON (expected value), allowed one JSON object"]
    );
    assert_eq!(errors("[1]"), ["SC005 h.json:1:1: (document): found an array of 1, allowed object"]);
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
        ["SC008 h.json:1:26: /settings/port: found a repeated key, allowed each key once"]
    );
}

#[test]
fn settings_must_be_an_object() {
    assert_eq!(errors(r#"{"settings": 7}"#), ["SC005 h.json:1:14: /settings: found 7, allowed an object"]);
}

#[test]
fn files_that_cannot_be_read() {
    let code = |result: Result<Config, ConfigErrors>| result.unwrap_err().as_slice()[0].code;
    assert_eq!(code(Loader::new().file("/no/such/file").load()), Code::Unreadable);
    assert_eq!(code(Loader::new().file("/").load()), Code::Unreadable);
    assert_eq!(code(load(vec![b' '; MAX_FILE_BYTES + 1])), Code::TooLarge);
    assert_eq!(
        errors(b"{\n \"\xc3\xa9\xff\": 1}"),
        ["SC011 h.json:2:4: (document): found byte 0xff, which is no UTF-8, allowed UTF-8 text"]
    );
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
    assert_eq!(error, "SC011 SELKIES_UI_TITLE: found bytes that are no UTF-8, allowed UTF-8 text");
}

fn known(id: &str, schema: Option<serde_json::Value>, refusal: Option<&str>) -> KnownPlugin {
    KnownPlugin { id: id.into(), schema, refusal: refusal.map(str::to_owned) }
}

/// The errors' lines with these plugins, without the folder.
fn errors_with(text: &str, plugins: &[KnownPlugin]) -> Vec<String> {
    let written = written(text);
    let errors = Loader::new().file(&written.path).load_with(|_| plugins.to_vec()).expect_err("a wrong file");
    let folder = format!("{}/", written.path.parent().unwrap().display());
    errors.to_string().lines().map(|line| line.replace(&folder, "")).collect()
}

#[test]
fn plugins_configurations_are_judged_by_their_own_schema() {
    let text = r#"{ "capture": { "plugin": "selkies.x11", "config": { "display": 0 } },
  "input": [ { "plugin": "acme.in", "config": {} },
             { "plugin": "selkies.x11", "config": { "display": ":1", "dsplay": 1 } },
             { "plugin": "selkies.x11" } ] }"#;
    let schema = json!({
        "type": "object",
        "properties": { "display": { "type": "string" } },
        "required": ["display"],
        "additionalProperties": false,
    });
    let elsewhere = json!({ "$ref": "https://example.com/schema.json" });
    let plugins = [
        known("selkies.x11", Some(schema), None),
        known("acme.in", Some(elsewhere), None),
        // Nobody uses it: its schema is nobody's concern.
        known("acme.unused", Some(json!({ "type": 7 })), None),
    ];
    let lines = errors_with(text, &plugins);
    assert_eq!(lines[0], "SC005 h.json:1:64: /capture/config/display: found 0, allowed string");
    assert_eq!(
        lines[1],
        r#"SC004 h.json:3:70: /input/1/config/dsplay: found "dsplay", which is not a key here; did you mean "display"?"#
    );
    assert_eq!(
        lines[2],
        r#"SC007 h.json:4:14: /input/2/config: found no "display", allowed an object with "display""#
    );
    assert!(lines[3].starts_with("SC009 plugin acme.in: found an unusable config schema"), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(load(text).is_ok(), "without the plugins, nothing is known to be wrong");
}

#[test]
fn plugins_that_are_not_there_or_refused_are_mistakes() {
    let text = r#"{ "capture": { "plugin": "selkies.x12" }, "display": { "plugin": "acme.far" },
  "encoders": [ { "name": "a", "plugin": "acme.enc" } ], "cursor": { "plugin": "selkies.x11" } }"#;
    let plugins =
        [known("selkies.x11", None, None), known("acme.enc", None, Some("SP004 acme.enc: excluded\nby you"))];
    assert_eq!(
        errors_with(text, &plugins),
        [
            r#"SC012 h.json:1:26: /capture/plugin: found "selkies.x12"; did you mean "selkies.x11"?"#,
            r#"SC012 h.json:1:66: /display/plugin: found "acme.far", allowed selkies.x11"#,
            r#"SC012 h.json:2:42: /encoders/0/plugin: found "acme.enc", which may not be used: SP004 acme.enc: excluded by you"#,
        ]
    );
    let nothing = errors_with(r#"{"capture": {"plugin": "a.b"}}"#, &[]);
    assert!(nothing[0].contains("the folders that are searched, which hold none"), "{nothing:?}");
}

#[test]
fn mistakes_of_the_host_and_of_plugins_are_told_together() {
    let schema = json!({ "properties": { "fps": { "type": "integer" } } });
    let plugins = [known("a.b", Some(schema), None)];
    let text = r#"{ "settings": { "port": "x" }, "captur": 1,
  "capture": { "plugin": "a.b", "config": { "fps": "x" }, "more": 1 },
  "input": [ 7, { "plugin": "a.c" } ] }"#;
    let codes: Vec<String> = errors_with(text, &plugins)
        .iter()
        .map(|line| line.split(": found").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        codes,
        [
            "SC006 h.json:1:25: /settings/port",
            "SC004 h.json:1:32: /captur",
            "SC005 h.json:2:52: /capture/config/fps",
            "SC004 h.json:2:59: /capture/more",
            "SC005 h.json:3:14: /input/0",
            "SC012 h.json:3:29: /input/1/plugin",
        ]
    );
    // Where plugins are cannot be told: nothing is said about them.
    let lost = errors_with(r#"{"plugins": {"paths": "here"}, "capture": {"plugin": "a.d"}}"#, &plugins);
    assert_eq!(lost.len(), 1, "{lost:?}");
}

#[test]
fn the_file_says_which_plugins_may_be_used_and_where() {
    let text = r#"{"plugins": {"paths": ["p"], "allow": ["a.*"], "deny": ["a.b"],
        "isolation": {"allow-in-process": ["a.c"]}}}"#;
    let written = written(text);
    let mut asked = None;
    let loader = Loader::new().file(&written.path).allow_in_process(["d.*".to_owned()]);
    let config = loader.load_with(|rules| {
        asked = Some(rules.clone());
        Vec::new()
    });
    let rules = config.unwrap().plugin_rules().clone();
    assert_eq!(asked.as_ref(), Some(&rules));
    assert_eq!((rules.allow, rules.deny), (vec!["a.*".to_owned()], vec!["a.b".to_owned()]));
    assert_eq!(rules.in_process, ["a.c", "d.*"]);
    assert_eq!((rules.require_signature, rules.trusted_keys), (false, Vec::new()));
    let config = load(r#"{"plugins": {"isolation": {"default": "in-process"}}}"#).unwrap();
    assert_eq!(config.plugin_rules().in_process, ["selkies.*", "*"]);
}

#[test]
fn the_file_says_whose_signatures_count() {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let text = format!(
        r#"{{"plugins": {{"require_signature": true, "trusted_keys": ["{key}", "a.pub", "/k/b.pub"]}}}}"#
    );
    let written = written(&text);
    let config = Loader::new().file(&written.path).load().unwrap();
    let rules = config.plugin_rules();
    assert!(rules.require_signature);
    let beside = written.path.with_file_name("a.pub");
    let wanted = [KeySource::Text(key.into()), KeySource::File(beside), KeySource::File("/k/b.pub".into())];
    assert_eq!(rules.trusted_keys, wanted);
    let mistakes = errors(r#"{"plugins": {"require_signature": "yes", "trusted_keys": "a.pub"}}"#);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
}
