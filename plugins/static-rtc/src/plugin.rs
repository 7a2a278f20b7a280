//! The source.

use std::{path::PathBuf, sync::Arc, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Host, Result, RtcConfig, RtcRequest, Wake};
use selkies_rtc_support::{Answer, unix_now};
use serde::Deserialize;

use crate::{
    file::{self, Content},
    watch::Watch,
};

/// Configuration of a file with ICE servers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file: JSON of the W3C `RTCConfiguration`, or the answer of a TURN REST service. It must be root's or this user's,
    /// no symbolic link, and not writable by others.
    #[schemars(length(min = 1, max = 4096))]
    pub path: PathBuf,
}

/// The source.
#[derive(Debug)]
pub struct StaticRtc {
    path: PathBuf,
    watch: Watch,
}

impl RtcConfig for StaticRtc {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        let watch = Watch::new(&config.path).map_err(Error::config)?;
        Ok(Self { path: config.path, watch })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.watch.waker()
    }

    fn fetch(&mut self, _: &RtcRequest) -> Result<String> {
        let Content { text, age } = file::read(&self.path)?;
        // What it says of a lifetime began when it was written.
        let answer = Answer::parse_aged(&text, age, unix_now())
            .map_err(|error| Error::retry(format!("{}: found {error}", self.path.display())))?;
        Ok(answer.to_json())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        self.watch.wait(timeout).map_err(Error::fatal)
    }
}
