//! The answer of a source: the JSON of the W3C `RTCConfiguration` with `lifetimeDuration`, as Selkies gives it.

use serde_json::{Value as Json, json};

use crate::credential::DEFAULT_TTL;

/// Most servers of an answer.
pub const MAX_SERVERS: usize = 16;
/// Most addresses of one server.
pub const MAX_URLS: usize = 16;

/// Which candidates ICE may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// All.
    #[default]
    All,
    /// Relayed ones only.
    Relay,
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its addresses.
    pub urls: Vec<String>,
    /// Username and credential, for TURN.
    pub login: Option<(String, String)>,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// ICE servers and how long they may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Seconds from now; 0: it is past its end, and good only where there is nothing better.
    pub lifetime_s: u64,
    /// Which candidates ICE may use.
    pub policy: Policy,
    /// The servers, STUN first where this crate orders them.
    pub servers: Vec<IceServer>,
}

impl Answer {
    /// An answer of one TURN server with credentials, and STUN servers.
    #[must_use]
    pub fn new(stun: Vec<String>, turn: Vec<String>, login: (String, String), lifetime_s: u64) -> Self {
        let mut servers = Self::of_stun(stun).servers;
        servers.push(IceServer { urls: turn, login: Some(login) });
        Self { lifetime_s, policy: Policy::All, servers }
    }

    /// An answer of STUN servers only. The same server in another spelling is named once.
    #[must_use]
    pub fn of_stun(urls: Vec<String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for url in urls {
            if !kept.iter().any(|known| known.eq_ignore_ascii_case(&url)) {
                kept.push(url);
            }
        }
        let servers = if kept.is_empty() { Vec::new() } else { vec![IceServer { urls: kept, login: None }] };
        Self { lifetime_s: DEFAULT_TTL, policy: Policy::All, servers }
    }

    /// The JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let servers = self.servers.iter().map(|server| match &server.login {
            Some((username, credential)) => {
                json!({ "urls": server.urls, "username": username, "credential": credential })
            }
            None => json!({ "urls": server.urls }),
        });
        let servers: Vec<Json> = servers.collect();
        json!({
            "lifetimeDuration": format!("{}s", self.lifetime_s),
            "blockStatus": "NOT_BLOCKED",
            "iceTransportPolicy": match self.policy {
                Policy::All => "all",
                Policy::Relay => "relay",
            },
            "iceServers": servers,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_that_of_selkies() {
        let answer = Answer::new(
            vec!["stun:a:1".into(), "STUN:A:1".into()],
            vec!["turn:a:1?transport=udp".into()],
            ("7:u".into(), "c".into()),
            60,
        );
        assert_eq!(
            answer.to_json(),
            concat!(
                r#"{"lifetimeDuration":"60s","blockStatus":"NOT_BLOCKED","iceTransportPolicy":"all","iceServers":["#,
                r#"{"urls":["stun:a:1"]},"#,
                r#"{"urls":["turn:a:1?transport=udp"],"username":"7:u","credential":"c"}]}"#
            )
        );
        assert!(!format!("{answer:?}").contains("7:u"), "credentials are not printed");
    }
}
