//! A TURN server by host and port, as operators name it.

use std::net::Ipv6Addr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::url::{IceUrl, UrlError};

/// How clients reach a TURN server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Datagrams, the fastest.
    #[default]
    Udp,
    /// A connection, for networks that let nothing else through.
    Tcp,
}

impl JsonSchema for Protocol {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Protocol".into()
    }

    // Written out, because the derived form (one alternative per variant) makes errors that name no value.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["udp", "tcp"] })
    }
}

impl Protocol {
    /// The protocol of this name; any other name than `tcp` is UDP, as in Selkies.
    #[must_use]
    pub fn named(name: &str) -> Self {
        if name.eq_ignore_ascii_case("tcp") { Self::Tcp } else { Self::Udp }
    }

    /// Its name in addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// A TURN server and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnPlace {
    /// Host name or address; an IPv6 address with or without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// How it is reached.
    pub(crate) protocol: Protocol,
    /// By TLS.
    pub(crate) tls: bool,
}

impl TurnPlace {
    /// Its `turn:` or `turns:` address.
    ///
    /// # Errors
    /// When host or port cannot stand in one.
    pub(crate) fn turn_url(&self) -> Result<String, UrlError> {
        let scheme = if self.tls { "turns" } else { "turn" };
        let (place, protocol) = (place(&self.host, self.port), self.protocol.name());
        let url: IceUrl = format!("{scheme}:{place}?transport={protocol}").parse()?;
        Ok(url.to_string())
    }

    /// Its `stun:` address; TURN servers answer STUN on the port without TLS, so that there is none with it.
    ///
    /// # Errors
    /// When host or port cannot stand in one.
    pub(crate) fn stun_url(&self) -> Result<Option<String>, UrlError> {
        if self.tls { Ok(None) } else { stun_url(&self.host, self.port).map(Some) }
    }
}

/// The `stun:` address of a server.
///
/// # Errors
/// When host or port cannot stand in one.
fn stun_url(host: &str, port: u16) -> Result<String, UrlError> {
    let url: IceUrl = format!("stun:{}", place(host, port)).parse()?;
    Ok(url.to_string())
}

fn place(host: &str, port: u16) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{port}"),
        Err(_) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_browsers_take() {
        let at = |host: &str, tls| TurnPlace { host: host.into(), port: 3478, protocol: Protocol::Tcp, tls };
        assert_eq!(at("relay.example", false).turn_url(), Ok("turn:relay.example:3478?transport=tcp".into()));
        assert_eq!(at("::1", true).turn_url(), Ok("turns:[::1]:3478?transport=tcp".into()));
        assert_eq!(at("[::1]", false).stun_url(), Ok(Some("stun:[::1]:3478".into())));
        assert_eq!(at("a", true).stun_url(), Ok(None));
        assert_eq!(at("a/b", false).turn_url(), Err(UrlError::Host));
        assert_eq!(stun_url("a", 0), Err(UrlError::Port));
    }
}
