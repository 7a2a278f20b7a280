//! The settings that Selkies documents, with their defaults, and its rules for reading them.

use selkies_config::{Config, Loader, Value, settings};

/// Name and default of each documented setting, in the order of Selkies' own table.
const SEED: [(&str, &str); 61] = [
    ("ui_title", "Selkies"),
    ("ui_show_logo", "true"),
    ("ui_show_sidebar", "true"),
    ("ui_show_core_buttons", "true"),
    ("ui_sidebar_show_video_settings", "true"),
    ("ui_sidebar_show_screen_settings", "true"),
    ("ui_sidebar_show_audio_settings", "true"),
    ("ui_sidebar_show_stats", "true"),
    ("ui_sidebar_show_clipboard", "true"),
    ("ui_sidebar_show_files", "true"),
    ("ui_sidebar_show_apps", "true"),
    ("ui_sidebar_show_sharing", "true"),
    ("ui_sidebar_show_gamepads", "true"),
    ("ui_sidebar_show_fullscreen", "true"),
    ("ui_sidebar_show_gaming_mode", "true"),
    ("ui_sidebar_show_trackpad", "true"),
    ("ui_sidebar_show_keyboard_button", "true"),
    ("ui_sidebar_show_soft_buttons", "true"),
    ("audio_enabled", "true"),
    ("microphone_enabled", "true"),
    ("gamepad_enabled", "true"),
    ("clipboard_enabled", "true"),
    ("clipboard_in_enabled", "true"),
    ("clipboard_out_enabled", "true"),
    ("command_enabled", "true"),
    ("file_transfers", "upload,download"),
    ("encoder", "x264enc"),
    ("framerate", "8-120"),
    ("h264_crf", "5-50"),
    ("jpeg_quality", "1-100"),
    ("h264_fullcolor", "false"),
    ("h264_streaming_mode", "false"),
    ("use_cpu", "false"),
    ("use_paint_over_quality", "true"),
    ("paint_over_jpeg_quality", "1-100"),
    ("h264_paintover_crf", "5-50"),
    ("h264_paintover_burst_frames", "1-30"),
    ("second_screen", "true"),
    ("audio_bitrate", "320000"),
    ("is_manual_resolution_mode", "false"),
    ("manual_width", "0"),
    ("manual_height", "0"),
    ("scaling_dpi", "96"),
    ("enable_binary_clipboard", "false"),
    ("use_browser_cursors", "false"),
    ("use_css_scaling", "false"),
    ("port", "8082"),
    ("control_port", "8083"),
    ("master_token", ""),
    ("dri_node", ""),
    ("audio_device_name", "output.monitor"),
    ("watermark_path", ""),
    ("watermark_location", "-1"),
    ("debug", "false"),
    ("wayland_socket_index", "0"),
    ("enable_sharing", "true"),
    ("enable_collab", "true"),
    ("enable_shared", "true"),
    ("enable_player2", "true"),
    ("enable_player3", "true"),
    ("enable_player4", "true"),
];

fn load(variables: &[(&str, &str)]) -> Config {
    Loader::new().env(variables.iter().copied()).load().expect("a right configuration")
}

fn value(name: &str, text: &str) -> Value {
    let variable = format!("SELKIES_{}", name.to_uppercase());
    load(&[(&variable, text)]).get(name).expect("a known setting").value.clone()
}

