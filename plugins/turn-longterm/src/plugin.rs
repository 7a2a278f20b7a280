//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{Answer, DEFAULT_TTL, IceUrl, MAX_URLS, Pace, Protocol, Secret, TurnPlace};
use serde::Deserialize;

/// Configuration of a TURN server with user and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
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
    /// User at the TURN server. Every browser learns it, and the password.
    #[schemars(length(min = 1, max = 508))]
    pub username: String,
    /// Password of that user.
    #[schemars(length(min = 1, max = 1024))]
    pub password: Secret,
    /// STUN servers, such as `stun:stun.example:3478`; the TURN server itself when not given.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 16))]
    pub stun: Option<Vec<String>>,
}

fn default_port() -> u16 {
    3478
}

/// The source.
#[derive(Debug)]
pub struct TurnLongterm {
    config: Config,
    pace: Pace,
}

impl TurnLongterm {
    fn place(&self, request: &RtcRequest) -> TurnPlace {
        TurnPlace {
            host: self.config.host.clone(),
            port: self.config.port,
            protocol: self.config.protocol.unwrap_or_else(|| Protocol::named(&request.protocol)),
            tls: self.config.tls.unwrap_or(request.tls),
        }
    }
}

impl RtcConfig for TurnLongterm {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        let stun = config.stun.as_deref().unwrap_or_default();
        if stun.len() > MAX_URLS || stun.iter().any(|url| url.parse::<IceUrl>().is_err()) {
            return Err(Error::config(
                "stun holds something else than at most 16 addresses like stun:HOST:PORT",
            ));
        }
        if config.username.is_empty() || config.password.expose().is_empty() {
            return Err(Error::config("username and password must not be empty"));
        }
        let source = Self { config, pace: Pace::new(None) };
        let usual = RtcRequest { tls: false, user: String::new(), protocol: String::new(), deadline_ns: 0 };
        source.place(&usual).turn_url().map_err(|error| Error::config(format!("host or port: {error}")))?;
        Ok(source)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        let place = self.place(request);
        let unusable = |error| Error::config(format!("host or port: {error}"));
        let turn = place.turn_url().map_err(unusable)?;
        let stun = match &self.config.stun {
            Some(named) => named.clone(),
            None => place.stun_url().map_err(unusable)?.into_iter().collect(),
        };
        let login = (self.config.username.clone(), self.config.password.expose().to_owned());
        self.pace.fetched();
        Ok(Answer::new(stun, vec![turn], login, DEFAULT_TTL).to_json())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
