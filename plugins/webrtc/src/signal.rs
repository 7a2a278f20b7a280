//! Signaling messages, Selkies' own form: `{"sdp": {"type", "sdp"}}` and `{"ice": {"candidate", "sdpMLineIndex"}}`.

use selkies_plugin_sdk::{Error, Result};
use serde::Deserialize;
use serde_json::json;

/// Longest message in bytes.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// What a client, or the host for it, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The answer to the offer, as SDP.
    Answer(String),
    /// A candidate, not judged yet.
    Candidate { line: u32, text: String },
    /// No more candidates follow.
    EndOfCandidates,
    /// A new connection is wanted: this one does not work any more.
    Restart,
}

#[derive(Deserialize)]
struct Raw {
    sdp: Option<RawSdp>,
    #[serde(default, deserialize_with = "present")]
    ice: Option<Option<RawIce>>,
    #[serde(default)]
    restart: bool,
}

#[derive(Deserialize)]
struct RawSdp {
    r#type: String,
    sdp: String,
}

#[derive(Deserialize)]
struct RawIce {
    #[serde(default)]
    candidate: Option<String>,
    #[serde(default, rename = "sdpMLineIndex")]
    line: Option<u32>,
}

/// Tells `"ice": null` from no `ice` at all.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<RawIce>>, D::Error> {
    Option::<RawIce>::deserialize(from).map(Some)
}

impl Signal {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is too long, or not one of those that a server gets.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        if json.len() > MAX_MESSAGE {
            return Err(Error::invalid(format!(
                "webrtc-signal: {} bytes, at most {MAX_MESSAGE} are taken",
                json.len()
            )));
        }
        let raw: Raw = serde_json::from_str(json).map_err(|error| {
            Error::invalid(format!("webrtc-signal: this is no signaling message: {error}"))
        })?;
        match raw {
            Raw { sdp: Some(RawSdp { r#type, sdp }), .. } if r#type == "answer" => Ok(Self::Answer(sdp)),
            Raw { sdp: Some(RawSdp { r#type, .. }), .. } => Err(Error::invalid(format!(
                "webrtc-signal: an SDP of type {:.20?}; the server offers, so that only an `answer` is taken",
                r#type
            ))),
            Raw { ice: Some(ice), .. } => Ok(match ice {
                Some(RawIce { candidate: Some(text), line }) if !text.is_empty() => {
                    Self::Candidate { line: line.unwrap_or(0), text }
                }
                _ => Self::EndOfCandidates,
            }),
            Raw { restart: true, .. } => Ok(Self::Restart),
            _ => Err(Error::invalid("webrtc-signal: neither `sdp` nor `ice` nor `restart`")),
        }
    }
}

/// The message with an offer.
pub(crate) fn offer(sdp: &str) -> String {
    json!({ "sdp": { "type": "offer", "sdp": sdp } }).to_string()
}

/// The message with a candidate of this side.
pub(crate) fn candidate(line: u32, text: &str) -> String {
    json!({ "ice": { "candidate": text, "sdpMLineIndex": line } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_clients_are_understood() {
        let parse = |json| Signal::parse(json).expect(json);
        assert_eq!(parse(r#"{"sdp": {"type": "answer", "sdp": "v=0"}}"#), Signal::Answer("v=0".to_owned()));
        assert_eq!(
            parse(
                r#"{"ice": {"candidate": "candidate:1", "sdpMLineIndex": 2, "sdpMid": "video0", "usernameFragment": "x"}}"#
            ),
            Signal::Candidate { line: 2, text: "candidate:1".to_owned() }
        );
        for end in [
            r#"{"ice": null}"#,
            r#"{"ice": {"candidate": "", "sdpMid": "0"}}"#,
            r#"{"ice": {"candidate": null}}"#,
        ] {
            assert_eq!(parse(end), Signal::EndOfCandidates);
        }
        assert_eq!(parse(r#"{"restart": true}"#), Signal::Restart);
    }

    #[test]
    fn others_are_refused_in_class_retry() {
        let long = format!(r#"{{"sdp": {{"type": "answer", "sdp": "{}"}}}}"#, "x".repeat(MAX_MESSAGE));
        let deep = "[".repeat(60_000);
        for json in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"restart": false}"#,
            r#"{"sdp": {"type": "offer", "sdp": "v=0"}}"#,
            r#"{"sdp": {"type": "pranswer", "sdp": "v=0"}}"#,
            r#"{"ice": {"candidate": "x", "sdpMLineIndex": -1}}"#,
            long.as_str(),
            deep.as_str(),
        ] {
            let error = Signal::parse(json).expect_err("it is refused");
            assert_eq!(
                selkies_plugin_sdk::abi::class_of(error.status()),
                selkies_plugin_sdk::abi::CLASS_RETRY
            );
            assert!(error.text().len() < 300);
        }
    }

    #[test]
    fn messages_to_clients_are_json() {
        assert_eq!(offer("v=0\r\n"), r#"{"sdp":{"type":"offer","sdp":"v=0\r\n"}}"#);
        assert_eq!(candidate(0, "candidate:1"), r#"{"ice":{"candidate":"candidate:1","sdpMLineIndex":0}}"#);
    }
}
