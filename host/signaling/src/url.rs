//! The address of a relay, as people write it.

use std::net::IpAddr;

/// `http://HOST[:PORT][/PATH]`, or `https`. The path is Socket.IO's own, `/socket.io/`, unless it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayUrl {
    pub(crate) tls: bool,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayUrlError {
    /// It begins with something else.
    #[error("SO020 it begins with neither http:// nor https://; name the relay as http://HOST:PORT")]
    Scheme,
    /// The host or the port cannot be read, or a user stands before them.
    #[error("SO021 its host or port cannot be read; name the relay as http://HOST:PORT")]
    Authority,
    /// The path has what no path has.
    #[error("SO022 its path has a query or unprintable characters; leave it out, or name it as /socket.io/")]
    Path,
}

impl RelayUrl {
    /// Reads one; `ws` and `wss` are taken for `http` and `https`.
    ///
    /// # Errors
    /// [`RelayUrlError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, RelayUrlError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(RelayUrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(RelayUrlError::Scheme),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or(RelayUrlError::Authority)?,
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(RelayUrlError::Authority)?,
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return Err(RelayUrlError::Authority),
        };
        let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || !(is_name || host.parse::<IpAddr>().is_ok()) {
            return Err(RelayUrlError::Authority);
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte)) {
            return Err(RelayUrlError::Path);
        }
        let path = if path == "/" { "/socket.io/" } else { path };
        Ok(Self { tls, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Whether the relay runs on this machine.
    fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether what is sent there can be read on the way.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.tls && !self.is_local()
    }

    /// Host and port as they stand in an address.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text| RelayUrl::parse(text).map(|url| (url.tls, url.authority(), url.path.clone()));
        let good = |tls, authority: &str, path: &str| Ok((tls, authority.to_owned(), path.to_owned()));
        assert_eq!(read("http://localhost:8080"), good(false, "localhost:8080", "/socket.io/"));
        assert_eq!(read(" HTTPS://relay.example/ "), good(true, "relay.example:443", "/socket.io/"));
        assert_eq!(read("ws://10.0.0.7"), good(false, "10.0.0.7:80", "/socket.io/"));
        assert_eq!(read("wss://[::1]:9/a/b/"), good(true, "[::1]:9", "/a/b/"));
        for (wrong, error) in [
            ("localhost:8080", RelayUrlError::Scheme),
            ("ftp://x", RelayUrlError::Scheme),
            ("http://", RelayUrlError::Authority),
            ("http://user:password@host", RelayUrlError::Authority),
            ("http://host:0", RelayUrlError::Authority),
            ("http://host:70000", RelayUrlError::Authority),
            ("http://[::1", RelayUrlError::Authority),
            ("http://[::1]x", RelayUrlError::Authority),
            ("http://a b", RelayUrlError::Authority),
            ("http://host/a?b=c", RelayUrlError::Path),
            ("http://host/a\r\nb", RelayUrlError::Path),
        ] {
            assert_eq!(RelayUrl::parse(wrong), Err(error), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_safe_with_tls_and_on_this_machine() {
        let readable = |text| RelayUrl::parse(text).expect("an address").is_readable();
        assert!(readable("http://relay.example"));
        assert!(!readable("https://relay.example"));
        assert!(
            !readable("http://localhost:1") && !readable("http://127.0.0.1") && !readable("http://[::1]")
        );
    }
}
