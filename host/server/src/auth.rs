//! Who may ask at all: HTTP Basic authentication (RFC 7617) and the origin of WebSockets.

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// A user's name and password, kept as a digest: comparing digests takes the same time whatever was sent.
#[derive(Clone)]
pub struct BasicAuth {
    digest: [u8; 32],
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BasicAuth(***)")
    }
}

impl BasicAuth {
    /// Wants this user and password.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self { digest: Sha256::digest(format!("{user}:{password}")).into() }
    }

    /// True when the headers carry the user and password.
    #[must_use]
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, credentials)| STANDARD.decode(credentials.trim()).ok());
        let Some(sent) = sent else { return false };
        let digest: [u8; 32] = Sha256::digest(&sent).into();
        digest.iter().zip(self.digest).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

/// True unless a page of another site opened the connection: browsers send `Origin`, other clients need not.
/// Without this check every page that a user visits could drive the desktop (cross-site WebSocket hijacking).
pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    // Browsers leave the scheme's own port out, proxies may name it.
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    // Behind a proxy the browser's host stands in X-Forwarded-Host, which no page can forge.
    ["x-forwarded-host", "host"]
        .iter()
        .filter_map(|name| headers.get(*name).and_then(|value| value.to_str().ok()))
        .map(|host| host.trim())
        .any(|host| host.strip_suffix(default_port).unwrap_or(host).eq_ignore_ascii_case(authority))
}

/// The names under which this host may be asked. Without a password only these are served: a page of another site can
/// make its own name point at this machine (DNS rebinding), and its requests are then of the "same origin".
#[derive(Clone, Debug)]
pub(crate) struct HostNames {
    names: Vec<String>,
}

impl HostNames {
    /// This machine's name, `localhost` and `configured` names; addresses are always served.
    pub(crate) fn new(configured: impl IntoIterator<Item = String>) -> Self {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let own = ["localhost".to_owned(), machine.trim().to_owned()];
        let names = own.into_iter().chain(configured).filter(|name| !name.is_empty());
        Self { names: names.map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// True when the request's `Host` is an address or one of the names. Requests without one come from no browser.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.parse::<std::net::IpAddr>().is_ok() || self.names.contains(&name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
            .collect()
    }

    #[test]
    fn only_the_right_password_is_admitted() {
        let auth = BasicAuth::new("user", "pass:word");
        let sent = |text: &str| headers(&[("authorization", &format!("Basic {}", STANDARD.encode(text)))]);
        assert!(auth.admits(&sent("user:pass:word")));
        assert!(!auth.admits(&sent("user:password")));
        assert!(!auth.admits(&sent("")));
        assert!(!auth.admits(&headers(&[("authorization", "Basic !!!")])));
        assert!(!auth.admits(&HeaderMap::new()));
    }

    #[test]
    fn foreign_names_are_not_served() {
        let names = HostNames::new(["Desk.Example".to_owned()]);
        for good in
            ["localhost:8082", "127.0.0.1:8082", "[::1]:8082", "10.0.0.7", "desk.example:1", "DESK.example"]
        {
            assert!(names.admit(&headers(&[("host", good)])), "{good}");
        }
        for bad in ["evil.example:8082", "127.0.0.1.evil.example", "", "[evil]:1", "localhost.evil:8082"] {
            assert!(!names.admit(&headers(&[("host", bad)])), "{bad}");
        }
    }

    #[test]
    fn other_sites_are_refused() {
        assert!(same_origin(&headers(&[("host", "desk:8082")])));
        assert!(same_origin(&headers(&[("host", "desk:8082"), ("origin", "http://desk:8082")])));
        assert!(same_origin(&headers(&[
            ("host", "127.0.0.1:8082"),
            ("x-forwarded-host", "desk.example"),
            ("origin", "https://desk.example")
        ])));
        assert!(!same_origin(&headers(&[("host", "desk:8082"), ("origin", "http://evil.example")])));
        assert!(same_origin(&headers(&[("host", "desk:443"), ("origin", "https://desk")])));
        assert!(!same_origin(&headers(&[("host", "desk:80"), ("origin", "https://desk")])));
        assert!(!same_origin(&headers(&[("host", "desk:8082"), ("origin", "null")])));
    }
}
