//! What browsers are told, and what becomes of their wishes.

use selkies_config::{ClientError, ClientSettings, Config, DisplayId, Loader, MAX_CLIENT_BYTES, Sanitized};
use serde_json::{Value as Json, json};

fn load(variables: &[(&str, &str)]) -> Config {
    Loader::new().env(variables.iter().copied()).load().expect("a right configuration")
}

fn told(variables: &[(&str, &str)]) -> Json {
    load(variables).server_settings()["settings"].clone()
}

fn wish(config: &Config, wish: &Json) -> Sanitized {
    config.sanitize(&config.stream_defaults(), &ClientSettings::parse(&wish.to_string()).unwrap())
}

#[test]
fn the_message_has_the_names_and_shapes_of_selkies() {
    let message = load(&[]).server_settings();
    assert_eq!(message["type"], "server_settings");
    let settings = &message["settings"];
    assert_eq!(
        settings["framerate"],
        json!({ "value": [8, 120], "min": 8, "max": 120, "default": 60, "overridden": false })
    );
    let plain = json!({ "value": false, "locked": false, "overridden": false });
    assert_eq!((&settings["use_css_scaling"], &settings["use_browser_cursors"]), (&plain, &plain));
    assert_eq!(
        settings["encoder"],
        json!({
            "value": "h264enc",
            "allowed": [
                "h264enc", "h264enc-striped", "jpeg", "nvh264enc", "vah264enc", "openh264enc", "nvh265enc", "vah265enc",
                "h265enc", "vp8enc", "vp9enc", "vavp9enc", "nvav1enc", "vaav1enc", "svtav1enc", "av1enc", "rav1enc",
            ],
            "overridden": false,
        })
    );
    assert_eq!(settings["ui_title"], json!({ "value": "Selkies", "overridden": false }));
    assert_eq!(settings["manual_width"], json!({ "value": 0, "overridden": false }));
    assert_eq!(settings["scaling_dpi"]["value"], "96");
    assert_eq!(settings["video_crf"]["default"], 25);
    for absent in [
        "h264_crf",
        "is_manual_resolution_mode",
        "master_token",
        "basic_auth_password",
        "port",
        "addr",
        "control_port",
        "debug",
        "dri_node",
        "web_root",
        "watermark_path",
        "display",
        "turn_host",
    ] {
        assert_eq!(settings.get(absent), None, "{absent}");
    }
}

#[test]
fn locks_and_overrides_are_told() {
    let settings = told(&[
        ("SELKIES_FRAMERATE", "60"),
        ("SELKIES_USE_CSS_SCALING", "true|locked"),
        ("SELKIES_ENCODER", "jpeg"),
        ("SELKIES_SCALING_DPI", "144"),
        ("SELKIES_MANUAL_WIDTH", "800"),
    ]);
    assert_eq!(
        settings["framerate"],
        json!({ "value": [60, 60], "min": 60, "max": 60, "default": 60, "overridden": true })
    );
    assert_eq!(settings["use_css_scaling"], json!({ "value": true, "locked": true, "overridden": true }));
    assert_eq!(settings["encoder"], json!({ "value": "jpeg", "allowed": ["jpeg"], "overridden": true }));
    assert_eq!(settings["scaling_dpi"]["locked"], true);
    assert_eq!(settings["manual_resolution"], json!({ "value": true, "locked": true, "overridden": true }));
    assert_eq!(settings["manual_height"]["value"], 768);
}

