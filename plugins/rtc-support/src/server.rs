//! A TURN server in the configuration of a plugin, and the answers that name it.

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Result, RtcRequest};
use serde::Deserialize;

use crate::{
    answer::{Answer, MAX_URLS},
    place::{Protocol, TurnPlace},
    url::{IceUrl, UrlError},
};

/// Where a TURN server is and how it is reached: the part that the configurations of all plugins have in common which know
/// one. It is flattened into them, and so leaves it to them to refuse unknown members.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct TurnServer {
    /// Host name or address of the TURN server.
    #[schemars(length(min = 1, max = 255))]
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// `udp` or `tcp`; what the host asks for when not given.
    #[serde(default)]
    #[schemars(with = "Protocol")]
    pub protocol: Option<Protocol>,
    /// By TLS; what the host asks for when not given.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub tls: Option<bool>,
    /// STUN servers, such as `stun:stun.example:3478`; the TURN server itself when not given.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 16))]
    pub stun: Option<Vec<String>>,
}

fn default_port() -> u16 {
    3478
}

impl TurnServer {
    /// Judges it, so that a mistake is known before the host asks.
    ///
    /// # Errors
    /// Class reconfigure: host and port make no address, or `stun` holds something else than addresses.
    pub fn check(&self) -> Result<()> {
        let stun = self.stun.as_deref().unwrap_or_default();
        if stun.len() > MAX_URLS || stun.iter().any(|url| url.parse::<IceUrl>().is_err()) {
            return Err(Error::config(
                "stun holds something else than at most 16 addresses like stun:HOST:PORT",
            ));
        }
        self.place(Protocol::Udp, false).turn_url().map_err(unusable).map(drop)
    }

    /// The JSON that names it, reached as `request` wants it unless the configuration says how, with credentials that are
    /// good for `lifetime_s` seconds.
    ///
    /// # Errors
    /// As [`TurnServer::check`].
    pub fn answer(&self, request: &RtcRequest, login: (String, String), lifetime_s: u64) -> Result<String> {
        let place = self.place(Protocol::named(&request.protocol), request.tls);
        let turn = place.turn_url().map_err(unusable)?;
        let stun = match &self.stun {
            Some(named) => named.clone(),
            None => place.stun_url().map_err(unusable)?.into_iter().collect(),
        };
        Ok(Answer::new(stun, vec![turn], login, lifetime_s).to_json())
    }

    fn place(&self, protocol: Protocol, tls: bool) -> TurnPlace {
        TurnPlace {
            host: self.host.clone(),
            port: self.port,
            protocol: self.protocol.unwrap_or(protocol),
            tls: self.tls.unwrap_or(tls),
        }
    }
}

fn unusable(error: UrlError) -> Error {
    Error::config(format!("host or port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(json: &str) -> TurnServer {
        serde_json::from_str(json).expect("a server")
    }

    fn answer(json: &str, protocol: &str, tls: bool) -> String {
        let request = RtcRequest { tls, user: "u".into(), protocol: protocol.into(), deadline_ns: 0 };
        server(json).answer(&request, ("u".into(), "c".into()), 60).expect("an answer")
    }

    #[test]
    fn the_host_says_how_it_is_reached_unless_the_configuration_does() {
        let asked = answer(r#"{"host":"::1","port":443}"#, "tcp", true);
        assert!(asked.contains("turns:[::1]:443?transport=tcp") && !asked.contains("stun:"), "{asked}");
        let fixed = answer(r#"{"host":"a","protocol":"udp","tls":false}"#, "tcp", true);
        assert!(fixed.contains("turn:a:3478?transport=udp") && fixed.contains("stun:a:3478"), "{fixed}");
        let named = answer(r#"{"host":"a","stun":["stun:b:1"]}"#, "udp", false);
        assert!(named.contains("stun:b:1") && !named.contains("stun:a"), "{named}");
    }

    #[test]
    fn what_makes_no_address_is_refused() {
        assert_eq!(server(r#"{"host":"a"}"#).check(), Ok(()));
        for wrong in [r#"{"host":"a b"}"#, r#"{"host":"a","port":0}"#, r#"{"host":"a","stun":["http://x"]}"#]
        {
            assert!(server(wrong).check().is_err(), "{wrong}");
        }
    }
}
