//! Addresses of ICE servers: `stun:` and `stuns:` (RFC 7064), `turn:` and `turns:` (RFC 7065).

use std::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

/// Longest address, in bytes.
const MAX_URL_BYTES: usize = 512;

/// Why a text is no address of an ICE server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Not one of the four schemes.
    #[error("the scheme is not stun, stuns, turn or turns")]
    Scheme,
    /// No host name or address.
    #[error("the host is missing or no name and no address")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port is not 1 to 65535")]
    Port,
    /// A query that is not `transport=udp` or `transport=tcp`, or one where none may be.
    #[error("the query is not transport=udp or transport=tcp")]
    Query,
    /// Too long.
    #[error("longer than 512 bytes")]
    TooLong,
}

/// The address of an ICE server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceUrl {
    relays: bool,
    tls: bool,
    host: String,
    port: u16,
    transport: Option<&'static str>,
}

impl IceUrl {
    /// True for TURN.
    #[must_use]
    pub fn relays(&self) -> bool {
        self.relays
    }
}

impl FromStr for IceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let (relays, tls) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return Err(UrlError::Scheme),
        };
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let transport = match query {
            None => None,
            Some("transport=udp") if relays => Some("udp"),
            Some("transport=tcp") if relays => Some("tcp"),
            Some(_) => return Err(UrlError::Query),
        };
        let (host, port) = split_place(place)?;
        // What servers of Selkies' answers without a port mean.
        let usual = match (relays, tls) {
            (true, true) => 443,
            (false, true) => 5349,
            _ => 3478,
        };
        Ok(Self { relays, tls, host, port: port.unwrap_or(usual), transport })
    }
}

fn split_place(place: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
            let host: Ipv6Addr = host.parse().map_err(|_| UrlError::Host)?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':').ok_or(UrlError::Port)?),
            };
            (format!("[{host}]"), port)
        }
        None => {
            let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
            let is_named = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(is_named) {
                return Err(UrlError::Host);
            }
            (host.to_owned(), port)
        }
    };
    let number = |port: &str| match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
        _ => Err(UrlError::Port),
    };
    Ok((host, port.map(number).transpose()?))
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.relays { "turn" } else { "stun" };
        write!(f, "{scheme}{}:{}:{}", if self.tls { "s" } else { "" }, self.host, self.port)?;
        self.transport.map_or(Ok(()), |transport| write!(f, "?transport={transport}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_the_port_that_they_mean() {
        for (given, meant) in [
            ("stun:stun.example", "stun:stun.example:3478"),
            ("TURN:10.0.0.7:80?transport=tcp", "turn:10.0.0.7:80?transport=tcp"),
            ("turns:relay.example", "turns:relay.example:443"),
            ("turn:[2001:db8::1]?transport=udp", "turn:[2001:db8::1]:3478?transport=udp"),
            ("stuns:a_b.example:1", "stuns:a_b.example:1"),
        ] {
            assert_eq!(given.parse::<IceUrl>().map(|url| url.to_string()), Ok(meant.into()), "{given}");
        }
    }

    #[test]
    fn what_a_browser_would_refuse_is_refused() {
        for (given, why) in [
            ("http://turn.example", UrlError::Scheme),
            ("turn", UrlError::Scheme),
            ("turn:", UrlError::Host),
            ("turn:a b", UrlError::Host),
            ("turn:a\r\nb", UrlError::Host),
            ("turn:[::1", UrlError::Host),
            ("turn:[nope]:1", UrlError::Host),
            ("turn:[::1]1", UrlError::Port),
            ("turn:a:0", UrlError::Port),
            ("turn:a:65536", UrlError::Port),
            ("turn:a:+1", UrlError::Port),
            ("turn:2001:db8::1", UrlError::Port),
            ("turn:a?transport=sctp", UrlError::Query),
            ("stun:a?transport=udp", UrlError::Query),
        ] {
            assert_eq!(given.parse::<IceUrl>(), Err(why), "{given}");
        }
        assert_eq!(format!("turn:{}", "a".repeat(600)).parse::<IceUrl>(), Err(UrlError::TooLong));
    }
}