#[test]
fn what_does_not_exist_yet_is_off_and_locked() {
    let settings = told(&[("SELKIES_MODE", "webrtc"), ("SELKIES_USE_CPU", "true")]);
    let off = json!({ "value": false, "locked": true, "overridden": true });
    for name in ["second_screen", "enable_collab", "use_cpu", "webcam_enabled", "printing_enabled"] {
        assert_eq!(settings[name], off, "{name}");
    }
    assert_eq!(settings["gamepad_enabled"]["value"], true);
    assert_eq!(settings["file_transfers"]["value"], json!(["upload", "download"]), "this exists");
    assert_eq!(
        settings["mode"],
        json!({ "value": "webrtc", "allowed": ["webrtc"], "overridden": true }),
        "this exists"
    );
    assert_eq!(settings["rate_control_mode"]["allowed"], json!(["crf", "cbr"]));
    for name in ["enable_shared", "audio_enabled", "microphone_enabled", "audio_redundancy"] {
        assert_eq!(settings[name]["value"], true, "{name}");
    }
    assert_eq!(settings["audio_channels"]["value"], "2");
}

#[test]
fn wishes_within_the_limits_are_taken() {
    let config = load(&[]);
    let out = wish(
        &config,
        &json!({
            "framerate": 30, "jpeg_quality": "55", "paint_over_jpeg_quality": 80.4, "use_paint_over_quality": false,
            "use_cpu": "true", "encoder": "jpeg", "scaling_dpi": 110, "useCssScaling": true, "use_browser_cursors": 1,
            "manual_resolution": true, "manual_width": 1280, "manual_height": 0, "video_crf": 20, "h264_paintover_crf": "30",
            "h264_paintover_burst_frames": 9, "video_fullcolor": true, "h264_streaming_mode": 1, "rate_control_mode": "cbr",
            "video_bitrate": 5000,
        }),
    );
    assert!(out.adjusted.is_empty() && out.refused.is_empty() && out.unknown == 0, "{out:?}");
    let stream = out.settings;
    assert_eq!((stream.framerate, stream.jpeg_quality, stream.paint_over_jpeg_quality), (30, 55, 80));
    assert!(!stream.use_paint_over_quality);
    assert_eq!((stream.h264_crf, stream.h264_paintover_crf, stream.h264_paintover_burst_frames), (20, 30, 9));
    assert!(stream.h264_fullcolor && stream.h264_streaming_mode && stream.is_constant_bitrate);
    assert_eq!(stream.video_bitrate, 5000);
    assert_eq!((stream.encoder.as_str(), stream.scaling_dpi), ("jpeg", 110));
    assert_eq!(
        (stream.is_manual_resolution_mode, stream.manual_width, stream.manual_height),
        (true, 1280, 768)
    );
}

#[test]
fn both_vocabularies_are_taken() {
    let config = load(&[]);
    for (key, encoder) in
        [("manual_resolution", "h264enc-striped"), ("is_manual_resolution_mode", "x264enc-striped")]
    {
        let out = wish(&config, &json!({ key: true, "encoder": encoder }));
        assert!(out.settings.is_manual_resolution_mode);
        assert_eq!(out.settings.encoder, "x264enc-striped");
    }
}

#[test]
fn wishes_outside_of_the_limits_are_adjusted_or_refused() {
    let config = load(&[
        ("SELKIES_USE_PAINT_OVER_QUALITY", "true|locked"),
        ("SELKIES_JPEG_QUALITY", "30-50"),
        ("SELKIES_SCALING_DPI", "144,192"),
    ]);
    let before = config.stream_defaults();
    let out = wish(
        &config,
        &json!({
            "framerate": 1e300, "jpeg_quality": -4, "use_paint_over_quality": false, "encoder": "mpeg2enc", "scaling_dpi": 96,
            "paint_over_jpeg_quality": "inf", "ui_title": "mine", "enable_sharing": false, "manual_width": 1_000_000,
            "use_browser_cursors": "maybe",
        }),
    );
    assert_eq!(
        (out.settings.framerate, out.settings.jpeg_quality, out.settings.manual_width),
        (120, 30, 16384)
    );
    assert!(out.settings.use_paint_over_quality);
    assert_eq!((out.settings.encoder.as_str(), out.settings.scaling_dpi), ("x264enc", 144));
    assert_eq!(out.settings.paint_over_jpeg_quality, before.paint_over_jpeg_quality);
    assert_eq!(out.adjusted, ["framerate", "jpeg_quality", "encoder", "scaling_dpi", "manual_width"]);
    assert_eq!(
        out.refused,
        [
            "use_paint_over_quality",
            "paint_over_jpeg_quality",
            "ui_title",
            "enable_sharing",
            "use_browser_cursors"
        ]
    );
}

