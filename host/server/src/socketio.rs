//! `/socket.io/`: the signaling relay over HTTP, polling and WebSocket.

use std::{net::IpAddr, sync::Arc, time::Duration};

use poem::{
    Endpoint, Request, Response,
    error::ReadBodyError,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use selkies_signaling::{Client, Refusal, Relay};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use crate::{auth::same_origin, upgrade::websocket_key};

/// Where clients look for it.
pub(crate) const PATHS: [&str; 2] = ["/socket.io/", "/socket.io"];
/// How long a client may take to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pages of which sites may use the relay. Programs that are no browsers name none.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Sites beside the relay's own and those on this machine, such as `https://gcom.example`; `*`: all.
    pub allowed: Vec<String>,
}

impl Origins {
    /// With a token the site does not matter: pages of other sites do not know it.
    fn admit(&self, headers: &HeaderMap, has_token: bool) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let named =
            |allowed: &String| allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin);
        has_token || same_origin(headers) || is_local(origin) || self.allowed.iter().any(named)
    }
}

/// True for pages that this machine's own programs serve, such as a developer's.
fn is_local(origin: &str) -> bool {
    let Some(authority) = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme))
    else {
        return false;
    };
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The relay as an endpoint.
pub(crate) struct SocketIo {
    pub(crate) relay: Arc<Relay>,
    pub(crate) origins: Origins,
}

/// What the address of a request says (Engine.IO 4).
struct Query<'a> {
    session: Option<&'a str>,
    is_socket: bool,
}

/// A request that Engine.IO does not serve: its code and message.
struct Unserved(u8, &'static str);

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Result<Self, Unserved> {
        let value = |name| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let is_socket = match value("transport") {
            Some("polling") => false,
            Some("websocket") => true,
            _ => return Err(Unserved(0, "Transport unknown")),
        };
        if value("EIO") != Some("4") {
            return Err(Unserved(5, "Unsupported protocol version"));
        }
        Ok(Self { session: value("sid"), is_socket })
    }
}

impl Endpoint for SocketIo {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        if !self.origins.admit(request.headers(), self.relay.options().token.is_some()) {
            debug!(?origin, "signaling refused a page of another site");
            return Ok(unserved(
                StatusCode::FORBIDDEN,
                4,
                "SV030 pages of this site may not use the relay; allow it in socketio_origins, or set a token",
            ));
        }
        let mut response =
            if request.method() == Method::OPTIONS { preflight() } else { self.serve(request).await };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(origin) = origin {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        Ok(response)
    }
}

impl SocketIo {
    async fn serve(&self, mut request: Request) -> Response {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let query = match Query::read(&query) {
            Ok(query) => query,
            Err(Unserved(code, message)) => return unserved(StatusCode::BAD_REQUEST, code, message),
        };
        let is_get = request.method() == Method::GET;
        if !is_get && (query.session.is_none() || request.method() != Method::POST) {
            return unserved(StatusCode::BAD_REQUEST, 2, "Bad handshake method");
        }
        let served = match (query.is_socket, query.session) {
            (true, session) if is_get => self.socket(&request, session),
            (false, None) => {
                self.open(&request, false).map(|client| text(client.greeting(self.relay.options().times)))
            }
            (false, Some(session)) => match self.relay.find(session) {
                Ok(client) if is_get => self.relay.poll(&client).await.map(text),
                Ok(client) => {
                    let body = body(&mut request, client.message_limit());
                    self.relay.post(&client, body).await.map(|()| text("ok".into()))
                }
                Err(refusal) => Err(refusal),
            },
            (true, _) => Err(Refusal::Bad),
        };
        served.unwrap_or_else(refused)
    }

