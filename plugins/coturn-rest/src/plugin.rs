//! The source.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{
    Answer, Pace, Protocol, Secret,
    http::{Client, address, fits_header, with_query},
    plain_user,
};
use serde::Deserialize;

/// Configuration of a TURN REST service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the service is: `http://turn-rest:8008/`. An address with user and password is refused.
    #[schemars(length(min = 1, max = 2048))]
    pub uri: String,
    /// Key that the service wants, if it does; sent as `key` and `api`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub api_key: Secret,
    /// User for whom credentials are asked when the host names none.
    #[serde(default = "default_user")]
    #[schemars(length(min = 1, max = 256))]
    pub username: String,
    /// Header that names the user.
    #[serde(default = "default_user_header")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub user_header: String,
    /// Header that asks for `udp` or `tcp`.
    #[serde(default = "default_protocol_header")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub protocol_header: String,
    /// Header that asks for TLS: `true` or `false`.
    #[serde(default = "default_tls_header")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub tls_header: String,
    /// `udp` or `tcp`; what the host asks for when not given.
    #[serde(default)]
    #[schemars(with = "Protocol")]
    pub protocol: Option<Protocol>,
    /// By TLS; what the host asks for when not given.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub tls: Option<bool>,
    /// Time between questions, in seconds.
    #[serde(default = "default_refresh")]
    #[schemars(range(min = 1, max = 31_622_400))]
    pub refresh_seconds: u64,
}

fn default_user() -> String {
    "selkies".into()
}

fn default_user_header() -> String {
    "x-auth-user".into()
}

fn default_protocol_header() -> String {
    "x-turn-protocol".into()
}

fn default_tls_header() -> String {
    "x-turn-tls".into()
}

/// As Selkies does it.
fn default_refresh() -> u64 {
    60
}

/// The source.
#[derive(Debug)]
pub struct CoturnRest {
    host: Host,
    config: Config,
    client: Client,
    pace: Pace,
}

impl RtcConfig for CoturnRest {
    type Config = Config;

    fn create(host: Host, config: Config) -> Result<Self> {
        address(&config.uri).map_err(|error| Error::config(format!("uri: {error}")))?;
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if ![&config.user_header, &config.protocol_header, &config.tls_header].into_iter().all(|n| is_name(n))
        {
            return Err(Error::config("names of headers consist of letters, digits and -"));
        }
        let pace = Pace::new(Some(Duration::from_secs(config.refresh_seconds.max(1))));
        Ok(Self { host, config, client: Client::new(), pace })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.pace.waker()
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        let config = &self.config;
        let user = if request.user.is_empty() { &config.username } else { &request.user };
        let user = plain_user(user);
        let mut query = vec![("service", "turn"), ("username", user.as_str())];
        let key = config.api_key.expose();
        if !key.is_empty() {
            query.extend([("key", key), ("api", key)]);
        }
        let protocol = config.protocol.unwrap_or_else(|| Protocol::named(&request.protocol));
        let tls = if config.tls.unwrap_or(request.tls) { "true" } else { "false" };
        let mut headers =
            vec![(config.protocol_header.as_str(), protocol.name()), (config.tls_header.as_str(), tls)];
        // The query names any user; a header takes no other characters.
        if fits_header(&user) {
            headers.push((config.user_header.as_str(), user.as_str()));
        }
        let left = Duration::from_nanos(request.deadline_ns.saturating_sub(self.host.now_ns()));
        let text = self.client.get(&with_query(&config.uri, &query), &headers, left);
        let text = text.map_err(|error| Error::retry(format!("TURN REST: {error}")))?;
        let answer = Answer::parse(&text)
            .map_err(|error| Error::retry(format!("TURN REST: the answer has {error}")))?;
        self.pace.fetched();
        Ok(answer.to_json())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.pace.wait(timeout))
    }
}
