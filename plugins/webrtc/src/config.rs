//! What operators may set.

use std::net::IpAddr;

use schemars::JsonSchema;
use selkies_plugin_sdk::{Error, Result};
use serde::Deserialize;

/// Configuration of the WebRTC transport. There is no ICE-lite: webrtcbin makes full agents only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Ports for media, `min-max`: `50000-50100`. Each client takes one of UDP, and one of TCP with `ice_tcp`. Empty takes
    /// any free port.
    #[schemars(length(max = 11), regex(pattern = "^([0-9]{1,5}-[0-9]{1,5})?$"))]
    pub port_range: String,
    /// The address under which clients reach this machine where NAT maps it one to one. It is offered beside the
    /// machine's own addresses. Empty offers those alone.
    #[schemars(length(max = 45))]
    pub public_ip: String,
    /// Media over TCP, too, for clients behind networks without UDP.
    pub ice_tcp: bool,
    /// Estimates what the path to each client takes, for the host to follow.
    pub congestion_control: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { port_range: String::new(), public_ip: String::new(), ice_tcp: true, congestion_control: true }
    }
}

/// A configuration that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) public_ip: Option<IpAddr>,
    pub(crate) ice_tcp: bool,
    pub(crate) congestion_control: bool,
}

impl Options {
    /// # Errors
    /// [`Error::config`] names the key, what was found and what is allowed.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            ports: ports(&config.port_range)?,
            public_ip: public_ip(&config.public_ip)?,
            ice_tcp: config.ice_tcp,
            congestion_control: config.congestion_control,
        })
    }
}

fn ports(text: &str) -> Result<Option<(u16, u16)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let both = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    both.filter(|(low, high)| *low >= 1 && low <= high).map(Some).ok_or_else(|| {
        Error::config(format!("port_range: {text:?} is not `min-max` with 1 <= min <= max <= 65535"))
    })
}

fn public_ip(text: &str) -> Result<Option<IpAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    let address: Option<IpAddr> = text.parse().ok();
    let usable = |address: &IpAddr| !address.is_unspecified() && !address.is_multicast();
    address.filter(usable).map(Some).ok_or_else(|| {
        Error::config(format!("public_ip: {text:?} is no address of a machine; `203.0.113.7` would be one"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> Result<Options> {
        Options::of(&serde_json::from_str(json).expect("it fits the schema"))
    }

    #[test]
    fn what_can_be_done_is_taken() {
        let options =
            options(r#"{"port_range": "50000-50100", "public_ip": "203.0.113.7", "ice_tcp": false}"#)
                .expect("it is usable");
        assert_eq!(options.ports, Some((50_000, 50_100)));
        assert_eq!(options.public_ip, Some(IpAddr::from([203, 0, 113, 7])));
        assert!(!options.ice_tcp && options.congestion_control);
    }

    #[test]
    fn what_cannot_is_refused_by_name() {
        for (json, name) in [
            (r#"{"port_range": "50100-50000"}"#, "port_range"),
            (r#"{"port_range": "0-10"}"#, "port_range"),
            (r#"{"port_range": "1-70000"}"#, "port_range"),
            (r#"{"public_ip": "example.org"}"#, "public_ip"),
            (r#"{"public_ip": "0.0.0.0"}"#, "public_ip"),
        ] {
            let error = options(json).expect_err(json);
            assert!(error.text().starts_with(name), "{error}");
        }
    }
}
