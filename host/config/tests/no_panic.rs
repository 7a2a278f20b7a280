//! Nothing that anybody writes makes this crate panic.

use proptest::{collection::vec, prelude::*, sample::select};
use selkies_config::{ClientSettings, KnownPlugin, Loader, StreamSettings, Value, settings};
use serde_json::{Value as Json, json};

fn names() -> Vec<&'static str> {
    settings().flat_map(|setting| setting.names()).collect()
}

/// Texts near to values of settings.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[0-9]{1,3}-[0-9]{1,21}",
        r"(true|false|1|jpeg|x264enc|upload|none|96)[|,](locked|jpeg|download|120)?",
        r"-?[0-9]{1,25}([x,.][0-9]{1,5})?(-[0-9]{1,4})?",
        ".{0,40}",
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        value().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let keys = prop_oneof![
            select(vec![
                "plugins", "settings", "capture", "encoders", "name", "plugin", "config", "paths", "input"
            ])
            .prop_map(str::to_owned),
            select(names()).prop_map(str::to_owned),
            ".{0,6}",
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            vec((keys, inner), 0..5).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn load_file(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.json");
    std::fs::write(&path, bytes).unwrap();
    let schema = json!({ "properties": { "name": { "type": "string", "pattern": "^(a+)+$" } } });
    let plugin = KnownPlugin { id: "a".into(), schema: Some(schema), refusal: None };
    match Loader::new().file(&path).load_with(|_| vec![plugin]) {
        Ok(config) => {
            let _ = config.server_settings();
        }
        Err(errors) => {
            assert!(!errors.as_slice().is_empty());
            for error in errors.as_slice() {
                assert_eq!(error.to_string().lines().count(), 1, "{error:?}");
            }
        }
    }
}

fn is_within(stream: &StreamSettings) -> bool {
    (8..=120).contains(&stream.framerate)
        && (1..=100).contains(&stream.jpeg_quality)
        && (1..=100).contains(&stream.paint_over_jpeg_quality)
        && (5..=50).contains(&stream.h264_crf)
        && (5..=50).contains(&stream.h264_paintover_crf)
        && (1..=30).contains(&stream.h264_paintover_burst_frames)
        && (100..=1_000_000).contains(&stream.video_bitrate)
        && (48..=768).contains(&stream.scaling_dpi)
        && stream.manual_width <= 16384
        && stream.manual_height <= 16384
        && stream.encoder.ends_with("enc") | ["x264enc-striped", "jpeg"].contains(&stream.encoder.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_as_a_file(bytes in vec(any::<u8>(), 0..200)) {
        load_file(&bytes);
    }

    #[test]
    fn any_json_as_a_file(json in any_json()) {
        load_file(json.to_string().as_bytes());
    }

    #[test]
    fn any_settings_in_a_file(members in vec((select(names()), any_json()), 0..6)) {
        let settings: Json = Json::Object(members.into_iter().map(|(name, json)| (name.to_owned(), json)).collect());
        load_file(json!({ "settings": settings }).to_string().as_bytes());
    }

    #[test]
    fn any_variables(members in vec((select(names()), value()), 0..12)) {
        let variables = members.iter().map(|(name, text)| (format!("SELKIES_{}", name.to_uppercase()), text));
        if let Ok(config) = Loader::new().env(variables).load() {
            let _ = config.server_settings();
            let _ = config.stream_defaults();
            for (name, _) in members {
                prop_assert!(config.explain(name).is_some());
            }
            for setting in settings() {
                if let Some(Value::Range { min, max, initial }) = config.get(setting.name).map(|r| &r.value) {
                    prop_assert!(min <= initial && initial <= max);
                }
            }
        }
    }

    #[test]
    fn any_wish(members in vec((prop_oneof![select(names()).prop_map(str::to_owned), ".{0,8}"], any_json()), 0..20)) {
        let config = Loader::new().load().unwrap();
        let json = Json::Object(members.into_iter().collect()).to_string();
        if let Ok(client) = ClientSettings::parse(&json) {
            let out = config.sanitize(&config.stream_defaults(), &client);
            prop_assert!(is_within(&out.settings), "{:?}", out);
        }
    }

    #[test]
    fn any_text_as_a_wish(text in ".{0,80}") {
        let _ = ClientSettings::parse(&text);
    }
}