    fn open(&self, request: &Request, is_socket: bool) -> Result<Arc<Client>, Refusal> {
        let from = request.remote_addr().as_socket_addr().map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip());
        self.relay.open(from, bearer(request.headers()), is_socket)
    }

    fn socket(&self, request: &Request, session: Option<&str>) -> Result<Response, Refusal> {
        let key = websocket_key(request.headers()).ok_or(Refusal::Bad)?;
        let known = session.map(|session| self.relay.find(session)).transpose()?;
        let upgrade = request.take_upgrade().map_err(|_| Refusal::Bad)?;
        let is_upgrade = known.is_some();
        let client = match known {
            Some(client) => client.begin_upgrade().map(|()| client)?,
            None => self.open(request, true)?,
        };
        let relay = self.relay.clone();
        tokio::spawn(async move {
            match upgrade.await {
                Ok(stream) => relay.carry(client, stream, is_upgrade).await,
                Err(error) => {
                    debug!(%error, "the upgrade to a WebSocket failed");
                    relay.abandon(&client, is_upgrade);
                }
            }
        });
        Ok(Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
            .finish())
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The packets of a POST.
fn body(request: &mut Request, limit: usize) -> impl Future<Output = Result<String, Refusal>> + use<> {
    let body = request.take_body();
    async move {
        let bytes = match timeout(BODY_TIMEOUT, body.into_bytes_limit(limit)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(ReadBodyError::PayloadTooLarge)) => return Err(Refusal::TooLarge),
            Ok(Err(_)) | Err(_) => return Err(Refusal::Bad),
        };
        String::from_utf8(bytes.into()).map_err(|_| Refusal::Bad)
    }
}

fn text(body: String) -> Response {
    Response::builder().content_type("text/plain; charset=UTF-8").body(body)
}

fn unserved(status: StatusCode, code: u8, message: &str) -> Response {
    let told = json!({ "code": code, "message": message });
    Response::builder().status(status).content_type("application/json").body(told.to_string())
}

fn refused(refusal: Refusal) -> Response {
    let (status, code) = match refusal {
        Refusal::Unknown => (StatusCode::BAD_REQUEST, 1),
        Refusal::Bad => (StatusCode::BAD_REQUEST, 3),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3),
        Refusal::Full => (StatusCode::TOO_MANY_REQUESTS, 4),
        Refusal::NoIdentity => (StatusCode::SERVICE_UNAVAILABLE, 4),
    };
    unserved(status, code, &refusal.to_string())
}

fn preflight() -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS")
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type")
        .header(header::ACCESS_CONTROL_MAX_AGE, "600")
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_admitted_by_name_by_token_or_when_local() {
        let headers = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("relay.example:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a value"));
            }
            headers
        };
        let origins = Origins { allowed: vec!["https://gcom.example/".into()] };
        for good in [
            None,
            Some("http://relay.example:8080"),
            Some("http://localhost:3000"),
            Some("http://127.0.0.1"),
            Some("http://[::1]:1"),
            Some("https://GCOM.example"),
        ] {
            assert!(origins.admit(&headers(good), false), "{good:?}");
        }
        for bad in [
            "http://gcom.example",
            "https://gcom.example.evil",
            "null",
            "http://localhost.evil",
            "http://127.0.0.1.evil:1",
            "x-localhost://localhost",
        ] {
            assert!(!origins.admit(&headers(Some(bad)), false), "{bad}");
            assert!(origins.admit(&headers(Some(bad)), true), "{bad}: the token decides");
            let all = Origins { allowed: vec!["*".into()] };
            assert!(all.admit(&headers(Some(bad)), false), "{bad}");
        }
    }

    #[test]
    fn addresses_are_engine_io_4s() {
        let read = |query| {
            Query::read(query).map(|query| (query.session, query.is_socket)).map_err(|Unserved(code, _)| code)
        };
        assert_eq!(read("EIO=4&transport=polling&t=x"), Ok((None, false)));
        assert_eq!(read("transport=websocket&EIO=4&sid=abc"), Ok((Some("abc"), true)));
        assert_eq!(read("EIO=4"), Err(0));
        assert_eq!(read(""), Err(0));
        assert_eq!(read("EIO=3&transport=polling"), Err(5));
        assert_eq!(read("transport=polling"), Err(5));
    }
}
