//! An `RTCConfiguration` with a lifetime, judged: a browser takes all of it or nothing.

use std::{sync::Arc, time::Duration};

use serde_json::Value as Json;
use thiserror::Error;

/// Most ICE servers of an answer, and most addresses of one server.
pub const MAX_RTC_SERVERS: usize = 32;
/// Longest username, credential or address, in bytes.
const MAX_TEXT: usize = 1024;

/// Why a source's text is not used. It holds credentials, so nothing of it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcAnswerError {
    /// No JSON object with `iceServers`.
    #[error("RT001 the answer is no JSON object with a list `iceServers`")]
    Form,
    /// No server, or more than there may be.
    #[error("RT002 the answer names no server, or more than 32, or more than 32 addresses of one")]
    Count,
    /// An address that is none of an ICE server.
    #[error("RT003 an address in the answer is not one of stun:, stuns:, turn: or turns:")]
    Address,
    /// A TURN server without credentials.
    #[error("RT004 a TURN server in the answer has no username and credential")]
    Login,
}

/// An answer of a source.
#[derive(Clone, PartialEq, Eq)]
pub struct RtcAnswer {
    json: Arc<str>,
    lifetime: Option<Duration>,
    /// Policy and addresses: what differs between answers that are not only newer.
    servers: String,
}

impl std::fmt::Debug for RtcAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RtcAnswer");
        shown.field("servers", &self.servers).field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl RtcAnswer {
    /// Judges a text. `force_relay` makes browsers use nothing but TURN servers.
    ///
    /// # Errors
    /// [`RtcAnswerError`].
    pub fn parse(text: &str, force_relay: bool) -> Result<Self, RtcAnswerError> {
        let mut json: Json = serde_json::from_str(text).map_err(|_| RtcAnswerError::Form)?;
        let object = json.as_object_mut().ok_or(RtcAnswerError::Form)?;
        if force_relay {
            object.insert("iceTransportPolicy".into(), "relay".into());
        }
        let listed = object.get("iceServers").and_then(Json::as_array).ok_or(RtcAnswerError::Form)?;
        if !(1..=MAX_RTC_SERVERS).contains(&listed.len()) {
            return Err(RtcAnswerError::Count);
        }
        let mut servers = object.get("iceTransportPolicy").and_then(Json::as_str).unwrap_or("all").to_owned();
        for server in listed {
            for url in urls(server)? {
                servers.push(' ');
                servers.push_str(url);
            }
        }
        let lifetime = object.get("lifetimeDuration").and_then(Json::as_str);
        let lifetime = lifetime.and_then(|text| text.strip_suffix('s')?.parse().ok());
        let lifetime = lifetime.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        Ok(Self { json: json.to_string().into(), lifetime, servers })
    }

    /// Its JSON, for browsers.
    #[must_use]
    pub fn json(&self) -> &Arc<str> {
        &self.json
    }

    /// How long its credentials are good for; `None`: nobody said.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// The policy and every address, without credentials.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }
}

/// The addresses of a server that a browser would take.
fn urls(server: &Json) -> Result<Vec<&str>, RtcAnswerError> {
    let urls: Vec<&str> = match server.get("urls") {
        Some(Json::String(url)) => vec![url],
        Some(Json::Array(urls)) => urls.iter().map(|url| url.as_str().unwrap_or_default()).collect(),
        _ => return Err(RtcAnswerError::Address),
    };
    if !(1..=MAX_RTC_SERVERS).contains(&urls.len()) {
        return Err(RtcAnswerError::Count);
    }
    let scheme = |url: &str, name: &str| {
        let head = url.split_once(':').map_or("", |(scheme, _)| scheme);
        head.eq_ignore_ascii_case(name)
    };
    let is_sound = |url: &&str| url.len() <= MAX_TEXT && !url.contains(|c: char| c.is_control() || c == ' ');
    let is_ice = |url: &&str| ["stun", "stuns", "turn", "turns"].iter().any(|name| scheme(url, name));
    if !urls.iter().all(|url| is_sound(url) && is_ice(url)) {
        return Err(RtcAnswerError::Address);
    }
    let text = |name| server.get(name).and_then(Json::as_str).is_some_and(|text| text.len() <= MAX_TEXT);
    let relays = urls.iter().any(|url| scheme(url, "turn") || scheme(url, "turns"));
    if relays && !(text("username") && text("credential")) {
        return Err(RtcAnswerError::Login);
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_answer_is_taken_with_its_lifetime() {
        let text = r#"{"lifetimeDuration":"60s","iceServers":[{"urls":"stun:a"},{"urls":["TURN:b"],"username":"u","credential":"c"}]}"#;
        let answer = RtcAnswer::parse(text, false).expect("sound");
        assert_eq!(answer.lifetime(), Some(Duration::from_secs(60)));
        assert_eq!((&**answer.json(), answer.servers()), (text, "all stun:a TURN:b"));
        let relayed = RtcAnswer::parse(text, true).expect("sound");
        assert!(
            relayed.json().contains(r#""iceTransportPolicy":"relay""#)
                && relayed.servers().starts_with("relay")
        );
        assert!(!format!("{answer:?}").contains("credential"));
    }

    #[test]
    fn what_a_browser_would_refuse_is_refused_here() {
        let many = format!(r#"{{"iceServers":[{}]}}"#, [r#"{"urls":"stun:a"}"#; 33].join(","));
        for (text, why) in [
            ("x", RtcAnswerError::Form),
            ("[]", RtcAnswerError::Form),
            (r#"{"iceServers":{}}"#, RtcAnswerError::Form),
            (r#"{"iceServers":[]}"#, RtcAnswerError::Count),
            (many.as_str(), RtcAnswerError::Count),
            (r#"{"iceServers":[{"urls":[]}]}"#, RtcAnswerError::Count),
            (r#"{"iceServers":[7]}"#, RtcAnswerError::Address),
            (r#"{"iceServers":[{"urls":"http://a"}]}"#, RtcAnswerError::Address),
            (r#"{"iceServers":[{"urls":"stun:a\nb"}]}"#, RtcAnswerError::Address),
            (r#"{"iceServers":[{"urls":["stun:a",7]}]}"#, RtcAnswerError::Address),
            (r#"{"iceServers":[{"urls":"turns:a","username":"u"}]}"#, RtcAnswerError::Login),
        ] {
            assert_eq!(RtcAnswer::parse(text, false), Err(why), "{text}");
        }
    }
}
