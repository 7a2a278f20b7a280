//! The listening side: addresses, routes, start and end.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
};

use poem::{
    Endpoint, EndpointExt, Request, Response, Route, RouteMethod,
    endpoint::{BoxEndpoint, make, make_sync},
    error::InternalServerError,
    get,
    http::{StatusCode, header},
    post,
    web::Json,
};
use selkies_signaling::Relay;
use tracing::info;

use crate::{
    accept::{App, Serving},
    assets::Assets,
    auth::{BasicAuth, HostNames},
    files::{Downloads, UploadPoint},
    hub::Hub,
    signaling::{self, SignalingSockets},
    socket::Sockets,
    socketio::{Origins, PATHS, SocketIo},
    switch::Switch,
    turn::Turn,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// What the server is told.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Host names or addresses to listen on, at least one.
    pub addresses: Vec<String>,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// A folder that replaces the embedded page.
    pub web_root: Option<PathBuf>,
    /// Who may ask.
    pub auth: Option<BasicAuth>,
    /// Serves requests under any host name even without `auth`. Otherwise only addresses, `localhost`, this machine's
    /// name and `addresses` are served, which keeps pages of other sites out (DNS rebinding).
    pub any_host: bool,
}

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be used.
    #[error("SV001 {address}:{port}: {source}. Choose another --addr or --port")]
    Listen {
        /// The address.
        address: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of the page cannot be used.
    #[error("SV002 --web-root {path}: {source}. Name a folder with an index.html", path = path.display())]
    WebRoot {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Sockets that listen; nobody answers yet. Made before anything else, so that a wrong address or folder stops the
/// start while nothing runs.
pub struct Listening {
    listeners: Vec<StdListener>,
    assets: Assets,
    guard: Guard,
    local: Vec<SocketAddr>,
    plugins: Option<PluginReport>,
    signaling: Option<(Arc<Relay>, Origins)>,
}

/// Answers what `/api/plugins` shows. May block: it reads a file.
type PluginReport = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// A server that listens and serves from [`Server::run`] on.
pub struct Server {
    listeners: Vec<StdListener>,
    app: App,
    hub: Arc<Hub>,
    relay: Option<Arc<Relay>>,
    local: Vec<SocketAddr>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("local", &self.local).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Listening {
    /// Listens on every address.
    ///
    /// # Errors
    /// [`ServerError`] when one of them cannot be used, or the folder of the page cannot.
    pub fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let assets = match options.web_root {
            Some(path) => {
                Assets::folder(&path).map_err(|source| ServerError::WebRoot { path: path.clone(), source })?
            }
            None => Assets::Embedded,
        };
        let (listeners, local) = listen_all(&options.addresses, options.port)?;
        let names = (options.auth.is_none() && !options.any_host).then(|| HostNames::new(options.addresses));
        Ok(Self {
            listeners,
            assets,
            guard: Guard { auth: options.auth, names, own_secret: &[] },
            local,
            plugins: None,
            signaling: None,
        })
    }

    /// Serves what `report` answers as `/api/plugins`. It is called for each request, on a thread that may block.
    #[must_use]
    pub fn with_plugins(self, report: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        Self { plugins: Some(Arc::new(report)), ..self }
    }

    /// Serves a signaling relay at `/socket.io/`. Where it has a token, that is asked for there instead of the password.
    #[must_use]
    pub fn with_signaling(self, relay: Arc<Relay>, origins: Origins) -> Self {
        let own_secret: &[&str] = if relay.options().token.is_some() { &PATHS } else { &[] };
        Self { guard: Guard { own_secret, ..self.guard }, signaling: Some((relay, origins)), ..self }
    }

    /// Puts a hub behind the sockets.
    #[must_use]
    pub fn serve(self, hub: Arc<Hub>) -> Server {
        let relay = self.signaling.as_ref().map(|(relay, _)| relay.clone());
        let app = Arc::new(routes(hub.clone(), self.assets, self.guard, self.plugins, self.signaling));
        Server { listeners: self.listeners, app, hub, relay, local: self.local }
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Serves until `stop` completes; then clients are told, the media threads end, and open requests get a moment.
    ///
    /// # Errors
    /// When a socket cannot be handed to the runtime; nothing was served then.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let serving = Serving::start(self.listeners, &self.app)?;
        let hub = self.hub.clone();
        let clock = tokio::spawn(async move { tokio::join!(hub.keep_time(), hub.follow_servers()) });
        stop.await;
        info!("stopping");
        let hub = self.hub.clone();
        // Joining threads blocks.
        let _ = tokio::task::spawn_blocking(move || hub.shut_down()).await;
        if let Some(relay) = &self.relay {
            relay.shut_down();
        }
        let relayed = async {
            if let Some(relay) = &self.relay {
                relay.settle().await;
            }
        };
        tokio::join!(serving.stop(), self.hub.settle(), relayed);
        clock.abort();
        Ok(())
    }
}

/// Listens on every address of these names.
///
/// # Errors
/// [`ServerError::Listen`] when one of them cannot be used.
pub(crate) fn listen_all(
    addresses: &[String],
    port: u16,
) -> Result<(Vec<StdListener>, Vec<SocketAddr>), ServerError> {
    let mut listeners = Vec::new();
    let mut local: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        let failed = |source| ServerError::Listen { address: address.clone(), port, source };
        // With port 0 every address gets the port that the first one was given.
        let taken = local.first().map_or(port, SocketAddr::port);
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = (bare, taken).to_socket_addrs().map_err(failed)?.collect();
        let before = local.len();
        let mut last = None;
        for at in found {
            if local.contains(&at) {
                continue;
            }
            match listen(at) {
                Ok(listener) => {
                    local.push(listener.local_addr().map_err(failed)?);
                    listeners.push(listener);
                }
                // A name may stand for addresses that this machine does not have (`localhost` without IPv6).
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => last = Some(error),
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(error) = last.filter(|_| local.len() == before) {
            return Err(failed(error));
        }
    }
    Ok((listeners, local))
}

/// Listens; an IPv6 address takes IPv6 only, so that `0.0.0.0` and `::` can stand beside each other.
fn listen(at: SocketAddr) -> io::Result<StdListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::STREAM, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn routes(
    hub: Arc<Hub>,
    assets: Assets,
    guard: Guard,
    plugins: Option<PluginReport>,
    signaling: Option<(Arc<Relay>, Origins)>,
) -> BoxEndpoint<'static, Response> {
    let status = hub.clone();
    let mut app = Route::new();
    if let Some(report) = plugins {
        app = app.at("/api/plugins", get(make(move |_| told(report.clone()))));
    }
    if let Some((relay, origins)) = signaling {
        for path in PATHS {
            app = app.at(path, SocketIo { relay: relay.clone(), origins: origins.clone() });
        }
    }
    for path in signaling::PATHS {
        app = app.at(path, get(SignalingSockets { hub: hub.clone() }));
    }
    let (uploads, downloads) = (UploadPoint { hub: hub.clone() }, Downloads { hub: hub.clone() });
    let app = app
        .at("/api/upload", RouteMethod::new().post(uploads.clone()).get(uploads.clone()).delete(uploads))
        .at("/api/files", get(downloads.clone()))
        .at("/api/files/", get(downloads.clone()))
        .at("/api/files/*path", get(downloads))
        .at("/api/switch", post(Switch { hub: hub.clone() }))
        .at("/api/health", get(make_sync(|_| "ok\n")))
        .at("/api/status", get(make_sync(move |_| Json(status.status()))))
        .at("/turn", get(Turn { hub: hub.clone() }))
        .at("/api/turn", get(Turn { hub: hub.clone() }))
        .at("/api/websockets", get(Sockets { hub: hub.clone() }))
        .at("/api/websockets/", get(Sockets { hub }))
        .at("/*path", assets.clone())
        .at("/", assets);
    Guarded { inner: app.map_to_response(), guard }.boxed()
}

async fn told(report: PluginReport) -> poem::Result<Json<serde_json::Value>> {
    let told = tokio::task::spawn_blocking(move || report()).await;
    told.map(Json).map_err(InternalServerError)
}

/// Who is served.
pub(crate) struct Guard {
    pub(crate) auth: Option<BasicAuth>,
    /// `None` when every name is served.
    pub(crate) names: Option<HostNames>,
    /// Paths whose endpoints ask for a secret of their own instead.
    pub(crate) own_secret: &'static [&'static str],
}

/// Judges a request before anything else sees it, except for the health of the process.
pub(crate) struct Guarded<E> {
    pub(crate) inner: E,
    pub(crate) guard: Guard,
}

impl<E: Endpoint<Output = Response>> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let open = request.uri().path() == "/api/health";
        let Guard { auth, names, own_secret } = &self.guard;
        if own_secret.contains(&request.uri().path()) {
            return self.inner.call(request).await;
        }
        if names.as_ref().is_some_and(|names| !names.admit(request.headers())) {
            return Ok(Response::builder().status(StatusCode::FORBIDDEN).body(
                "SV022 this host is not served under that name without a password. Ask for it by its address, add the \
                 name to --addr, set a password, or start with --allow-unauthenticated.\n",
            ));
        }
        match auth {
            Some(auth) if !open && !auth.admits(request.headers()) => Ok(Response::builder()
                .status(StatusCode::UNAUTHORIZED)
                .header(header::WWW_AUTHENTICATE, "Basic realm=\"selkies-host\", charset=\"UTF-8\"")
                .body("SV021 user and password are needed.\n")),
            _ => self.inner.call(request).await,
        }
    }
}
