//! Reads what others call an RTC configuration.
//!
//! Around in the world are the W3C object (`iceServers`; also in lower case, and with a single server that is no list),
//! and the object of draft-uberti-behave-turn-rest-00 (`username`, `password`, `ttl`, `uris`). Both are read; whatever a
//! browser would refuse is left out, since one wrong address makes it refuse the whole.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::{
    answer::{Answer, IceServer, MAX_SERVERS, MAX_URLS, Policy},
    credential::{DEFAULT_TTL, expires, unix_now},
    url::IceUrl,
};

/// Longest username or credential, in bytes (RFC 8489, section 14.3, has room for less).
const MAX_LOGIN_BYTES: usize = 1024;
/// Longest lifetime that is believed: a year.
const MAX_LIFETIME_S: u64 = 366 * 86_400;

/// Why a text is no RTC configuration. Credentials are never quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// No JSON object.
    #[error("no JSON object")]
    NotAnObject,
    /// Neither of the keys that name servers.
    #[error("neither iceServers nor uris")]
    NoServers,
    /// Servers were named, none of which can be used.
    #[error("no server with a usable address, and credentials where it is a TURN server")]
    NoneUsable,
    /// Too many.
    #[error("more than 16 servers, or more than 16 addresses of one")]
    TooMany,
}

impl Answer {
    /// Reads the JSON of somebody else, who has just said it.
    ///
    /// # Errors
    /// When it names no server that can be used, or too many.
    pub fn parse(text: &str) -> Result<Self, AnswerError> {
        Self::parse_aged(text, Duration::ZERO, unix_now())
    }

    /// Reads the JSON of somebody else, who said it `age` ago; `now` is in seconds since 1970. The lifetime is what is left of
    /// the one that it claims, and not longer than the credentials whose end their username tells; 0 where that is past.
    ///
    /// # Errors
    /// As [`Answer::parse`].
    pub fn parse_aged(text: &str, age: Duration, now: u64) -> Result<Self, AnswerError> {
        let Ok(Json::Object(object)) = serde_json::from_str(text) else {
            return Err(AnswerError::NotAnObject);
        };
        let listed = member(&object, &["iceServers", "iceservers"]);
        let mut servers = Vec::new();
        match listed {
            Some(Json::Array(list)) if list.len() > MAX_SERVERS => return Err(AnswerError::TooMany),
            Some(Json::Array(list)) => {
                for server in list.iter().filter_map(Json::as_object) {
                    add(&mut servers, server)?;
                }
            }
            Some(Json::Object(server)) => add(&mut servers, server)?,
            _ if object.contains_key("uris") => add(&mut servers, &object)?,
            _ => return Err(AnswerError::NoServers),
        }
        if servers.is_empty() {
            return Err(AnswerError::NoneUsable);
        }
        let policy = match object.get("iceTransportPolicy").and_then(Json::as_str) {
            Some("relay") => Policy::Relay,
            _ => Policy::All,
        };
        let logins = servers.iter().filter_map(|server: &IceServer| server.login.as_ref());
        let ends = logins.filter_map(|(username, _)| expires(username)).min();
        let left = ends.map_or(u64::MAX, |ends| ends.saturating_sub(now));
        // Who claims nothing says nothing of an end either: the host is to look again after a while.
        let claimed = lifetime(&object).map_or(DEFAULT_TTL, |claimed| claimed.saturating_sub(age.as_secs()));
        Ok(Self { lifetime_s: claimed.min(left), policy, servers })
    }
}

fn member<'a>(object: &'a Map<String, Json>, names: &[&str]) -> Option<&'a Json> {
    names.iter().find_map(|name| object.get(*name))
}

/// Seconds of `lifetimeDuration` ("86400s") or `ttl`, if it says so.
fn lifetime(object: &Map<String, Json>) -> Option<u64> {
    let duration = object.get("lifetimeDuration").and_then(Json::as_str);
    let duration = duration.and_then(|text| text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok());
    let ttl = || match object.get("ttl")? {
        Json::String(text) => text.parse::<f64>().ok(),
        number => number.as_f64(),
    };
    let seconds = duration.or_else(ttl).filter(|seconds| *seconds >= 1.0);
    // The cast saturates.
    seconds.map(|seconds| (seconds as u64).min(MAX_LIFETIME_S))
}

