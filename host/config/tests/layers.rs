//! Which layer wins, and what `explain` says about it.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};
use selkies_config::{Config, KnownPlugin, Loader, Source, args};

const VARIABLES: [(&str, &str); 2] = [("SELKIES_PORT", "2"), ("CUSTOM_WS_PORT", "3")];

fn matches(line: &[&str]) -> ArgMatches {
    let program = std::iter::once("selkies-host").chain(line.iter().copied());
    Command::new("selkies-host").args(args()).try_get_matches_from(program).expect("a right command line")
}

fn file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("host.json");
    std::fs::write(&path, text).unwrap();
    path
}

fn port(config: &Config) -> (u16, Source) {
    (config.port(), config.get("port").unwrap().source.clone())
}

#[test]
fn each_layer_wins_over_every_weaker_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "{\n  \"settings\": { \"port\": 4 }\n}");
    // Strongest first; the port of a layer is its place.
    let in_file = Source::File { path: path.clone(), line: 2, column: 25 };
    let sources = [
        (1, Source::Cli("--port".into())),
        (2, Source::Env("SELKIES_PORT".into())),
        (3, Source::Legacy("CUSTOM_WS_PORT".into())),
        (4, in_file),
        (8082, Source::Default),
    ];
    // Every set of layers: bit n is layer n.
    for layers in 0_u32..16 {
        let has = |layer: u32| layers & (1 << layer) != 0;
        let mut loader = Loader::new();
        if has(0) {
            loader = loader.cli(&matches(&["--port", "1"]));
        }
        loader = loader.env((1..3).filter(|layer| has(*layer)).map(|layer| VARIABLES[layer as usize - 1]));
        if has(3) {
            loader = loader.file(&path);
        }
        let strongest = (0..4).find(|layer| has(*layer)).unwrap_or(4) as usize;
        assert_eq!(port(&loader.load().unwrap()), sources[strongest], "layers {layers:04b}");
    }
}

#[test]
fn a_weaker_value_must_be_right_too_but_for_older_variables() {
    let wrong = Loader::new().cli(&matches(&["--port", "1"])).env([("SELKIES_PORT", "x")]);
    assert!(wrong.load().unwrap_err().to_string().starts_with("SC006 SELKIES_PORT: found \"x\""));
    let right = Loader::new().cli(&matches(&["--port", "1"])).env([("CUSTOM_WS_PORT", "x")]);
    assert_eq!(right.load().unwrap().port(), 1);
    let wrong = Loader::new().env([("CUSTOM_WS_PORT", "x")]);
    assert!(wrong.load().unwrap_err().to_string().starts_with("SC006 CUSTOM_WS_PORT: found \"x\""));
}

#[test]
fn newer_names_are_weaker_spellings_of_the_same_layer() {
    let both = Loader::new().env([("SELKIES_VIDEO_CRF", "20"), ("SELKIES_H264_CRF", "30")]).load().unwrap();
    assert_eq!(both.get("h264_crf").unwrap().source, Source::Env("SELKIES_H264_CRF".into()));
    let newer = Loader::new().env([("SELKIES_VIDEO_CRF", "20")]).load().unwrap();
    assert_eq!(newer.get("h264_crf").unwrap().source, Source::Env("SELKIES_VIDEO_CRF".into()));
}

#[test]
fn the_command_line_takes_every_spelling() {
    let config = |line: &[&str]| Loader::new().cli(&matches(line)).load().unwrap();
    for line in [["--jpeg-quality", "55"], ["--jpeg_quality", "55"]] {
        assert_eq!(config(&line).stream_defaults().jpeg_quality, 55);
    }
    for line in [["--video-crf", "20"], ["--video_crf", "20"], ["--h264-crf", "20"]] {
        assert_eq!(config(&line).get("h264_crf").unwrap().source, Source::Cli("--h264-crf".into()));
    }
    assert_eq!(config(&["--debug"]).log_level(), "debug");
    assert_eq!(config(&["--debug", "--port", "9"]).port(), 9);
    assert_eq!(config(&["--debug=false"]).log_level(), "info");
    let paint_over =
        config(&["--use-paint-over-quality", "false|locked"]).stream_defaults().use_paint_over_quality;
    assert!(!paint_over);
    assert_eq!(config(&["--watermark-location", "-1"]).get("watermark_location").unwrap().layers.len(), 2);
    let wrong =
        Loader::new().cli(&matches(&["--framerate=9-", "--port", "x"])).load().unwrap_err().to_string();
    assert_eq!(
        wrong,
        "SC006 --port: found \"x\", allowed a whole number from 0 to 65535\n\
         SC006 --framerate: found \"9-\", allowed MIN-MAX, one number, or INITIAL,MIN-MAX, each from 1 to 240"
    );
}

