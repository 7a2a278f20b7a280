//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{
    Answer, DEFAULT_TTL, IceUrl, MAX_URLS, Pace, Protocol, Secret, TurnPlace, ephemeral, unix_now,
};
use serde::Deserialize;

/// Configuration of credentials by shared secret.
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
    /// The secret that the TURN server has, too (coturn: `static-auth-secret`).
    #[schemars(length(min = 1, max = 1024))]
    pub secret: Secret,
    /// STUN servers, such as `stun:stun.example:3478`; the TURN server itself when not given.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 16))]
    pub stun: Option<Vec<String>>,
    /// How long credentials are good for, in seconds.
    #[serde(default = "default_ttl")]
    #[schemars(range(min = 60, max = 31_622_400))]
    pub ttl_seconds: u64,
    /// Time between new credentials, in seconds.
    #[serde(default = "default_refresh")]
    #[schemars(range(min = 1, max = 31_622_400))]
    pub refresh_seconds: u64,
}

fn default_port() -> u16 {
    3478
}

fn default_ttl() -> u64 {
    DEFAULT_TTL
}

/// As Selkies does it.
fn default_refresh() -> u64 {
    60
}

/// The source.
#[derive(Debug)]
pub struct TurnHmac {
    config: Config,
    pace: Pace,
}

impl TurnHmac {
    fn place(&self, request: &RtcRequest) -> TurnPlace {
        TurnPlace {
            host: self.config.host.clone(),
            port: self.config.port,
            protocol: self.config.protocol.unwrap_or_else(|| Protocol::named(&request.protocol)),
            tls: self.config.tls.unwrap_or(request.tls),
        }
    }
}

impl RtcConfig for TurnHmac {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        let stun = config.stun.as_deref().unwrap_or_default();
        if stun.len() > MAX_URLS || stun.iter().any(|url| url.parse::<IceUrl>().is_err()) {
            return Err(Error::config(
                "stun holds something else than at most 16 addresses like stun:HOST:PORT",
            ));
        }
        if config.secret.expose().is_empty() || config.ttl_seconds == 0 || config.refresh_seconds == 0 {
            return Err(Error::config("secret, ttl_seconds and refresh_seconds must not be empty or 0"));
        }
        let pace =
            Pace::new(Some(Duration::from_secs(config.refresh_seconds.min(config.ttl_seconds / 2 + 1))));
        let source = Self { config, pace };
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
        let expires = unix_now().saturating_add(self.config.ttl_seconds);
        let login = ephemeral(self.config.secret.expose(), &request.user, expires);
        self.pace.fetched();
        Ok(Answer::new(stun, vec![turn], login, self.config.ttl_seconds).to_json())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
