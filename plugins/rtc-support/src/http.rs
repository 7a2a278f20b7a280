//! Asks servers for configurations: over HTTP or HTTPS, within limits, without a proxy and without following anybody elsewhere.
//!
//! Certificates are judged by the system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others). Addresses, headers and
//! answers carry secrets: none of them gets into an error's text.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use thiserror::Error;
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, Uri},
    tls::{Certificate, RootCerts, TlsConfig},
};

/// Longest time for an answer, whatever deadline the host gives.
pub const MAX_TIME: Duration = Duration::from_secs(10);
/// Longest time for a connection.
const MAX_CONNECT: Duration = Duration::from_secs(5);
/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// What is not taken as it is in the value of a query.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'+')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@');

/// Why a server gave nothing. No text of it holds an address or a secret.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The deadline has passed.
    #[error("no time is left for a request")]
    NoTime,
    /// The address is none.
    #[error("the address is not http://HOST or https://HOST; correct it")]
    Address,
    /// The address says who asks, which would be sent, and which is shown wherever addresses are.
    #[error("the address holds a user or a password; remove it, a key goes where keys belong")]
    Login,
    /// Nothing answers there.
    #[error("the server cannot be reached ({0})")]
    Unreachable(String),
    /// It took too long.
    #[error("the server did not answer in time ({0})")]
    Timeout(&'static str),
    /// TLS failed.
    #[error("TLS failed ({0}); the certificate must be one that the system's roots vouch for")]
    Tls(String),
    /// The server refuses.
    #[error("the server answered {0}")]
    Status(u16),
    /// The server sends the client elsewhere, where credentials are not sent.
    #[error("the server answered {0}, a redirect, which is not followed; name the final address")]
    Redirect(u16),
    /// More than 64 KiB.
    #[error("the answer is longer than 64 KiB")]
    TooLong,
    /// Nothing, or no UTF-8.
    #[error("the answer is empty or no text")]
    Unreadable,
    /// Anything else.
    #[error("the request failed ({0})")]
    Other(&'static str),
}

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

/// A header's name and value.
pub type Header<'a> = (&'a str, &'a str);

impl Client {
    /// A client that trusts the system's roots.
    #[must_use]
    pub fn new() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let roots: Vec<Certificate<'static>> =
            found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("selkies-host")
            .timeout_connect(Some(MAX_CONNECT))
            // The variables of a proxy would send keys and credentials through somebody who is not named here.
            .proxy(None)
            .build();
        Self { agent: config.into() }
    }

    /// Asks by GET.
    ///
    /// # Errors
    /// [`HttpError`] for everything but a text with a status below 300.
    pub fn get(&self, url: &str, headers: &[Header<'_>], left: Duration) -> Result<String, HttpError> {
        let left = limit(left)?;
        let mut request = self.agent.get(address(url)?).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        text(request.call().map_err(failed)?)
    }

    /// Asks by POST with a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(
        &self,
        url: &str,
        headers: &[Header<'_>],
        json: &str,
        left: Duration,
    ) -> Result<String, HttpError> {
        let left = limit(left)?;
        let mut request = self.agent.post(address(url)?).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        text(request.content_type("application/json").send(json).map_err(failed)?)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Judges an address without asking it.
///
/// # Errors
/// [`HttpError::Address`], and [`HttpError::Login`] for `USER:PASSWORD@HOST`.
pub fn address(url: &str) -> Result<Uri, HttpError> {
    let uri: Uri = url.parse().map_err(|_| HttpError::Address)?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(HttpError::Login);
    }
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_web && uri.host().is_some_and(|host| !host.is_empty()) { Ok(uri) } else { Err(HttpError::Address) }
}

/// A URL with more in its query.
#[must_use]
pub fn with_query(url: &str, members: &[(&str, &str)]) -> String {
    let mut url = url.to_owned();
    for (name, value) in members {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY));
    }
    url
}

/// True for text that can stand in a header as it is.
#[must_use]
pub fn fits_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

fn limit(left: Duration) -> Result<Duration, HttpError> {
    if left.is_zero() { Err(HttpError::NoTime) } else { Ok(left.min(MAX_TIME)) }
}

fn text(mut response: Response<Body>) -> Result<String, HttpError> {
    match response.status() {
        status if status.is_redirection() => return Err(HttpError::Redirect(status.as_u16())),
        status if status.is_success() && status != StatusCode::NO_CONTENT => {}
        status => return Err(HttpError::Status(status.as_u16())),
    }
    let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
    let text = text.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => HttpError::TooLong,
        // The reader of texts says so of what is no UTF-8; TLS says it, too, but with an error of its own inside.
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData && error.get_ref().is_none() => {
            HttpError::Unreadable
        }
        ureq::Error::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
            ) =>
        {
            HttpError::Other("the answer broke off")
        }
        error => failed(error),
    })?;
    if text.trim().is_empty() { Err(HttpError::Unreadable) } else { Ok(text) }
}

fn failed(error: ureq::Error) -> HttpError {
    use ureq::Error as E;
    match error {
        E::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => HttpError::Timeout("connecting"),
        E::Timeout(_) => HttpError::Timeout("reading"),
        E::HostNotFound => HttpError::Unreachable("no such host".into()),
        E::ConnectionFailed => HttpError::Unreachable("connection failed".into()),
        E::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => HttpError::Tls(tls.to_string()),
            None => HttpError::Unreachable(error.kind().to_string()),
        },
        E::Rustls(error) => HttpError::Tls(error.to_string()),
        E::Tls(what) => HttpError::Tls(what.to_owned()),
        E::TooManyRedirects => HttpError::Redirect(302),
        E::BadUri(_) => HttpError::Address,
        E::LargeResponseHeader(..) => HttpError::Other("headers too long"),
        E::Protocol(_) => HttpError::Other("no HTTP"),
        _ => HttpError::Other("unexpected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_cannot_leave_it() {
        let url = with_query("http://a/x?y=1", &[("user", "a&b=c #%\r\n"), ("é", "ü")]);
        assert_eq!(url, "http://a/x?y=1&user=a%26b%3Dc%20%23%25%0D%0A&é=%C3%BC");
        assert_eq!(with_query("http://a/", &[("k", "v")]), "http://a/?k=v");
    }

    #[test]
    fn only_the_web_is_asked() {
        for bad in ["", "a", "/x", "file:///etc/passwd", "ftp://a/", "http://"] {
            assert!(matches!(address(bad), Err(HttpError::Address)), "{bad}");
        }
        assert!(address("https://a.example:1/x?y").is_ok());
        for bad in ["https://user:password@a.example/", "http://user@a/"] {
            assert!(matches!(address(bad), Err(HttpError::Login)), "{bad}");
        }
        assert!(address("https://a.example/@x?y=@").is_ok(), "an @ behind the host says nothing of who asks");
        assert!(fits_header("ada") && !fits_header("a\r\nb") && !fits_header("é") && !fits_header("a b"));
    }
}