#[test]
fn a_program_with_subcommands_takes_the_arguments_anywhere() {
    let command = Command::new("selkies-host")
        .subcommand_precedence_over_arg(true)
        .args(args())
        .subcommand(Command::new("config").subcommand(Command::new("explain")));
    command.clone().debug_assert();
    for line in
        [vec!["p", "--debug", "config", "explain", "--port", "7"], vec!["p", "--port=7", "--debug", "config"]]
    {
        let matches = command.clone().try_get_matches_from(line).unwrap();
        let config = Loader::new().cli(matches.subcommand().unwrap().1).load().unwrap();
        assert_eq!((config.port(), config.log_level()), (7, "debug"));
    }
}

#[test]
fn the_file_is_named_by_argument_flag_or_variable() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str, port: u16| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{{\"settings\": {{\"port\": {port}}}}}")).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (argument, flag, variable) = (named("a", 1), named("b", 2), named("c", 3));
    let loader = Loader::new().env([("SELKIES_CONFIG", &variable)]);
    assert_eq!(loader.clone().load().unwrap().port(), 3);
    let loader = loader.cli(&matches(&["--config", &flag]));
    assert_eq!(loader.clone().load().unwrap().port(), 2);
    assert_eq!(loader.file(argument).load().unwrap().port(), 1);
}

#[test]
fn explain_shows_every_layer_and_the_winner() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), r#"{"settings": {"framerate": "8-120"}}"#);
    let loader =
        Loader::new().cli(&matches(&["--framerate", "30-60"])).env([("SELKIES_FRAMERATE", "24")]).file(&path);
    let text = loader.load().unwrap().explain("--framerate").unwrap();
    let place = format!("file {}:1:28", path.display());
    let width = place.len();
    let expected = [
        "framerate: Allowed framerate range or a fixed value.".to_owned(),
        "  value: 30-60 (starts at 60), from command line --framerate".to_owned(),
        format!("    {:width$}  \"30-60\"  <- wins", "command line --framerate"),
        format!("    {:width$}  \"24\"", "environment SELKIES_FRAMERATE"),
        format!("    {place}  \"8-120\""),
        format!("    {:width$}  \"8-120\"", "default"),
        "  set by: --framerate, SELKIES_FRAMERATE, /settings/framerate of the file".to_owned(),
        "  browsers may change it".to_owned(),
    ];
    assert_eq!(text, expected.join("\n"));
}

#[test]
fn explain_takes_any_spelling_and_knows_what_is_not_there() {
    let config = Loader::new().env([("SELKIES_MANUAL_WIDTH", "800")]).load().unwrap();
    let text = config.explain("SELKIES_MANUAL_RESOLUTION").unwrap();
    assert!(text.contains("value: true (locked), from environment SELKIES_MANUAL_WIDTH"), "{text}");
    assert!(text.contains("(forced by another setting)"), "{text}");
    let side = config.explain("manual_height").unwrap();
    assert!(side.contains("value: 768, from environment SELKIES_MANUAL_WIDTH"), "{side}");
    assert!(side.contains("(forced by another setting)") && !side.contains("<- wins"), "{side}");
    let own = config.explain("manual_width").unwrap();
    assert!(own.contains("\"800\"  <- wins") && !own.contains("forced"), "{own}");
    assert!(config.explain("use-cpu").unwrap().ends_with("not active yet: hardware encoders"));
    assert_eq!(config.explain("no_such_setting"), None);
}

