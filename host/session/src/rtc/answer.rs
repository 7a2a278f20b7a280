//! An `RTCConfiguration` with a lifetime, judged: a browser takes all of it or nothing.

use std::{net::Ipv6Addr, sync::Arc, time::Duration};

use serde_json::Value as Json;
use thiserror::Error;

/// Most ICE servers of an answer, and most addresses of one server.
pub const MAX_RTC_SERVERS: usize = 32;
/// Longest username, credential or address, in bytes.
const MAX_TEXT: usize = 1024;
/// Longest lifetime that is believed: a year.
const MAX_LIFETIME_S: u64 = 366 * 86_400;
/// The least number at the front of a username that is taken for seconds since 1970: 2001-09-09.
const FIRST_TIME: u64 = 1_000_000_000;

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
    /// A policy that browsers do not know.
    #[error("RT005 iceTransportPolicy of the answer is neither \"all\" nor \"relay\"")]
    Policy,
    /// A lifetime that says nothing.
    #[error("RT006 lifetimeDuration of the answer is not of the form \"86400s\"")]
    Lifetime,
    /// A TURN server without credentials.
    #[error("RT004 a TURN server in the answer has no username and credential")]
    Login,
}

/// An answer of a source.
#[derive(Clone, PartialEq, Eq)]
pub struct RtcAnswer {
    json: Arc<str>,
    lifetime: Option<Duration>,
    /// When the first of its credentials ends, in seconds since 1970.
    ends: Option<u64>,
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
        let mut servers = match object.get("iceTransportPolicy") {
            None => "all".to_owned(),
            Some(Json::String(policy)) if policy == "all" || policy == "relay" => policy.clone(),
            Some(_) => return Err(RtcAnswerError::Policy),
        };
        let mut ends: Option<u64> = None;
        for server in listed {
            ends = ends.into_iter().chain(end(server)).min();
            for url in urls(server)? {
                servers.push(' ');
                servers.push_str(url);
            }
        }
        let lifetime = object.get("lifetimeDuration").map(lifetime).transpose()?;
        Ok(Self { json: json.to_string().into(), lifetime, ends, servers })
    }

    /// Its JSON, for browsers.
    #[must_use]
    pub fn json(&self) -> &Arc<str> {
        &self.json
    }

    /// How long its credentials are good for, as the source says, at most a year; zero: they are past their end; `None`: nobody
    /// said.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// How long its credentials are good for where the wall clock is at `wall`, the time since 1970: what the source says, and
    /// not longer than the usernames of a TURN REST service tell (`TIME:USER`, draft-uberti-behave-turn-rest-00).
    #[must_use]
    pub fn lifetime_at(&self, wall: Duration) -> Option<Duration> {
        let left = self.ends.map(|ends| Duration::from_secs(ends).saturating_sub(wall));
        self.lifetime.into_iter().chain(left).min()
    }

    /// True when both name the same servers with the same credentials, for whatever time.
    #[must_use]
    pub fn serves_alike(&self, other: &Self) -> bool {
        let servers = |text: &str| {
            let mut json: Json = serde_json::from_str(text).ok()?;
            Some(json.get_mut("iceServers")?.take())
        };
        self.servers == other.servers && servers(&self.json) == servers(&other.json)
    }

    /// The policy and every address, without credentials.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }
}

/// When the credentials of a server end, if its username tells.
fn end(server: &Json) -> Option<u64> {
    let (time, _) = server.get("username")?.as_str()?.split_once(':')?;
    let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    time.parse::<u64>().ok().filter(|seconds| is_number && *seconds >= FIRST_TIME)
}

/// Whole seconds of "86400s"; fractions, which RTC-001 does not know, count down to them.
fn lifetime(json: &Json) -> Result<Duration, RtcAnswerError> {
    let seconds = json.as_str().and_then(|text| text.strip_suffix('s')).ok_or(RtcAnswerError::Lifetime)?;
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(RtcAnswerError::Lifetime);
    }
    // More digits than fit are more than a year, too.
    Ok(Duration::from_secs(whole.parse::<u64>().map_or(MAX_LIFETIME_S, |whole| whole.min(MAX_LIFETIME_S))))
}