/// Adds what of a server can be used: its STUN addresses, and its TURN addresses if it has credentials.
fn add(servers: &mut Vec<IceServer>, server: &Map<String, Json>) -> Result<(), AnswerError> {
    let urls = match member(server, &["urls", "uris", "url"]) {
        Some(Json::Array(list)) if list.len() > MAX_URLS => return Err(AnswerError::TooMany),
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
        Some(Json::String(url)) => vec![url.as_str()],
        _ => Vec::new(),
    };
    let usable = urls.into_iter().filter_map(|url| url.parse::<IceUrl>().ok());
    let (turn, stun): (Vec<IceUrl>, Vec<IceUrl>) = usable.partition(IceUrl::relays);
    let text = |names: &[&str]| {
        let text = member(server, names)?.as_str()?;
        let fits = !text.is_empty() && text.len() <= MAX_LOGIN_BYTES && !text.contains(char::is_control);
        fits.then(|| text.to_owned())
    };
    let login = text(&["username"]).zip(text(&["credential", "password"]));
    let shown = |urls: Vec<IceUrl>| urls.iter().map(IceUrl::to_string).collect::<Vec<_>>();
    if !stun.is_empty() {
        servers.push(IceServer { urls: shown(stun), login: None });
    }
    if login.is_some() && !turn.is_empty() {
        servers.push(IceServer { urls: shown(turn), login });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, AnswerError> {
        Answer::parse(text).map(|answer| answer.to_json())
    }

    #[test]
    fn every_form_becomes_the_one_of_browsers() {
        let turn = concat!(
            r#"{"lifetimeDuration":"600s","blockStatus":"NOT_BLOCKED","iceTransportPolicy":"all","iceServers":["#,
            r#"{"urls":["turn:a:3478?transport=udp"],"username":"u","credential":"c"}]}"#
        );
        for text in [
            r#"{"lifetimeDuration":"600s","iceServers":[{"urls":["turn:a:3478?transport=udp"],"username":"u","credential":"c"}]}"#,
            r#"{"ttl":600,"iceservers":[{"urls":"turn:a?transport=udp","username":"u","password":"c"}]}"#,
            r#"{"ttl":"600","iceServers":{"urls":["turn:a?transport=udp"],"username":"u","credential":"c"}}"#,
            r#"{"username":"u","password":"c","ttl":600,"uris":["turn:a:3478?transport=udp"]}"#,
        ] {
            assert_eq!(json(text).as_deref(), Ok(turn), "{text}");
        }
        let mixed =
            r#"{"username":"u","password":"c","uris":["stun:a","turn:a"],"iceTransportPolicy":"relay"}"#;
        let mixed = Answer::parse(mixed).expect("both");
        assert_eq!((mixed.lifetime_s, mixed.policy), (DEFAULT_TTL, Policy::Relay));
        assert_eq!(mixed.servers[0], IceServer { urls: vec!["stun:a:3478".into()], login: None });
        assert_eq!(mixed.servers[1].urls, ["turn:a:3478"]);
    }

    #[test]
    fn what_a_browser_would_refuse_does_not_get_there() {
        for (text, why) in [
            ("", AnswerError::NotAnObject),
            ("[]", AnswerError::NotAnObject),
            ("{}", AnswerError::NoServers),
            (r#"{"iceServers":7}"#, AnswerError::NoServers),
            (r#"{"iceServers":[]}"#, AnswerError::NoneUsable),
            (r#"{"iceServers":[{"urls":"turn:a"}]}"#, AnswerError::NoneUsable),
            (
                r#"{"iceServers":[{"urls":"turn:a","username":"u\nx","credential":"c"}]}"#,
                AnswerError::NoneUsable,
            ),
            (r#"{"iceServers":[{"urls":"javascript:a"}]}"#, AnswerError::NoneUsable),
            (r#"{"iceServers":[7,"x",null]}"#, AnswerError::NoneUsable),
        ] {
            assert_eq!(json(text), Err(why), "{text}");
        }
        let many = format!(r#"{{"iceServers":[{}]}}"#, vec![r#"{"urls":"stun:a"}"#; 17].join(","));
        assert_eq!(json(&many), Err(AnswerError::TooMany));
        let urls = format!(r#"{{"uris":[{}]}}"#, vec![r#""stun:a""#; 17].join(","));
        assert_eq!(json(&urls), Err(AnswerError::TooMany));
        assert_eq!(json(&"[".repeat(100_000)), Err(AnswerError::NotAnObject), "and no stack is used up");
    }

    #[test]
    fn lifetimes_are_believed_within_reason() {
        let of = |text: &str| Answer::parse(text).map(|answer| answer.lifetime_s);
        let with = |member: &str| of(&format!(r#"{{"uris":"stun:a",{member}}}"#));
        assert_eq!(with(r#""lifetimeDuration":"60.9s""#), Ok(60));
        assert_eq!(with(r#""lifetimeDuration":"soon""#), Ok(DEFAULT_TTL));
        assert_eq!(with(r#""ttl":-5"#), Ok(DEFAULT_TTL));
        assert_eq!(with(r#""ttl":1e300"#), Ok(MAX_LIFETIME_S));
        assert_eq!(with(r#""ttl":0.5"#), Ok(DEFAULT_TTL));
    }

    #[test]
    fn nothing_is_good_for_longer_than_its_credentials() {
        const NOW: u64 = 1_800_000_000;
        let left = |username: &str, more: &str, age: u64| {
            let text = format!(r#"{{"uris":"turn:a","username":"{username}","password":"p"{more}}}"#);
            Answer::parse_aged(&text, Duration::from_secs(age), NOW).map(|answer| answer.lifetime_s)
        };
        assert_eq!(left("1800000600:u", r#","ttl":86400"#, 0), Ok(600), "a cache gave it late");
        assert_eq!(left("1800000600:u", r#","ttl":60"#, 0), Ok(60));
        assert_eq!(left("1800000600:u", "", 0), Ok(600));
        assert_eq!(left("1799999999:u", r#","ttl":86400"#, 0), Ok(0), "it is over");
        for unending in ["u", "7:u", "1800000600", "1800000600u", "x:1800000600"] {
            assert_eq!(left(unending, r#","ttl":86400"#, 0), Ok(86_400), "{unending}");
        }
        // What was said some time ago has become shorter.
        assert_eq!(left("u", r#","ttl":600"#, 100), Ok(500));
        assert_eq!(left("u", r#","ttl":600"#, 601), Ok(0));
        assert_eq!(left("u", "", 1_000_000), Ok(DEFAULT_TTL), "nobody said that it ends");
        assert_eq!(left("1800000600:u", "", 1_000_000), Ok(600));
    }
}