#[test]
fn secrets_are_never_shown() {
    const CANARY: &str = "hunter2canary";
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"{{"settings": {{"turn_password": "{CANARY}"}},
            "rtc_config": [{{"plugin": "acme.turn", "config": {{"shared_secret": "{CANARY}"}}}}]}}"#
    );
    let config = Loader::new()
        .cli(&matches(&["--basic-auth-password", CANARY]))
        .env([
            ("PASSWORD", CANARY),
            ("SELKIES_MASTER_TOKEN", CANARY),
            ("SELKIES_ALLOW_UNAUTHENTICATED", "true"),
        ])
        .file(file(folder.path(), &text))
        .load()
        .unwrap();
    assert_eq!(config.basic_auth().unwrap().password.expose(), CANARY);
    let mut shown =
        format!("{config:?} {:?} {:?} {}", config.file(), config.basic_auth(), config.server_settings());
    for name in ["basic_auth_password", "master_token", "turn_password"] {
        shown += &format!("{:?} {}", config.get(name), config.explain(name).unwrap());
    }
    let schema = serde_json::json!({ "properties": { "shared_secret": { "maxLength": 3 } } });
    let turn = KnownPlugin { id: "acme.turn".into(), schema: Some(schema), refusal: None };
    let judged = Loader::new().file(file(folder.path(), &text)).load_with(|_| vec![turn]);
    shown += &judged.unwrap_err().to_string();
    shown += &Loader::new().env([("SELKIES_MASTER_TOKEN", CANARY)]).load().unwrap_err().to_string();
    shown += &config.not_active().map(|inactive| inactive.to_string()).collect::<String>();
    // Wrong secrets are not repeated either.
    let wrong = format!("{CANARY}\n");
    shown += &Loader::new().env([("SELKIES_MASTER_TOKEN", &wrong)]).load().unwrap_err().to_string();
    let text = format!(r#"{{"settings": {{"master_token": ["{CANARY}"]}}}}"#);
    shown += &Loader::new().file(file(folder.path(), &text)).load().unwrap_err().to_string();
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("***"));
}

#[test]
fn other_machines_need_a_password() {
    let load = |variables: &[(&str, &str)]| Loader::new().env(variables.iter().copied()).load();
    let error = load(&[("SELKIES_ADDR", "127.0.0.1,0.0.0.0")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "SC010 SELKIES_ADDR: found \"127.0.0.1,0.0.0.0\" without a password, allowed 127.0.0.1, or \
         basic_auth_password set, or --allow-unauthenticated \
         (allow_unauthenticated=true)"
    );
    for safe in ["localhost", "::1", "[::1]", "127.0.0.2, ::1"] {
        load(&[("SELKIES_ADDR", safe)]).unwrap();
    }
    load(&[("SELKIES_ADDR", "0.0.0.0"), ("SELKIES_ALLOW_UNAUTHENTICATED", "true")]).unwrap();
    load(&[("SELKIES_ADDR", "::"), ("PASSWORD", "x")]).unwrap();
    load(&[("SELKIES_ADDR", "::"), ("PASSWORD", "x"), ("SELKIES_ENABLE_BASIC_AUTH", "false")]).unwrap_err();
}

#[test]
fn a_master_token_that_nobody_enforces_is_a_mistake() {
    let load = |variables: &[(&str, &str)]| Loader::new().env(variables.iter().copied()).load();
    let token = ("SELKIES_MASTER_TOKEN", "secret");
    assert_eq!(
        load(&[token]).unwrap_err().to_string(),
        "SC013 SELKIES_MASTER_TOKEN: found a master token, but this version asks nobody for tokens, allowed no \
         master_token (basic_auth_password protects instead), or --allow-unauthenticated \
         (allow_unauthenticated=true)"
    );
    load(&[token, ("PASSWORD", "x")]).unwrap_err();
    load(&[("SELKIES_MASTER_TOKEN", ""), ("SELKIES_ADDR", "::1")]).unwrap();
    load(&[token, ("SELKIES_ALLOW_UNAUTHENTICATED", "true")]).unwrap();
}
