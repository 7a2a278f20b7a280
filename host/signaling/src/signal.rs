//! What the event `signal` carries: `{"type": "offer" | "answer" | "ice-candidate", "data": {...}}`.
//!
//! Judged is what is there and not what is missing: applications put fields of their own beside those named here, or send
//! an empty `data` to announce themselves, and a relay passes both on.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest text in `data`, in bytes: a session description.
pub const MAX_TEXT: usize = 1024 * 1024;
/// How deep arrays and objects may lie in each other: what receivers parse must not exhaust their stack.
pub const MAX_DEPTH: usize = 32;
/// How much of a wrong type is repeated, in characters.
const SHOWN: usize = 32;

/// One message that was found good. It borrows from the text it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal<'a> {
    /// The value of `data`.
    pub data: SignalData<'a>,
    /// The whole message as it was sent.
    pub raw: &'a str,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalData<'a> {
    /// A session description that begins a negotiation; `None`: `data` has no `sdp`.
    Offer(Option<Cow<'a, str>>),
    /// A session description that ends a negotiation.
    Answer(Option<Cow<'a, str>>),
    /// A way on which the sender may be reached.
    Candidate {
        /// `candidate:...` (RFC 8839), empty at the end of candidates; `None`: `data` has none.
        candidate: Option<Cow<'a, str>>,
        /// The media description's identification tag.
        mid: Option<Cow<'a, str>>,
        /// The media description's number.
        line: Option<u16>,
    },
}

/// Why a message was not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The type is missing or none of the three.
    #[error("type is {found}; send \"offer\", \"answer\" or \"ice-candidate\"")]
    Type {
        /// What it was, shortened and escaped.
        found: String,
    },
    /// It is no object, `data` is none, or the same field stands twice.
    #[error("{what}; send {{\"type\": ..., \"data\": {{...}}}}")]
    Shape {
        /// What is wrong.
        what: &'static str,
    },
    /// A field of `data` has a wrong type or size.
    #[error("data does not fit the type {kind}; send {allowed}")]
    Data {
        /// The message's type.
        kind: &'static str,
        /// What to send.
        allowed: &'static str,
    },
    /// Arrays and objects lie too deep in each other.
    #[error("nested deeper than {MAX_DEPTH} levels; send flatter data")]
    Depth,
    /// The event has another name.
    #[error("event {found} is not known; send \"signal\"")]
    Event {
        /// Its name, shortened and escaped.
        found: String,
    },
    /// Bytes instead of text.
    #[error("binary data is not relayed; send JSON")]
    Binary,
}

impl Rejection {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Type { .. } => "SO001",
            Self::Shape { .. } => "SO002",
            Self::Data { .. } => "SO003",
            Self::Depth => "SO004",
            Self::Event { .. } => "SO005",
            Self::Binary => "SO006",
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    sdp: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

// Names of the W3C's RTCIceCandidateInit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    candidate: Option<Text<'a>>,
    #[serde(borrow)]
    sdp_mid: Option<Text<'a>>,
    #[serde(rename = "sdpMLineIndex")]
    sdp_m_line_index: Option<u16>,
}

impl<'a> Signal<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Rejection`] when it may not be passed on.
    pub fn read(message: &'a RawValue) -> Result<Self, Rejection> {
        let raw = message.get();
        if depth(raw) > MAX_DEPTH {
            return Err(Rejection::Depth);
        }
        if !is_object(raw) {
            return Err(Rejection::Shape { what: "the message is no object" });
        }
        let Message { kind, data } = serde_json::from_str(raw)
            .map_err(|_| Rejection::Shape { what: "the message has a field twice" })?;
        let named: Option<Text<'_>> = kind.and_then(|kind| serde_json::from_str(kind.get()).ok());
        let named = named.as_ref().map(|Text(name)| name.as_ref());
        let Some(kind) = ["offer", "answer", "ice-candidate"].into_iter().find(|kind| named == Some(*kind))
        else {
            return Err(Rejection::Type {
                found: kind.map_or("missing".to_owned(), |kind| shown(kind.get())),
            });
        };
        let Some(data) = data.map(RawValue::get).filter(|data| is_object(data)) else {
            return Err(Rejection::Shape { what: "data is no object" });
        };
        let data = match kind {
            "ice-candidate" => candidate(data).ok_or(Rejection::Data {
                kind,
                allowed: "candidate and sdpMid as texts, sdpMLineIndex as a number below 65536",
            })?,
            _ => {
                let wrong = Rejection::Data {
                    kind,
                    allowed: "sdp as a text of at most 1 MiB, type as the message's",
                };
                let sdp = description(data, kind).ok_or(wrong)?;
                if kind == "offer" { SignalData::Offer(sdp) } else { SignalData::Answer(sdp) }
            }
        };
        Ok(Self { data, raw })
    }

    /// The message's type, as on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.data {
            SignalData::Offer(_) => "offer",
            SignalData::Answer(_) => "answer",
            SignalData::Candidate { .. } => "ice-candidate",
        }
    }
}

/// `None` when a field is wrong, `Some(None)` when there is no description.
fn description<'a>(data: &'a str, kind: &str) -> Option<Option<Cow<'a, str>>> {
    let found: Description<'a> = serde_json::from_str(data).ok()?;
    let sdp = found.sdp.map(|Text(sdp)| sdp);
    let fits = found.kind.is_none_or(|Text(named)| named == kind);
    (fits && sdp.as_ref().is_none_or(|sdp| sdp.len() <= MAX_TEXT)).then_some(sdp)
}