fn refusal(name: &str, text: &str) -> String {
    let variable = format!("SELKIES_{}", name.to_uppercase());
    Loader::new().env([(variable, text)]).load().expect_err("a wrong value").to_string()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn every_documented_setting_is_there_with_its_default() {
    for (name, default) in SEED {
        let setting =
            settings().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(setting.default, default, "{name}");
        assert_eq!(setting.flag(), format!("--{}", name.replace('_', "-")));
        assert_eq!(setting.env(), format!("SELKIES_{}", name.to_uppercase()));
    }
    let legacy =
        |name: &str| settings().find(|setting| setting.name == name).map(|setting| setting.legacy_env);
    for (name, variable) in [
        ("port", "CUSTOM_WS_PORT"),
        ("dri_node", "DRI_NODE"),
        ("watermark_path", "WATERMARK_PNG"),
        ("watermark_location", "WATERMARK_LOCATION"),
    ] {
        assert_eq!(legacy(name), Some(&[variable][..]));
    }
}

#[test]
fn nothing_given_is_a_configuration() {
    let config = load(&[]);
    assert_eq!(config.port(), 8082);
    assert_eq!(config.addr().collect::<Vec<_>>(), ["127.0.0.1"]);
    assert_eq!(config.display(), None);
    assert_eq!(config.xvfb_max_size(), (8192, 4096));
    assert_eq!(config.basic_auth(), None);
    assert_eq!((config.log_level(), config.web_root()), ("info", None));
    assert!(config.sharing().view_only && config.enable_resize() && !config.allow_unauthenticated());
    let stream = config.stream_defaults();
    assert_eq!((stream.framerate, stream.jpeg_quality, stream.paint_over_jpeg_quality), (60, 40, 90));
    assert_eq!((stream.scaling_dpi, stream.manual_width, stream.manual_height), (96, 0, 0));
    assert_eq!(config.not_active().count(), 0);
}

#[test]
fn booleans() {
    assert_eq!(value("use_cpu", "true"), Value::Bool { on: true, locked: false });
    assert_eq!(value("use_cpu", "true|locked"), Value::Bool { on: true, locked: true });
    assert_eq!(value("use_cpu", "False|LOCKED"), Value::Bool { on: false, locked: true });
    assert_eq!(value("debug", "1"), Value::Bool { on: true, locked: false });
    assert_eq!(value("debug", " 0 "), Value::Bool { on: false, locked: false });
    for wrong in ["yes", "truelocked", "true|lock", "true|locked|locked", "|locked"] {
        let text = refusal("debug", wrong);
        assert_eq!(
            text,
            format!(
                "SC006 SELKIES_DEBUG: found {wrong:?}, allowed true or false, with |locked behind it to lock it"
            )
        );
    }
}

#[test]
fn choices() {
    let choice =
        |value: &str, allowed: &[&str]| Value::Choice { value: value.into(), allowed: names(allowed) };
    // The table of the GStreamer components' document (SELKIES_ENCODER), and what else this host has.
    let all = [
        "x264enc",
        "x264enc-striped",
        "jpeg",
        "nvh264enc",
        "vah264enc",
        "openh264enc",
        "nvh265enc",
        "vah265enc",
        "x265enc",
        "vp8enc",
        "vp9enc",
        "vavp9enc",
        "nvav1enc",
        "vaav1enc",
        "svtav1enc",
        "av1enc",
        "rav1enc",
    ];
    assert_eq!(load(&[]).get("encoder").unwrap().value, choice("x264enc", &all));
    for name in all {
        assert_eq!(value("encoder", name), choice(name, &[name]));
    }
    assert_eq!(value("encoder", "h265enc,vp8enc"), choice("x265enc", &["x265enc", "vp8enc"]));
    assert_eq!(value("encoder", "jpeg, x264enc"), choice("jpeg", &["jpeg", "x264enc"]));
    assert_eq!(value("encoder", "jpeg"), choice("jpeg", &["jpeg"]));
    assert!(value("encoder", "jpeg").is_locked() && !value("encoder", "jpeg,x264enc").is_locked());
    assert_eq!(
        value("encoder", "h264enc,x264enc,h264enc-striped"),
        choice("x264enc", &["x264enc", "x264enc-striped"])
    );
    assert_eq!(value("scaling_dpi", "110"), choice("110", &["110"]));
    assert_eq!(value("audio_bitrate", "128000,6000"), choice("128000", &["128000", "6000"]));
    for wrong in ["theoraenc", "jpeg,", "jpeg|locked", "jpeg;x264enc"] {
        let text = refusal("encoder", wrong);
        let allowed = format!("one or more of {}, comma-separated", all.join(", "));
        assert_eq!(text, format!("SC006 SELKIES_ENCODER: found {wrong:?}, allowed {allowed}"));
    }
    refusal("scaling_dpi", "5000");
}

#[test]
fn encoders_go_on_after_a_fault_in_the_order_of_the_setting() {
    let order = |config: &Config| {
        let mut names = ["av1enc", "jpeg", "x264enc-striped", "x264enc"];
        names.sort_by_key(|name| config.encoder_place(name));
        names
    };
    // Without a choice, what every page decodes comes first.
    assert_eq!(order(&load(&[])), ["jpeg", "x264enc", "x264enc-striped", "av1enc"]);
    let chosen = load(&[("SELKIES_ENCODER", "av1enc,x264enc")]);
    assert_eq!(order(&chosen), ["av1enc", "x264enc", "jpeg", "x264enc-striped"]);
    assert_eq!(chosen.chosen_encoders(), Some(&names(&["av1enc", "x264enc"])[..]));
    assert_eq!(load(&[]).chosen_encoders(), None);
}

#[test]
fn lists() {
    assert_eq!(value("file_transfers", "download"), Value::List(names(&["download"])));
    assert_eq!(
        value("file_transfers", "upload, download,upload"),
        Value::List(names(&["upload", "download"]))
    );
    assert_eq!(value("file_transfers", ""), Value::List(vec![]));
    assert_eq!(value("file_transfers", "None"), Value::List(vec![]));
    refusal("file_transfers", "upload,delete");
}

#[test]
fn ranges() {
    let range = |min, max, initial| Value::Range { min, max, initial };
    assert_eq!(value("framerate", "8-120"), range(8, 120, 60));
    assert_eq!(value("framerate", "60"), range(60, 60, 60));
    assert_eq!(value("framerate", "60-60"), range(60, 60, 60));
    assert_eq!(value("framerate", "30-50"), range(30, 50, 50));
    assert_eq!(value("framerate", " 90 - 100 "), range(90, 100, 90));
    assert_eq!(value("framerate", "30,8-240"), range(8, 240, 30));
    assert!(value("framerate", "60").is_locked() && !value("framerate", "8-120").is_locked());
    for wrong in [
        "120-8",
        "0-60",
        "8-241",
        "-5",
        "8-",
        "8-120-240",
        "60,60",
        "200,8-120",
        "sixty",
        "60|locked",
        "59.94",
    ] {
        let allowed = "MIN-MAX, one number, or INITIAL,MIN-MAX, each from 1 to 240";
        assert_eq!(
            refusal("framerate", wrong),
            format!("SC006 SELKIES_FRAMERATE: found {wrong:?}, allowed {allowed}")
        );
    }
    refusal("framerate", "99999999999999999999");
}

#[test]
fn numbers_texts_and_sizes() {
    assert_eq!(value("watermark_location", "-1"), Value::Int(-1));
    assert_eq!(value("port", "0"), Value::Int(0));
    assert_eq!(
        refusal("port", "65536"),
        "SC006 SELKIES_PORT: found \"65536\", allowed a whole number from 0 to 65535"
    );
    assert_eq!(value("ui_title", "Mon bureau é"), Value::Text("Mon bureau é".into()));
    refusal("ui_title", "two\nlines");
    refusal("ui_title", &"x".repeat(5000));
    assert_eq!(value("xvfb_max_size", "1920x1080"), Value::Size { width: 1920, height: 1080 });
    for wrong in ["1920", "0x10", "1920x", "1920x-1", "20000x100"] {
        refusal("xvfb_max_size", wrong);
    }
}

#[test]
fn a_manual_size_forces_and_locks_the_mode() {
    let size = |variables: &[(&str, &str)]| {
        let config = load(variables);
        let stream = config.stream_defaults();
        let locked = config.get("is_manual_resolution_mode").unwrap().value.is_locked();
        assert_eq!(stream.is_manual_resolution_mode, locked);
        assert_eq!(config.enable_resize(), !locked);
        (stream.is_manual_resolution_mode, stream.manual_width, stream.manual_height)
    };
    assert_eq!(size(&[]), (false, 0, 0));
    assert_eq!(size(&[("SELKIES_IS_MANUAL_RESOLUTION_MODE", "true")]), (true, 1024, 768));
    assert_eq!(size(&[("SELKIES_MANUAL_RESOLUTION", "true")]), (true, 1024, 768));
    assert_eq!(size(&[("SELKIES_MANUAL_WIDTH", "1920")]), (true, 1920, 768));
    assert_eq!(size(&[("SELKIES_MANUAL_HEIGHT", "1080")]), (true, 1024, 1080));
    assert_eq!(
        size(&[("SELKIES_MANUAL_WIDTH", "1920"), ("SELKIES_MANUAL_HEIGHT", "1080")]),
        (true, 1920, 1080)
    );
    assert_eq!(size(&[("SELKIES_MANUAL_WIDTH", "0")]), (false, 0, 0));
}

#[test]
fn empty_variables_are_unset() {
    let config = load(&[("SELKIES_PORT", ""), ("CUSTOM_WS_PORT", "9000"), ("SELKIES_UI_TITLE", "")]);
    assert_eq!(config.port(), 9000);
    assert_eq!(config.get("ui_title").unwrap().value, Value::Text("Selkies".into()));
}

#[test]
fn what_has_no_effect_yet_is_listed() {
    let config = load(&[
        ("SELKIES_AUDIO_BITRATE", "64000"),
        ("SELKIES_AUDIO_ENABLED", "false"),
        ("SELKIES_GAMEPAD_ENABLED", "true"),
        ("SELKIES_MODE", "websockets"),
        ("SELKIES_FRAMERATE", "30"),
        ("SELKIES_VIDEO_CRF", "20"),
        ("SELKIES_USE_CPU", "true"),
        ("SELKIES_USE_CSS_SCALING", "true"),
        ("SELKIES_NO_SUCH_THING", "1"),
    ]);
    let listed: Vec<String> = config.not_active().map(|inactive| inactive.to_string()).collect();
    assert_eq!(listed, ["use_cpu (environment SELKIES_USE_CPU) is not active yet: hardware encoders",]);
    assert_eq!(config.unknown_env(), ["SELKIES_NO_SUCH_THING"]);
    let variables = [("SELKIES_NO_SUCH_THING", "1"), ("SELKIES_CONFIG", ""), ("SELKIES_MINE", "1")];
    let config = Loader::new().env(variables).other_variables(&["SELKIES_MINE"]).load();
    assert_eq!(config.unwrap().unknown_env(), ["SELKIES_NO_SUCH_THING"]);
}

#[test]
fn only_loaded_encoders_are_offered() {
    let menu = |config: &Config| match &config.get("encoder").unwrap().value {
        Value::Choice { value, allowed } => format!("{value} of {}", allowed.join(",")),
        other => panic!("{other:?}"),
    };
    let mut config = load(&[]);
    assert!(config.offer_encoders(&["jpeg"]).is_empty());
    assert_eq!(menu(&config), "jpeg of jpeg");
    let mut config = load(&[]);
    config.offer_encoders(&["acme", "jpeg", "x264enc"]);
    assert_eq!(menu(&config), "jpeg of x264enc,jpeg,acme", "every browser decodes it, wherever the page is");
    let mut config = load(&[("SELKIES_ENCODER", "x264enc,jpeg")]);
    assert_eq!(config.offer_encoders(&["jpeg", "acme"]), ["x264enc"]);
    assert_eq!(menu(&config), "jpeg of jpeg");
    let mut config = load(&[("SELKIES_ENCODER", "x264enc")]);
    assert_eq!(config.offer_encoders(&["jpeg", "acme"]), ["x264enc"]);
    assert_eq!(menu(&config), "jpeg of jpeg,acme");
}

#[test]
fn encoders_that_the_files_own_list_leaves_out_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.json");
    let unlisted = |text: &str| -> Vec<String> {
        std::fs::write(&path, text).unwrap();
        let config = Loader::new().file(&path).load().unwrap();
        config.unlisted_encoders().map(str::to_owned).collect()
    };
    let list = r#""encoders": [{"name": "jpeg", "plugin": "a.b"}]"#;
    assert_eq!(unlisted(&format!(r#"{{"settings": {{"encoder": "x264enc,jpeg"}}, {list}}}"#)), ["x264enc"]);
    assert!(unlisted(&format!("{{{list}}}")).is_empty(), "nobody asked for others");
    assert!(unlisted(r#"{"settings": {"encoder": "x264enc,jpeg"}}"#).is_empty(), "plugins decide");
}
