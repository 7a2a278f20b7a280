//! The dialect of 2.1.0's data channel: the same messages as `{"type":…,"data":…}`.
//!
//! Source: Selkies 2.1.0, webrtc_engine.py (what is sent) and the stock page (what it handles).

use serde_json::{Map, Value, json};

/// A text of [`super::ServerMessage::render`] as pages of 2.1.0 take it on their data channel; `None` for what has no
/// form there, and which those pages do without.
#[must_use]
pub fn channel_text(text: &str) -> Option<String> {
    if text.starts_with('{') {
        return from_object(text);
    }
    let (verb, rest) = split(text);
    let action = |action: String| typed("system", &json!({ "action": action }));
    Some(match verb {
        "cursor" => verbatim("cursor", rest)?,
        "system" => verbatim("system", rest)?,
        "DISPLAY_CONFIG_UPDATE" => verbatim("display_config_update", rest)?,
        "AUTH_SUCCESS" => action(format!("auth_success,{rest}")),
        "ROLE_UPDATE" => action(format!("role_update,{rest}")),
        "MK_ACCESS" => action(format!("mk_access,{rest}")),
        "CONNECTION" => typed("connection", &json!({ "poor": rest == "poor" })),
        "clipboard" => clip("clipboard-msg", "text/plain", rest, None),
        "clipboard_binary" => {
            let (mime, content) = rest.split_once(',')?;
            clip("clipboard-msg", mime, content, None)
        }
        "clipboard_start" => {
            let (mime, total) = rest.split_once(',')?;
            clip("clipboard-msg-start", mime, "", Some(total.parse().ok()?))
        }
        "clipboard_data" => typed("clipboard-msg-data", &json!({ "content": rest })),
        "clipboard_finish" => typed("clipboard-msg-end", &json!({})),
        _ => return None,
    })
}

/// The verb, and what follows its comma or blank.
fn split(text: &str) -> (&str, &str) {
    text.split_once([',', ' ']).unwrap_or((text, ""))
}

fn from_object(text: &str) -> Option<String> {
    let mut body: Map<String, Value> = serde_json::from_str(text).ok()?;
    let kind = match body.remove("type") {
        Some(Value::String(kind)) => kind,
        _ => return None,
    };
    Some(match kind.as_str() {
        // In 2.1.0's dialect the size is an action, and a failure a status.
        "stream_resolution" => {
            let side = |name: &str| body.get(name).and_then(Value::as_u64);
            let action = format!("resolution,{}x{}", side("width")?, side("height")?);
            typed("system", &json!({ "action": action }))
        }
        "pipeline_status" => {
            let reason = body.get("reason").and_then(Value::as_str);
            let runs = body.get("video").and_then(Value::as_bool).unwrap_or(true);
            let status = reason.unwrap_or(if runs { "The stream runs." } else { "There is no picture." });
            typed("pipeline", &json!({ "status": status }))
        }
        "gpu_stats" => {
            let load = body.get("load").and_then(Value::as_f64).unwrap_or_default();
            let data = json!({
                "gpu_percent": load * 100.0,
                "mem_total": body.get("memory_total"),
                "mem_used": body.get("memory_used"),
            });
            typed("gpu_stats", &data)
        }
        _ => typed(&kind, &Value::Object(body)),
    })
}

fn clip(kind: &str, mime: &str, content: &str, total: Option<u64>) -> String {
    let binary = !mime.starts_with("text/");
    let mut data = json!({ "mime_type": mime, "is_binary_data": binary });
    match total {
        Some(total) => data["total_size"] = total.into(),
        None => data["content"] = content.into(),
    }
    typed(kind, &data)
}

fn typed(kind: &str, data: &Value) -> String {
    json!({ "type": kind, "data": data }).to_string()
}

/// The body is JSON already, as this crate wrote it.
fn verbatim(kind: &str, body: &str) -> Option<String> {
    body.starts_with('{').then(|| format!(r#"{{"type":"{kind}","data":{body}}}"#))
}

#[cfg(test)]
mod tests {
    use super::super::{
        CursorImage, PipelineStatus, ServerMessage, ServerSettings, StreamResolution, SystemAction,
    };
    use super::*;

    fn told(message: &ServerMessage) -> Value {
        let text = channel_text(&message.render()).unwrap_or_else(|| panic!("{message:?} has a form"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn messages_have_the_forms_that_stock_pages_handle() {
        let cursor = CursorImage { curdata: "AA==".into(), width: 1, height: 2, hotx: 0, hoty: 1, handle: 7 };
        let reload = SystemAction { action: "reload".into() };
        let size = StreamResolution { width: 640, height: 480, display_id: "primary".into() };
        let failure =
            PipelineStatus { video: Some(false), audio: None, reason: Some("\"no\" picture".into()) };
        let settings = Map::from_iter([("encoder".to_owned(), json!({ "value": "h264enc" }))]);
        let drawn = json!({ "curdata": "AA==", "width": 1, "height": 2, "hotx": 0, "hoty": 1, "handle": 7 });
        for (message, kind, data) in [
            (ServerMessage::Cursor(cursor), "cursor", drawn),
            (ServerMessage::System(reload), "system", json!({ "action": "reload" })),
            (ServerMessage::StreamResolution(size), "system", json!({ "action": "resolution,640x480" })),
            (ServerMessage::PipelineStatus(failure), "pipeline", json!({ "status": "\"no\" picture" })),
            (ServerMessage::MkAccess(true), "system", json!({ "action": "mk_access,1" })),
            (ServerMessage::ConnectionPoor(true), "connection", json!({ "poor": true })),
            (
                ServerMessage::ServerSettings(ServerSettings { settings: settings.clone() }),
                "server_settings",
                json!({ "settings": settings }),
            ),
            (
                ServerMessage::ClipboardText { base64: "aGk=".into() },
                "clipboard-msg",
                json!({ "mime_type": "text/plain", "is_binary_data": false, "content": "aGk=" }),
            ),
            (
                ServerMessage::ClipboardStart { mime: "image/png".into(), total: 9 },
                "clipboard-msg-start",
                json!({ "mime_type": "image/png", "is_binary_data": true, "total_size": 9 }),
            ),
        ] {
            assert_eq!(told(&message), json!({ "type": kind, "data": data }), "{message:?}");
        }
    }

    #[test]
    fn what_those_pages_do_not_know_is_not_sent() {
        let unknown = [
            ServerMessage::Mode,
            ServerMessage::ModeWebrtc,
            ServerMessage::VideoStarted,
            ServerMessage::PipelineResetting("primary".into()),
            ServerMessage::Kill("gone".into()),
            ServerMessage::Pong("1".into()),
        ];
        for message in unknown {
            assert_eq!(channel_text(&message.render()), None, "{message:?}");
        }
        for garbage in ["", "{", "{}", r#"{"type":1}"#, "cursor,", "clipboard_start,x", "clipboard_start,x,y"]
        {
            assert_eq!(channel_text(garbage), None, "{garbage}");
        }
    }
}
