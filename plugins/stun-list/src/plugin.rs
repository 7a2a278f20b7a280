//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{Answer, IceUrl, MAX_URLS, Pace};
use serde::Deserialize;

/// Configuration of STUN servers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The servers: `stun:stun.example:3478`, `stuns:stun.example:5349`.
    #[schemars(length(min = 1, max = 16))]
    pub urls: Vec<String>,
}

/// The source.
#[derive(Debug)]
pub struct StunList {
    answer: String,
    pace: Pace,
}

impl RtcConfig for StunList {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        let parsed: std::result::Result<Vec<IceUrl>, _> = config.urls.iter().map(|url| url.parse()).collect();
        match parsed {
            Ok(urls) if !urls.is_empty() && urls.len() <= MAX_URLS && !urls.iter().any(IceUrl::relays) => {
                let urls = urls.iter().map(IceUrl::to_string).collect();
                Ok(Self { answer: Answer::of_stun(urls).to_json(), pace: Pace::new(None) })
            }
            _ => Err(Error::config(
                "urls are 1 to 16 addresses like stun:HOST:PORT; TURN has plugins of its own",
            )),
        }
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, _: &RtcRequest) -> Result<String> {
        self.pace.fetched();
        Ok(self.answer.clone())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
