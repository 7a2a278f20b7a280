//! ICE servers: a W3C `RTCConfiguration` as webrtcbin takes it.

use std::fmt::Write as _;

use selkies_plugin_sdk::{Error, Result};
use serde::Deserialize;

/// Longest configuration in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// Most servers that are used; each adds to the time that gathering candidates takes.
const MAX_SERVERS: usize = 8;

/// STUN and TURN servers. Its text for people has no secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct IceServers {
    /// `stun://host:port`; webrtcbin has place for one.
    pub(crate) stun: Option<String>,
    /// `turn(s)://user:password@host:port?transport=...`.
    pub(crate) turn: Vec<String>,
    /// Only relayed addresses are used.
    pub(crate) relay_only: bool,
}

impl std::fmt::Debug for IceServers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServers")
            .field("stun", &self.stun)
            .field("turn", &self.turn.len())
            .field("relay_only", &self.relay_only)
            .finish()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    ice_servers: Vec<Server>,
    #[serde(default)]
    ice_transport_policy: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    urls: Urls,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl IceServers {
    /// Reads a configuration. URLs of no known scheme are skipped.
    ///
    /// # Errors
    /// When it is too long, not such JSON, or a URL is not one.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        if json.len() > MAX_LENGTH {
            return Err(Error::invalid(format!(
                "webrtc-rtc-config: {} bytes, at most {MAX_LENGTH} are taken",
                json.len()
            )));
        }
        // serde's text could cite a credential, so that only its place is told.
        let raw: Raw = serde_json::from_str(json).map_err(|error| {
            Error::invalid(format!(
                "webrtc-rtc-config: no RTCConfiguration at line {} column {}",
                error.line(),
                error.column()
            ))
        })?;
        let mut servers =
            Self { relay_only: raw.ice_transport_policy.as_deref() == Some("relay"), ..Self::default() };
        for server in &raw.ice_servers {
            let urls = match &server.urls {
                Urls::One(url) => std::slice::from_ref(url),
                Urls::Many(urls) => urls.as_slice(),
            };
            for url in urls {
                servers.add(url, server)?;
            }
        }
        Ok(servers)
    }

    fn add(&mut self, url: &str, server: &Server) -> Result<()> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(Error::invalid("webrtc-rtc-config: an ICE server's URL has no scheme"));
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = Place::parse(place.trim_start_matches('/'))?;
        match scheme {
            "stun" => {
                if self.stun.is_none() {
                    self.stun = Some(format!("stun://{}", place.with_port(3478)));
                }
            }
            "turn" | "turns" if self.turn.len() < MAX_SERVERS => {
                let (Some(user), Some(password)) = (&server.username, &server.credential) else {
                    return Err(Error::invalid(
                        "webrtc-rtc-config: a TURN server without `username` and `credential`",
                    ));
                };
                let transport = query.split('&').find_map(|pair| pair.strip_prefix("transport="));
                let (port, transport) = match (scheme, transport) {
                    ("turns", _) => (5349, "tcp"),
                    (_, Some("tcp")) => (3478, "tcp"),
                    _ => (3478, "udp"),
                };
                self.turn.push(format!(
                    "{scheme}://{}:{}@{}?transport={transport}",
                    escaped(user),
                    escaped(password),
                    place.with_port(port)
                ));
            }
            _ => tracing::debug!(scheme, "an ICE server is not used: unknown scheme, or too many"),
        }
        Ok(())
    }
}

/// Host and port of a server.
struct Place<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let bad = || Error::invalid("webrtc-rtc-config: an ICE server's URL is not `scheme:host:port`");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(bad)?;
                (&text[..host.len() + 2], after.strip_prefix(':'))
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(plain) {
            return Err(bad());
        }
        let port = port.map(|port| port.parse().map_err(|_| bad())).transpose()?;
        Ok(Self { host, port })
    }

    fn with_port(&self, port: u16) -> String {
        format!("{}:{}", self.host, self.port.unwrap_or(port))
    }
}

/// Percent-encoded (RFC 3986, 2.1): user names of time-limited credentials have a colon in them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_those_of_webrtcbin() {
        let json = r#"{"lifetimeDuration": "86400s", "iceTransportPolicy": "relay", "iceServers": [
            {"urls": ["stun:stun.example.org", "stun:other.example.org:19302"]},
            {"urls": ["turn:turn.example.org:3479?transport=udp", "turn:turn.example.org?transport=tcp",
                "turns:[2001:db8::1]:443?transport=tcp", "http:x.org"],
             "username": "1700000000:user", "credential": "a/b+c="}
        ]}"#;
        let servers = IceServers::parse(json).expect("a configuration");
        assert_eq!(servers.stun.as_deref(), Some("stun://stun.example.org:3478"));
        assert_eq!(
            servers.turn,
            [
                "turn://1700000000%3Auser:a%2Fb%2Bc%3D@turn.example.org:3479?transport=udp",
                "turn://1700000000%3Auser:a%2Fb%2Bc%3D@turn.example.org:3478?transport=tcp",
                "turns://1700000000%3Auser:a%2Fb%2Bc%3D@[2001:db8::1]:443?transport=tcp",
            ]
        );
        assert!(servers.relay_only);
        assert!(!format!("{servers:?}").contains("1700000000"));
    }

    #[test]
    fn secrets_are_not_in_errors() {
        for json in [
            r#"{"iceServers": [{"urls": "turn:x", "username": "secretuser", "credential": 5}]}"#,
            r#"{"iceServers": [{"urls": "turn:x:secretport", "username": "u", "credential": "p"}]}"#,
            r#"{"iceServers": [{"urls": "turn:x", "credential": "secret"}]}"#,
            r#"{"iceServers": [{"urls": "turn:a b", "username": "u", "credential": "secret"}]}"#,
            r#"{"iceServers": "secret"}"#,
        ] {
            let error = IceServers::parse(json).expect_err(json);
            assert!(!error.text().contains("secret"), "{error}");
        }
    }
}