/// An address that a browser would take: RFC 7064 and RFC 7065, with a host that is not empty.
fn is_ice(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let relays = scheme.eq_ignore_ascii_case("turn") || scheme.eq_ignore_ascii_case("turns");
    if !relays && !scheme.eq_ignore_ascii_case("stun") && !scheme.eq_ignore_ascii_case("stuns") {
        return false;
    }
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    if !matches!((query, relays), (None, _) | (Some("transport=udp" | "transport=tcp"), true)) {
        return false;
    }
    let (is_host, port) = match place.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
            let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            (!host.is_empty() && host.bytes().all(is_named), port)
        }
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
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
    if !urls.iter().all(|url| url.len() <= MAX_TEXT && is_ice(url)) {
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
    fn answers_are_alike_whatever_their_lifetime() {
        let of = |user: &str, lifetime: u32| {
            let text = format!(
                r#"{{"lifetimeDuration":"{lifetime}s","iceServers":[{{"urls":"turn:a","username":"{user}","credential":"c"}}]}}"#
            );
            RtcAnswer::parse(&text, false).expect("sound")
        };
        assert!(of("u", 60).serves_alike(&of("u", 59)));
        assert!(!of("u", 60).serves_alike(&of("v", 60)));
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
            (r#"{"iceTransportPolicy":"public","iceServers":[{"urls":"stun:a"}]}"#, RtcAnswerError::Policy),
            (r#"{"iceTransportPolicy":null,"iceServers":[{"urls":"stun:a"}]}"#, RtcAnswerError::Policy),
            (r#"{"lifetimeDuration":"soon","iceServers":[{"urls":"stun:a"}]}"#, RtcAnswerError::Lifetime),
            (r#"{"lifetimeDuration":"-1s","iceServers":[{"urls":"stun:a"}]}"#, RtcAnswerError::Lifetime),
            (r#"{"lifetimeDuration":60,"iceServers":[{"urls":"stun:a"}]}"#, RtcAnswerError::Lifetime),
        ] {
            assert_eq!(RtcAnswer::parse(text, false), Err(why), "{text}");
        }
    }

    #[test]
    fn addresses_are_judged_as_browsers_do_it() {
        for url in
            ["stun:a", "STUNS:a.example:1", "turn:[::1]:3478?transport=tcp", "turns:10.0.0.7", "turn:a_b-c"]
        {
            assert!(is_ice(url), "{url}");
        }
        for url in [
            "",
            "stun",
            "stun:",
            "turn::3478",
            "turn:?transport=udp",
            "turn:a:0",
            "turn:a:65536",
            "turn:a:",
            "turn:a:+1",
            "stun:a?transport=udp",
            "turn:a?transport=sctp",
            "turn:a?x=y",
            "turn://a",
            "turn:a/b",
            "turn:u@a",
            "turn:[::1",
            "turn:[a]",
            "turn:[::1]1",
            "turn:2001:db8::1",
            "turn:a b",
        ] {
            assert!(!is_ice(url), "{url}");
        }
    }

    #[test]
    fn credentials_that_tell_their_end_are_not_believed_beyond_it() {
        let left = |username: &str, lifetime: &str| {
            let text = format!(
                r#"{{{lifetime}"iceServers":[{{"urls":"stun:a"}},{{"urls":"turn:a","username":"{username}","credential":"c"}}]}}"#
            );
            let answer = RtcAnswer::parse(&text, false).expect("sound");
            answer.lifetime_at(Duration::from_secs(1_800_000_000)).map(|left| left.as_secs())
        };
        let day = r#""lifetimeDuration":"86400s","#;
        assert_eq!(left("1800000600:u", day), Some(600));
        assert_eq!(left("1800000600:u", ""), Some(600));
        assert_eq!(left("1700000000:u", day), Some(0));
        assert_eq!(left("1900000000:u", day), Some(86_400));
        assert_eq!(left("u", ""), None);
        for name in ["u", "7:u", "1800000600", "x:1800000600", "+1800000600:u"] {
            assert_eq!(left(name, day), Some(86_400), "{name}");
        }
    }

    #[test]
    fn lifetimes_are_believed_within_reason() {
        let of = |lifetime: &str| {
            let text = format!(r#"{{"lifetimeDuration":"{lifetime}","iceServers":[{{"urls":"stun:a"}}]}}"#);
            RtcAnswer::parse(&text, false).map(|answer| answer.lifetime().map(|lifetime| lifetime.as_secs()))
        };
        assert_eq!(of("60.9s"), Ok(Some(60)));
        assert_eq!(of("0s"), Ok(Some(0)));
        assert_eq!(of("99999999999s"), Ok(Some(MAX_LIFETIME_S)));
        assert_eq!(of("99999999999999999999999999s"), Ok(Some(MAX_LIFETIME_S)));
        assert_eq!(of("s"), Err(RtcAnswerError::Lifetime));
        assert_eq!(of("1e9s"), Err(RtcAnswerError::Lifetime));
    }
}