fn candidate(data: &str) -> Option<SignalData<'_>> {
    let found: Candidate<'_> = serde_json::from_str(data).ok()?;
    let (candidate, mid) = (found.candidate.map(|Text(text)| text), found.sdp_mid.map(|Text(text)| text));
    let fits = |text: &Option<Cow<'_, str>>| text.as_ref().is_none_or(|text| text.len() <= MAX_TEXT);
    (fits(&candidate) && fits(&mid)).then_some(SignalData::Candidate {
        candidate,
        mid,
        line: found.sdp_m_line_index,
    })
}

/// serde would take an array for a struct, too.
fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}

/// A text of strangers, for logs and answers.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (place, character) in text.chars().enumerate() {
        if place == SHOWN {
            shown.push('…');
            break;
        }
        shown.extend(character.escape_debug());
    }
    shown
}

/// How deep arrays and objects lie in each other, in valid JSON.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(json: &str) -> Result<String, Rejection> {
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        Signal::read(raw).map(|signal| format!("{} {:?}", signal.kind(), signal.data))
    }

    #[test]
    fn the_three_types_are_read() {
        assert_eq!(
            judged(r#"{"type":"offer","data":{"sdp":"v=0\r\n","type":"offer"}}"#),
            Ok(r#"offer Offer(Some("v=0\r\n"))"#.into())
        );
        assert_eq!(
            judged(r#"{"data":{"type":"answer","sdp":"v=0"},"type":"answer"}"#),
            Ok(r#"answer Answer(Some("v=0"))"#.into())
        );
        assert_eq!(
            judged(r#"{"type":"ice-candidate","data":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}}"#),
            Ok(r#"ice-candidate Candidate { candidate: Some("c"), mid: Some("0"), line: Some(0) }"#.into())
        );
    }

    #[test]
    fn what_applications_add_or_leave_out_passes() {
        assert_eq!(judged(r#"{"type":"offer","data":{}}"#), Ok("offer Offer(None)".into()));
        assert!(judged(r#"{"type":"offer","data":{"sdp":"v","x":[1]},"to":"gcom"}"#).is_ok());
        let browser = r#"{"type":"ice-candidate","data":{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":"u"}}"#;
        assert!(judged(browser).is_ok());
    }

    #[test]
    fn other_types_are_named_in_the_answer() {
        let found = |json| match judged(json) {
            Err(Rejection::Type { found }) => found,
            other => panic!("{json}: {other:?}"),
        };
        assert_eq!(found(r#"{"type":"bye","data":{}}"#), r#"\"bye\""#);
        assert_eq!(found(r#"{"data":{}}"#), "missing");
        assert_eq!(found(r#"{"type":7,"data":{}}"#), "7");
        assert_eq!(found(r#"{"type":"OFFER","data":{}}"#), r#"\"OFFER\""#);
        assert!(found(&format!(r#"{{"type":"{}","data":{{}}}}"#, "\\n".repeat(9000))).len() < 200);
    }

    #[test]
    fn data_must_have_its_types_form() {
        for wrong in ["[]", "7", "null", r#"["offer",{}]"#] {
            assert_eq!(judged(wrong), Err(Rejection::Shape { what: "the message is no object" }), "{wrong}");
        }
        for wrong in
            [r#"{"type":"offer"}"#, r#"{"type":"offer","data":[]}"#, r#"{"type":"offer","data":"v=0"}"#]
        {
            assert_eq!(judged(wrong), Err(Rejection::Shape { what: "data is no object" }), "{wrong}");
        }
        assert!(matches!(
            judged(r#"{"type":"offer","type":"answer","data":{}}"#),
            Err(Rejection::Shape { .. })
        ));
        for wrong in [
            r#"{"type":"offer","data":{"sdp":1}}"#,
            r#"{"type":"offer","data":{"sdp":"v","type":"answer"}}"#,
            r#"{"type":"answer","data":{"sdp":"v","sdp":"w"}}"#,
            r#"{"type":"answer","data":{"sdp":"\ud800"}}"#,
            r#"{"type":"ice-candidate","data":{"candidate":{}}}"#,
            r#"{"type":"ice-candidate","data":{"sdpMLineIndex":-1}}"#,
            r#"{"type":"ice-candidate","data":{"sdpMLineIndex":65536}}"#,
            r#"{"type":"ice-candidate","data":{"sdpMLineIndex":"0"}}"#,
        ] {
            assert!(matches!(judged(wrong), Err(Rejection::Data { .. })), "{wrong}: {:?}", judged(wrong));
        }
    }

    #[test]
    fn sizes_are_limited() {
        let offer = |length| format!(r#"{{"type":"offer","data":{{"sdp":"{}"}}}}"#, "x".repeat(length));
        assert!(judged(&offer(MAX_TEXT)).is_ok());
        assert!(matches!(judged(&offer(MAX_TEXT + 1)), Err(Rejection::Data { .. })));
        let nested = |levels| {
            let levels: usize = levels;
            format!(r#"{{"type":"offer","data":{{"x":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert!(judged(&nested(MAX_DEPTH - 2)).is_ok());
        assert_eq!(judged(&nested(MAX_DEPTH - 1)), Err(Rejection::Depth));
        assert_eq!(judged(&nested(100_000)), Err(Rejection::Depth));
        assert_eq!(depth(r#"{"a":"[[[\"[","b":[]}"#), 2);
    }
}
