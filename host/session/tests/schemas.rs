//! The committed schemas are the generated ones, and the verb table, the schemas, parser and renderer agree.

use std::fs;
use std::path::PathBuf;

use selkies_session::wire::{
    AuthSuccess, ClientMessage, CommandEnded, CursorImage, Direction, DisplaySettings, PipelineStatus,
    RoleName, ServerMessage, StreamResolution, SystemAction, VERBS, schemas,
};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/wire")
}

#[test]
fn committed_schemas_are_up_to_date() {
    let bless = std::env::var_os("SELKIES_BLESS").is_some();
    let mut expected: Vec<String> = Vec::new();
    for (name, schema) in schemas() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = folder().join(&name);
        if bless {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{name} is out of date; run SELKIES_BLESS=1 cargo test -p selkies-session"
        );
        expected.push(name);
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.contains(&name), "{name} describes no message any more; delete it");
    }
}

fn schema(name: &str) -> Value {
    schemas().into_iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn every_example_fits_its_pattern_and_is_understood() {
    let client = jsonschema::validator_for(&schema("client-text.schema.json")).unwrap();
    let server = jsonschema::validator_for(&schema("server-text.schema.json")).unwrap();
    for spec in VERBS {
        let own = serde_json::json!({ "type": "string", "pattern": spec.pattern });
        assert!(jsonschema::is_valid(&own, &spec.example.into()), "{}: {}", spec.verb, spec.example);
        assert!(spec.example.starts_with(spec.verb));
        match spec.direction {
            Direction::FromServer => assert!(server.is_valid(&spec.example.into())),
            Direction::FromClient => {
                assert!(client.is_valid(&spec.example.into()));
                let parsed = ClientMessage::parse(spec.example);
                assert!(
                    !matches!(parsed, Err(_) | Ok(ClientMessage::Unknown { .. })),
                    "{}: {parsed:?}",
                    spec.verb
                );
            }
        }
    }
    assert!(!client.is_valid(&"nonsense,1".into()));
}

fn command() -> CommandEnded {
    CommandEnded {
        action: "command_error,false: exit status 1".into(),
        status: Some(1),
        output: "\n".into(),
        cut: false,
    }
}

#[test]
fn rendered_messages_fit_their_schemas() {
    let texts = jsonschema::validator_for(&schema("server-text.schema.json")).unwrap();
    let cursor = CursorImage { curdata: "AAAA".into(), width: 1, height: 1, hotx: 0, hoty: 0, handle: 7 };
    for message in [
        ServerMessage::Mode,
        ServerMessage::AuthSuccess(AuthSuccess { role: RoleName::Viewer, slot: None }),
        ServerMessage::MkAccess(true),
        ServerMessage::Cursor(cursor),
        ServerMessage::System(SystemAction { action: "reload".into() }),
        ServerMessage::PipelineResetting("primary".into()),
        ServerMessage::Kill("line one\nline two\0".into()),
        ServerMessage::ConnectionPoor(true),
        ServerMessage::Pong("12.5".into()),
        ServerMessage::UploadEnded { path: "a:b\n.txt".into() },
        ServerMessage::UploadFailed { path: "a.txt".into(), reason: "no\nroom".into() },
        ServerMessage::CommandEnded(command()),
    ] {
        let text = message.render();
        assert!(texts.is_valid(&text.as_str().into()), "{text:?}");
    }
    for (name, message) in [
        (
            "pipeline-status",
            ServerMessage::PipelineStatus(PipelineStatus { video: Some(false), ..Default::default() }),
        ),
        (
            "stream-resolution",
            ServerMessage::StreamResolution(StreamResolution {
                width: 2,
                height: 2,
                display_id: "primary".into(),
            }),
        ),
        ("command-ended", ServerMessage::CommandEnded(command())),
        (
            "display-settings",
            ServerMessage::DisplaySettings(DisplaySettings { settings: serde_json::Map::new() }),
        ),
    ] {
        let text = message.render();
        let body: Value = serde_json::from_str(text.trim_start_matches("system,")).unwrap();
        let schema = schema(&format!("{name}.schema.json"));
        assert!(jsonschema::is_valid(&schema, &body), "{name}: {body}");
    }
}
