//! A TURN REST service on a port of its own: `GET` and `POST /`, parameters from query, form, JSON or headers.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use poem::{
    Endpoint, EndpointExt, Request, Response, Route,
    endpoint::make_sync,
    get,
    http::{HeaderMap, StatusCode, header},
};
use selkies_turn::rest::{Question, Service};
use tokio::time::timeout;
use tracing::{debug, info};

use crate::{
    accept::{App, Serving},
    auth::HostNames,
    server::{ServerError, listen_all},
};

/// Longest body of a request, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// How long a client may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A service that listens and serves from [`TurnRestServer::run`] on.
pub struct TurnRestServer {
    listeners: Vec<StdListener>,
    local: Vec<SocketAddr>,
    app: App,
}

impl std::fmt::Debug for TurnRestServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnRestServer").field("local", &self.local).finish_non_exhaustive()
    }
}

impl TurnRestServer {
    /// Listens on every address.
    ///
    /// # Errors
    /// [`ServerError::Listen`] when one of them cannot be used.
    pub fn bind(addresses: &[String], port: u16, service: Service) -> Result<Self, ServerError> {
        let (listeners, local) = listen_all(addresses, port)?;
        let names = (!service.wants_key()).then(|| HostNames::new(addresses.to_vec()));
        let rest = Rest { service: Arc::new(service), names };
        let app =
            Route::new().at("/health", get(make_sync(|_| "ok\n"))).at("/", get(rest.clone()).post(rest));
        Ok(Self { listeners, local, app: Arc::new(app.map_to_response().boxed()) })
    }

    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Serves until `stop` completes; open requests get a moment.
    ///
    /// # Errors
    /// When a socket cannot be handed to the runtime; nothing was served then.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let serving = Serving::start(self.listeners, &self.app)?;
        stop.await;
        info!("stopping");
        serving.stop().await;
        Ok(())
    }
}

#[derive(Clone)]
struct Rest {
    service: Arc<Service>,
    /// The names under which it may be asked without a key, besides those of this network: a page of another site can
    /// make its own name point at this machine (DNS rebinding), and read what it is answered.
    names: Option<HostNames>,
}

impl Endpoint for Rest {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let refuse = |status, text: String| {
            Response::builder().status(status).header(header::CACHE_CONTROL, "no-store").body(text)
        };
        let headers = request.headers();
        if self.names.as_ref().is_some_and(|names| !names.admit(headers) && !is_of_this_network(headers)) {
            let text = "TR005 without a key nobody is answered under that name. Ask by the address, or set TURN_API_KEY\n";
            return Ok(refuse(StatusCode::FORBIDDEN, text.into()));
        }
        let question = match timeout(BODY_TIMEOUT, question(&mut request)).await {
            Ok(Some(question)) => question,
            Ok(None) => {
                let text = "TR004 the body is no form or JSON object of texts, or is longer than 16 KiB\n";
                return Ok(refuse(StatusCode::BAD_REQUEST, text.into()));
            }
            Err(_) => {
                let text = "TR006 the body did not come within 5 s\n";
                let mut response = refuse(StatusCode::REQUEST_TIMEOUT, text.into());
                // What still comes of the body is no request.
                response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
                return Ok(response);
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(match self.service.answer(&question, now, &somebody()) {
            Ok(json) => Response::builder()
                .content_type("application/json")
                .header(header::CACHE_CONTROL, "no-store")
                .body(json),
            Err(refusal) => {
                debug!(%refusal, "refused");
                let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
                refuse(status, format!("{refusal}\n"))
            }
        })
    }
}

/// A name without a dot, such as a container's: no page of another site has one.
fn is_of_this_network(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What a request asks: query, then body, then headers; the first that says something counts.
async fn question(request: &mut Request) -> Option<Question> {
    let query = request.uri().query().unwrap_or_default();
    let mut given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let is_json = request.content_type().is_some_and(|kind| kind.starts_with("application/json"));
    let body = request.take_body().into_bytes_limit(MAX_BODY).await.ok()?;
    if is_json && !body.is_empty() {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&body).ok()?;
        given.extend(object.into_iter().filter_map(|(name, value)| match value {
            serde_json::Value::String(text) => Some((name, text)),
            serde_json::Value::Bool(on) => Some((name, on.to_string())),
            _ => None,
        }));
    } else {
        given.extend(form_urlencoded::parse(&body).into_owned());
    }
    let named = |name: &str| given.iter().find(|(known, text)| known == name && !text.is_empty());
    let parameter = |names: &[&str]| names.iter().find_map(|name| Some(named(name)?.1.clone()));
    let header = |names: &[&str]| {
        names.iter().find_map(|name| Some(request.headers().get(*name)?.to_str().ok()?.to_owned()))
    };
    Some(Question {
        service: parameter(&["service"]),
        username: parameter(&["username"]).or_else(|| header(&["x-auth-user", "x-turn-username"])),
        key: parameter(&["key", "api"]),
        protocol: parameter(&["protocol"]).or_else(|| header(&["x-turn-protocol"])),
        tls: parameter(&["tls"]).or_else(|| header(&["x-turn-tls"])),
    })
}

/// A name for somebody who gave none: 16 hexadecimal digits that nobody had before.
fn somebody() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{:016x}", RandomState::new().hash_one(now))
}
