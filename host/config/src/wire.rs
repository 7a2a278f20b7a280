//! The `server_settings` message, in the names and the shape of Selkies 2.1.0.

use serde_json::{Map, Value as Json, json};

use crate::{
    config::Config,
    parse::{default_value, encoder_wire_name, parse},
    resolve::Resolved,
    table::Activity,
    value::Value,
};

/// Features of 2.1.0 pages that no setting of ours stands for. They are switched off so that pages do not offer them.
const ABSENT: [&str; 3] = ["webcam_enabled", "printing_enabled", "ui_sidebar_show_webcam"];

impl Config {
    /// The message that tells a page what it may show and change: `{"type":"server_settings","settings":{...}}`.
    ///
    /// Booleans are `{value, locked}`, ranges `{value: [min, max], min, max, default}`, choices and lists
    /// `{value, allowed}`, all else `{value}`; each also says whether the operator gave it (`overridden`). What is not
    /// active yet is off and locked, so that a page does not offer it. Secrets, paths and ports are left out.
    #[must_use]
    pub fn server_settings(&self) -> Json {
        let mut settings = Map::new();
        for resolved in &self.values {
            if let Some(wire) = resolved.setting.wire {
                settings.insert(wire.into(), entry(resolved));
            }
        }
        // The three clipboard switches in one, as 2.1.0 spells them.
        settings.insert(
            "enable_clipboard".into(),
            json!({ "value": self.clipboard_directions(), "overridden": true }),
        );
        for name in ABSENT {
            settings.insert(name.into(), json!({ "value": false, "locked": true, "overridden": true }));
        }
        json!({ "type": "server_settings", "settings": settings })
    }
}

fn entry(resolved: &Resolved) -> Json {
    let setting = resolved.setting;
    let mut overridden = resolved.is_explicit();
    let mut value = resolved.value.clone();
    if matches!(setting.activity, Activity::NotYet(_)) {
        value = match resolved.value.clone() {
            Value::Bool { .. } => {
                overridden = true;
                Value::Bool { on: false, locked: true }
            }
            Value::List(_) => Value::List(Vec::new()),
            // The default is what happens, and of a choice it is all that there is.
            Value::Choice { .. } => parse(setting, setting.default, &[]).unwrap_or(value),
            other => default_value(setting, &[]).unwrap_or(other),
        };
    }
    let is_encoder = setting.name == "encoder";
    let name = |name: &String| if is_encoder { encoder_wire_name(name).to_owned() } else { name.clone() };
    let mut entry = match &value {
        Value::Bool { on, locked } => json!({ "value": on, "locked": locked }),
        Value::Range { min, max, initial } => {
            json!({ "value": [min, max], "min": min, "max": max, "default": initial })
        }
        Value::Choice { value, allowed } => {
            json!({ "value": name(value), "allowed": allowed.iter().map(name).collect::<Vec<_>>() })
        }
        Value::List(names) => json!({ "value": names, "allowed": names }),
        Value::Int(number) => json!({ "value": number }),
        Value::Text(text) => json!({ "value": text }),
        Value::Size { .. } => json!({ "value": value.to_string() }),
        // No row with a wire name is a secret (tested); if one were, this would still say nothing.
        Value::Secret(_) => json!({ "value": null }),
    };
    if let Some(members) = entry.as_object_mut() {
        members.insert("overridden".into(), overridden.into());
        // 2.1.0 pages render this one read-only once an operator gave it.
        if setting.name == "scaling_dpi" && overridden && value.is_locked() {
            members.insert("locked".into(), true.into());
        }
    }
    entry
}
