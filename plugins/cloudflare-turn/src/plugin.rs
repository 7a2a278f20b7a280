//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{
    Answer, DEFAULT_TTL, Pace, Secret,
    http::{Client, address, fits_header},
};
use serde::Deserialize;

/// Configuration of Cloudflare's TURN service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Id of the TURN key.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub token_id: String,
    /// API token of the TURN key.
    #[schemars(length(min = 1, max = 1024))]
    pub api_token: Secret,
    /// How long credentials are good for, in seconds.
    #[serde(default = "default_ttl")]
    #[schemars(range(min = 60, max = 172_800))]
    pub ttl_seconds: u64,
    /// Where the service is.
    #[serde(default = "default_base")]
    #[schemars(length(min = 1, max = 2048))]
    pub base: String,
}

fn default_ttl() -> u64 {
    DEFAULT_TTL
}

fn default_base() -> String {
    "https://rtc.live.cloudflare.com".into()
}

/// The source.
#[derive(Debug)]
pub struct CloudflareTurn {
    host: Host,
    url: String,
    authorization: Secret,
    ttl_seconds: u64,
    client: Client,
    pace: Pace,
}

impl RtcConfig for CloudflareTurn {
    type Config = Config;

    fn create(host: Host, config: Config) -> Result<Self> {
        let Config { token_id, api_token, ttl_seconds, base } = config;
        address(&base).map_err(|error| Error::config(format!("base: {error}")))?;
        let is_id = token_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if token_id.is_empty() || !is_id || !fits_header(api_token.expose()) {
            return Err(Error::config(
                "token_id or api_token is empty or has characters that no such text has",
            ));
        }
        let base = base.trim_end_matches('/');
        Ok(Self {
            host,
            url: format!("{base}/v1/turn/keys/{token_id}/credentials/generate"),
            authorization: Secret::from(format!("Bearer {}", api_token.expose()).as_str()),
            ttl_seconds,
            client: Client::new(),
            pace: Pace::new(None),
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        let left = Duration::from_nanos(request.deadline_ns.saturating_sub(self.host.now_ns()));
        let body = format!(r#"{{"ttl":{}}}"#, self.ttl_seconds);
        let headers = [("authorization", self.authorization.expose())];
        let text = self.client.post(&self.url, &headers, &body, left);
        let text = text.map_err(|error| Error::retry(format!("Cloudflare: {error}")))?;
        let mut answer = Answer::parse(&text)
            .map_err(|error| Error::retry(format!("Cloudflare: the answer has {error}")))?;
        // The answer does not say it.
        answer.lifetime_s = self.ttl_seconds;
        self.pace.fetched();
        Ok(answer.to_json())
    }

    // The host asks again at half of the lifetime.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
