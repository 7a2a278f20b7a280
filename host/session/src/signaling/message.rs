//! What a page says to the host's end of the connection.

use serde_json::{Map, Value, json};

/// What asks the transport for another connection to the page.
pub const RESTART: &str = r#"{"restart":true}"#;
/// Longest message of a page, bytes; nearly all of it is a session description.
pub const MAX_SDP_BYTES: usize = 64 * 1024;
/// Candidates that one page may name until its connection is made anew.
pub const MAX_CANDIDATES: u32 = 200;
/// Longest candidate, bytes; one line of a session description.
const MAX_CANDIDATE_BYTES: usize = 1024;
/// Highest number of a media section.
const MAX_SECTION: u64 = 64;
/// Longest name of a media section, bytes.
const MAX_SECTION_NAME: usize = 64;

/// A message of a page, read and made anew from what is known of it: nothing else reaches the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage {
    /// The answer to the host's offer.
    Answer {
        /// `{"sdp":{"type":"answer","sdp":…}}`.
        json: String,
    },
    /// One address at which the page may be reached.
    Candidate {
        /// `{"ice":{"candidate":…,"sdpMLineIndex":…}}`.
        json: String,
    },
    /// There are no more candidates.
    LastCandidate,
    /// The page asks for a new connection: `{"restart":true}`, of this host's own pages.
    Restart,
}

/// Why a message of a page is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerMessageError {
    /// Not an object with one of the members known here.
    #[error("the message is neither an answer nor a candidate")]
    Unknown,
    /// A description that is no answer: the host offers.
    #[error("only answers are taken: this host offers")]
    NoAnswer,
    /// Longer than [`MAX_SDP_BYTES`].
    #[error("the message is longer than 64 KiB")]
    TooLong,
    /// A candidate that is no line of text, or names no media section.
    #[error("the candidate is malformed")]
    Candidate,
}

impl PeerMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// [`PeerMessageError`] for what is not passed on.
    pub fn parse(text: &str) -> Result<Self, PeerMessageError> {
        if text.len() > MAX_SDP_BYTES {
            return Err(PeerMessageError::TooLong);
        }
        let message: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| PeerMessageError::Unknown)?;
        if let Some(description) = message.get("sdp") {
            return answer(description);
        }
        if let Some(candidate) = message.get("ice") {
            return read_candidate(candidate);
        }
        match message.get("restart") {
            Some(Value::Bool(true)) => Ok(Self::Restart),
            _ => Err(PeerMessageError::Unknown),
        }
    }
}

fn answer(description: &Value) -> Result<PeerMessage, PeerMessageError> {
    let text = |name: &str| description.get(name).and_then(Value::as_str);
    let (Some("answer"), Some(sdp)) = (text("type"), text("sdp")) else {
        return Err(PeerMessageError::NoAnswer);
    };
    if sdp.contains('\0') {
        return Err(PeerMessageError::NoAnswer);
    }
    Ok(PeerMessage::Answer { json: json!({ "sdp": { "type": "answer", "sdp": sdp } }).to_string() })
}

fn read_candidate(value: &Value) -> Result<PeerMessage, PeerMessageError> {
    if value.is_null() {
        return Ok(PeerMessage::LastCandidate);
    }
    let candidate = value.get("candidate").and_then(Value::as_str).ok_or(PeerMessageError::Candidate)?;
    if candidate.is_empty() {
        return Ok(PeerMessage::LastCandidate);
    }
    if candidate.len() > MAX_CANDIDATE_BYTES || candidate.chars().any(char::is_control) {
        return Err(PeerMessageError::Candidate);
    }
    let given = |name: &str| value.get(name).filter(|value| !value.is_null());
    let name = given("sdpMid").map(|name| name.as_str().filter(|name| is_section_name(name)));
    let name = match name {
        Some(None) => return Err(PeerMessageError::Candidate),
        name => name.flatten(),
    };
    let section = match given("sdpMLineIndex") {
        Some(index) => index.as_u64(),
        // Sections are named by their numbers, by this host and by most others.
        None => name.and_then(|name| name.parse().ok()),
    };
    let section = section.filter(|section| *section <= MAX_SECTION).ok_or(PeerMessageError::Candidate)?;
    let mut ice = json!({ "candidate": candidate, "sdpMLineIndex": section });
    if let Some(name) = name {
        ice["sdpMid"] = name.into();
    }
    Ok(PeerMessage::Candidate { json: json!({ "ice": ice }).to_string() })
}

fn is_section_name(name: &str) -> bool {
    (1..=MAX_SECTION_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}
