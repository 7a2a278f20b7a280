//! JSON Schemas of the wire, generated from the types and from [`VERBS`].

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use super::json as body;
use super::verbs::{Direction, VERBS};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Every file of `schemas/wire/`: name and content. The crate's `schemas` test keeps the committed files equal to
/// these; `SELKIES_BLESS=1 cargo test -p selkies-session --test schemas` writes them.
pub fn schemas() -> Vec<(String, Value)> {
    fn of<T: JsonSchema>(name: &str) -> (String, Value) {
        (format!("{name}.schema.json"), schema_for!(T).to_value())
    }
    vec![
        ("client-text.schema.json".to_owned(), text_schema(Direction::FromClient)),
        ("server-text.schema.json".to_owned(), text_schema(Direction::FromServer)),
        of::<body::AuthSuccess>("auth-success"),
        of::<body::RoleUpdate>("role-update"),
        of::<body::CursorImage>("cursor"),
        of::<body::ServerSettings>("server-settings"),
        of::<body::DisplaySettings>("display-settings"),
        of::<body::DisplayConfigUpdate>("display-config-update"),
        of::<body::StreamResolution>("stream-resolution"),
        of::<body::PipelineStatus>("pipeline-status"),
        of::<body::SystemStats>("system-stats"),
        of::<body::GpuStats>("gpu-stats"),
        of::<body::NetworkStats>("network-stats"),
        of::<body::StreamStats>("stream-stats"),
        of::<body::SystemAction>("system-action"),
        of::<body::CommandEnded>("command-ended"),
    ]
}

fn text_schema(direction: Direction) -> Value {
    let specs = || VERBS.iter().filter(move |s| s.direction == direction);
    let definitions: Map<String, Value> = specs()
        .map(|s| {
            let entry = json!({
                "title": s.verb,
                "description": s.summary,
                "type": "string",
                "pattern": s.pattern,
                "examples": [s.example],
            });
            (s.verb.to_owned(), entry)
        })
        .collect();
    let (title, description) = match direction {
        Direction::FromClient => (
            "Client text message",
            "One WebSocket text message of a page. Unknown verbs are counted and ignored.",
        ),
        Direction::FromServer => (
            "Server text message",
            "One WebSocket text message of the host that begins with a verb. Messages that are a JSON object with a \
             `type` have schema files of their own.",
        ),
    };
    json!({
        "$schema": DRAFT,
        "title": title,
        "description": description,
        "anyOf": specs().map(|s| json!({ "$ref": format!("#/$defs/{}", s.verb) })).collect::<Vec<_>>(),
        "$defs": definitions,
    })
}
