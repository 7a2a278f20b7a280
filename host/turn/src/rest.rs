//! A TURN REST service: gives whoever may ask credentials that are made of the TURN server's shared secret
//! (draft-uberti-behave-turn-rest-00). Parameters, headers and refusals are those of Selkies' service; the answer has the
//! forms of both, `iceServers` and `uris`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// How long credentials are good for unless the operator says otherwise, in seconds.
pub const DEFAULT_TTL: u64 = 86_400;
/// Longest name of a user, in bytes.
const MAX_USER: usize = 256;

/// A service.
#[derive(Clone)]
pub struct Service {
    secret: String,
    /// Digest of the key that clients must give.
    key: Option<[u8; 32]>,
    /// Host and port of the TURN server, as in an address.
    place: String,
    tcp: bool,
    tls: bool,
    ttl: u64,
    stun: Option<String>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What a service is made of.
#[derive(Clone)]
pub struct ServiceOptions {
    /// The secret that the TURN server has, too.
    pub secret: String,
    /// The key that clients must give; empty for none.
    pub key: String,
    /// Host name or address, and port, of the TURN server.
    pub turn: (String, u16),
    /// It is reached by TCP, unless the client asks for the other.
    pub tcp: bool,
    /// It is reached by TLS, unless the client asks for the other.
    pub tls: bool,
    /// How long credentials are good for, in seconds.
    pub ttl: u64,
    /// Host name or address, and port, of a STUN server.
    pub stun: Option<(String, u16)>,
}

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// `turn`, or nothing.
    pub service: Option<String>,
    /// For whom.
    pub username: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// `udp` or `tcp`.
    pub protocol: Option<String>,
    /// `true` or `false`.
    pub tls: Option<String>,
}

/// Why a client gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Another service.
    #[error("TR001 service is not turn")]
    Service,
    /// No key where one is needed.
    #[error("TR002 a key is needed: give it as key or api")]
    NoKey,
    /// The wrong key.
    #[error("TR003 the key is wrong")]
    WrongKey,
}

impl Refusal {
    /// The status of HTTP.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Service | Self::NoKey => 400,
            Self::WrongKey => 403,
        }
    }
}

impl Service {
    /// A service.
    #[must_use]
    pub fn new(options: ServiceOptions) -> Self {
        let ServiceOptions { secret, key, turn, tcp, tls, ttl, stun } = options;
        Self {
            secret,
            // Digests are compared, so that the time says nothing about the key.
            key: (!key.is_empty()).then(|| Sha256::digest(key).into()),
            place: place(&turn),
            tcp,
            tls,
            ttl,
            stun: stun.as_ref().map(place),
        }
    }

    /// True when clients must give a key.
    #[must_use]
    pub fn wants_key(&self) -> bool {
        self.key.is_some()
    }

    /// Answers a question with JSON. `now` is in seconds since 1970; `nobody` names who did not say who he is.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn answer(&self, question: &Question, now: u64, nobody: &str) -> Result<String, Refusal> {
        if question.service.as_ref().is_some_and(|service| !service.eq_ignore_ascii_case("turn")) {
            return Err(Refusal::Service);
        }
        if let Some(digest) = &self.key {
            let key = question.key.as_ref().filter(|key| !key.is_empty()).ok_or(Refusal::NoKey)?;
            let given: [u8; 32] = Sha256::digest(key).into();
            if given.iter().zip(digest).fold(0, |differs, (a, b)| differs | (a ^ b)) != 0 {
                return Err(Refusal::WrongKey);
            }
        }
        let user = question.username.as_deref().map(plain_user).filter(|user| !user.is_empty());
        let expires = now.saturating_add(self.ttl);
        let username = format!("{expires}:{}", user.as_deref().unwrap_or(nobody));
        let credential = self.credential(&username);
        let tcp =
            question.protocol.as_ref().map_or(self.tcp, |protocol| protocol.eq_ignore_ascii_case("tcp"));
        let tls =
            question.tls.as_ref().map_or(self.tls, |tls| tls.eq_ignore_ascii_case("true") || tls == "1");
        let (scheme, transport) = (if tls { "turns" } else { "turn" }, if tcp { "tcp" } else { "udp" });
        let turn = format!("{scheme}:{}?transport={transport}", self.place);
        let own = (!tls).then(|| format!("stun:{}", self.place));
        let mut stun: Vec<String> =
            self.stun.iter().map(|place| format!("stun:{place}")).chain(own).collect();
        stun.dedup();
        let mut servers = vec![json!({ "urls": [turn], "username": username, "credential": credential })];
        if !stun.is_empty() {
            servers.insert(0, json!({ "urls": stun }));
        }
        Ok(json!({
            "lifetimeDuration": format!("{}s", self.ttl),
            "blockStatus": "NOT_BLOCKED",
            "iceTransportPolicy": "all",
            "iceServers": servers,
            "username": username,
            "password": credential,
            "ttl": self.ttl,
            "uris": [turn],
        })
        .to_string())
    }

    fn credential(&self, username: &str) -> String {
        // A key of any length is accepted.
        let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).map(|mut mac| {
            mac.update(username.as_bytes());
            mac.finalize().into_bytes()
        });
        mac.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
    }
}

