//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{DEFAULT_TTL, Pace, Secret, TurnServer, ephemeral, unix_now};
use serde::Deserialize;

/// Configuration of credentials by shared secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server.
    #[serde(flatten)]
    pub server: TurnServer,
    /// The secret that the TURN server has, too (coturn: `static-auth-secret`).
    #[schemars(length(min = 1, max = 1024))]
    pub secret: Secret,
    /// How long credentials are good for, in seconds.
    #[serde(default = "default_ttl")]
    #[schemars(range(min = 60, max = 31_622_400))]
    pub ttl_seconds: u64,
    /// Time between new credentials, in seconds.
    #[serde(default = "default_refresh")]
    #[schemars(range(min = 1, max = 31_622_400))]
    pub refresh_seconds: u64,
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

impl RtcConfig for TurnHmac {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        config.server.check()?;
        if config.secret.expose().is_empty() || config.ttl_seconds == 0 || config.refresh_seconds == 0 {
            return Err(Error::config("secret, ttl_seconds and refresh_seconds must not be empty or 0"));
        }
        let pace =
            Pace::new(Some(Duration::from_secs(config.refresh_seconds.min(config.ttl_seconds / 2 + 1))));
        Ok(Self { config, pace })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        let expires = unix_now().saturating_add(self.config.ttl_seconds);
        let login = ephemeral(self.config.secret.expose(), &request.user, expires);
        let answer = self.config.server.answer(request, login, self.config.ttl_seconds)?;
        self.pace.fetched();
        Ok(answer)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
