//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{DEFAULT_TTL, Pace, Secret, TurnServer};
use serde::Deserialize;

/// Configuration of a TURN server with user and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server.
    #[serde(flatten)]
    pub server: TurnServer,
    /// User at the TURN server. Every browser learns it, and the password.
    #[schemars(length(min = 1, max = 508))]
    pub username: String,
    /// Password of that user.
    #[schemars(length(min = 1, max = 1024))]
    pub password: Secret,
}

/// The source.
#[derive(Debug)]
pub struct TurnLongterm {
    config: Config,
    pace: Pace,
}

impl RtcConfig for TurnLongterm {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        config.server.check()?;
        if config.username.is_empty() || config.password.expose().is_empty() {
            return Err(Error::config("username and password must not be empty"));
        }
        Ok(Self { config, pace: Pace::new(None) })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        let login = (self.config.username.clone(), self.config.password.expose().to_owned());
        self.config.server.answer(request, login, DEFAULT_TTL)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
