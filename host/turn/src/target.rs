//! The address of a server: `stun:`, `stuns:`, `turn:`, `turns:` (RFC 7064, RFC 7065).

use std::{fmt, str::FromStr};

use thiserror::Error;

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// A connection with TLS.
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

/// Why a text names no server that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Not of the form.
    #[error("TC001 no address like turn:HOST:PORT?transport=udp")]
    Form,
    /// TLS over datagrams.
    #[error("TC002 turns: with transport=udp is DTLS, which is not checked")]
    Dtls,
}

/// A server to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceTarget {
    /// It relays (TURN); otherwise it tells addresses (STUN).
    pub relays: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
}

impl FromStr for IceTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once(':').ok_or(TargetError::Form)?;
        let (relays, tls) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return Err(TargetError::Form),
        };
        let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, query)| (place, query));
        let transport = match (query, tls) {
            ("transport=udp", true) => return Err(TargetError::Dtls),
            ("" | "transport=tcp", true) => Transport::Tls,
            ("transport=tcp", false) => Transport::Tcp,
            ("" | "transport=udp", false) => Transport::Udp,
            _ => return Err(TargetError::Form),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(TargetError::Form)?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(TargetError::Form)?,
            None if port.is_empty() => {
                if tls {
                    5349
                } else {
                    3478
                }
            }
            None => return Err(TargetError::Form),
        };
        let is_named = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(is_named) {
            return Err(TargetError::Form);
        }
        Ok(Self { relays, host: host.to_owned(), port, transport })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_how_a_server_is_reached() {
        for (text, relays, host, port, transport) in [
            ("stun:a", false, "a", 3478, Transport::Udp),
            ("stuns:a", false, "a", 5349, Transport::Tls),
            ("turn:a.b:1?transport=udp", true, "a.b", 1, Transport::Udp),
            ("TURN:[::1]:2?transport=tcp", true, "::1", 2, Transport::Tcp),
            ("turns:10.0.0.7:443?transport=tcp", true, "10.0.0.7", 443, Transport::Tls),
        ] {
            let expected = IceTarget { relays, host: host.into(), port, transport };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("turns:a?transport=udp".parse::<IceTarget>(), Err(TargetError::Dtls));
        for text in
            ["", "turn", "turn:", "http:a", "turn:a:0", "turn:a:x", "turn:[::1", "turn:a b", "turn:a?x"]
        {
            assert_eq!(text.parse::<IceTarget>(), Err(TargetError::Form), "{text}");
        }
    }
}