fn place((host, port): &(String, u16)) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A user's name without what has a meaning in a credential or a log.
fn plain_user(user: &str) -> String {
    let mut plain = String::new();
    for c in user.trim().chars() {
        if plain.len() + c.len_utf8() > MAX_USER {
            break;
        }
        plain.push(if c == ':' || c.is_control() { '-' } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn service(key: &str) -> Service {
        Service::new(ServiceOptions {
            secret: "north".into(),
            key: key.into(),
            turn: ("relay.example".into(), 3478),
            tcp: false,
            tls: false,
            ttl: 600,
            stun: Some(("::1".into(), 1)),
        })
    }

    fn asked(service: &Service, question: &Question) -> Result<Value, Refusal> {
        let answer = service.answer(question, 1_893_455_400, "nobody")?;
        Ok(serde_json::from_str(&answer).expect("JSON"))
    }

    #[test]
    fn both_forms_carry_the_credential_that_the_server_computes() {
        let question = Question { username: Some("ada".into()), ..Question::default() };
        let answer = asked(&service(""), &question).expect("an answer");
        // The vector of plugins/rtc-support: openssl's HMAC of "1893456000:ada".
        let (user, credential) = ("1893456000:ada", "A0DNf16by58KaWAwAe4TV36DNwI=");
        let turn = "turn:relay.example:3478?transport=udp";
        assert_eq!(answer["iceServers"][0], json!({ "urls": ["stun:[::1]:1", "stun:relay.example:3478"] }));
        assert_eq!(
            answer["iceServers"][1],
            json!({ "urls": [turn], "username": user, "credential": credential })
        );
        assert_eq!((&answer["username"], &answer["password"]), (&json!(user), &json!(credential)));
        assert_eq!(
            (&answer["ttl"], &answer["uris"], &answer["lifetimeDuration"]),
            (&json!(600), &json!([turn]), &json!("600s"))
        );
    }

    #[test]
    fn the_client_may_say_how_it_reaches_the_server() {
        let question = Question {
            service: Some("TURN".into()),
            username: Some("a:b\r\n".into()),
            protocol: Some("TCP".into()),
            tls: Some("true".into()),
            ..Question::default()
        };
        let answer = asked(&service(""), &question).expect("an answer");
        assert_eq!(answer["uris"][0], "turns:relay.example:3478?transport=tcp");
        assert_eq!(answer["username"], "1893456000:a-b");
        assert_eq!(
            asked(&service(""), &Question::default()).expect("an answer")["username"],
            "1893456000:nobody"
        );
    }

    #[test]
    fn who_may_not_ask_is_told_so_by_the_status() {
        let with = |key: Option<&str>, service_name: &str| Question {
            key: key.map(str::to_owned),
            service: Some(service_name.into()),
            ..Question::default()
        };
        let guarded = service("sesame");
        for (question, refusal, status) in [
            (with(Some("sesame"), "stun"), Refusal::Service, 400),
            (with(None, "turn"), Refusal::NoKey, 400),
            (with(Some(""), "turn"), Refusal::NoKey, 400),
            (with(Some("sesam"), "turn"), Refusal::WrongKey, 403),
        ] {
            assert_eq!(asked(&guarded, &question), Err(refusal));
            assert_eq!(refusal.status(), status);
        }
        assert!(asked(&guarded, &with(Some("sesame"), "turn")).is_ok());
        assert!(!format!("{guarded:?}").contains("north"));
    }
}