#[test]
fn a_locked_resolution_stays() {
    let config = load(&[("SELKIES_MANUAL_WIDTH", "800"), ("SELKIES_MANUAL_HEIGHT", "600")]);
    let out = wish(&config, &json!({ "manual_width": 1, "manual_height": 600, "manual_resolution": false }));
    assert_eq!(out.settings, config.stream_defaults());
    assert_eq!(out.refused, ["manual_width", "is_manual_resolution_mode"]);
}

#[test]
fn what_is_not_mentioned_stays() {
    let config = load(&[]);
    let first = wish(&config, &json!({ "framerate": 30 })).settings;
    let client = ClientSettings::parse(r#"{"jpeg_quality": 20, "encoder": null}"#).unwrap();
    let second = config.sanitize(&first, &client);
    assert_eq!((second.settings.framerate, second.settings.jpeg_quality, second.unknown), (30, 20, 0));
}

#[test]
fn what_a_page_says_about_itself() {
    let page = ClientSettings::parse(
        r#"{"displayId": "display2", "initialClientWidth": 1920.5, "initialClientHeight": 99999, "tabId": "t",
            "displayPosition": "left", "video_crf": 20, "nonsense": 1, "master_token": "x", "framerate": [1]}"#,
    )
    .unwrap();
    assert_eq!(
        (page.display(), page.window(), page.tab()),
        (DisplayId::Second, Some((1920, 16384)), Some("t"))
    );
    assert_eq!(page.unknown(), 3);
    let plain = ClientSettings::parse("{}").unwrap();
    assert_eq!((plain.display(), plain.window(), plain.tab()), (DisplayId::Primary, None, None));
}

#[test]
fn messages_that_are_not_taken() {
    let error = |json: &str| ClientSettings::parse(json).unwrap_err();
    assert!(matches!(error("[]"), ClientError::NotAnObject));
    assert!(matches!(error("{"), ClientError::NotAnObject));
    assert!(matches!(error(r#"{"framerate": 1e999}"#), ClientError::NotAnObject));
    assert!(matches!(error(r#"{"displayId": "display3"}"#), ClientError::UnknownDisplay));
    assert!(matches!(error(&" ".repeat(MAX_CLIENT_BYTES + 1)), ClientError::TooLarge(_)));
}

#[test]
fn the_clipboard_goes_where_every_setting_lets_it() {
    let judge = |variables: &[(&str, &str)], (inward, outward): (bool, bool), directions: &str| {
        let rules = load(variables).clipboard();
        assert_eq!((rules.inward, rules.outward), (inward, outward), "{variables:?}");
        assert_eq!(told(variables)["enable_clipboard"]["value"], directions, "{variables:?}");
    };
    judge(&[], (true, true), "true");
    judge(&[("SELKIES_CLIPBOARD_ENABLED", "false")], (false, false), "false");
    judge(&[("SELKIES_CLIPBOARD_IN_ENABLED", "false")], (false, true), "out");
    judge(&[("SELKIES_CLIPBOARD_OUT_ENABLED", "false")], (true, false), "in");
    judge(&[("SELKIES_ENABLE_CLIPBOARD", "in")], (true, false), "in");
    let none = [("SELKIES_ENABLE_CLIPBOARD", "in"), ("SELKIES_CLIPBOARD_IN_ENABLED", "false")];
    judge(&none, (false, false), "false");
    let rules = load(&[("SELKIES_ENABLE_BINARY_CLIPBOARD", "true|locked")]).clipboard();
    assert!(rules.binary && rules.binary_locked);
    let rules = load(&[("SELKIES_ENABLE_BINARY_CLIPBOARD", "true")]).clipboard();
    assert!(rules.binary && !rules.binary_locked);
}
