//! The listening side: addresses, routes, start and end.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
};

use poem::{
    Endpoint, EndpointExt, Request, Response, Route, get,
    http::{StatusCode, header},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tracing::info;

use crate::{
    accept::{self, App},
    assets::Assets,
    auth::BasicAuth,
    hub::Hub,
    socket::Sockets,
};

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

/// A server that listens and serves from [`Server::run`] on.
pub struct Server {
    listeners: Vec<TcpListener>,
    app: App,
    hub: Arc<Hub>,
    local: Vec<SocketAddr>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on every address.
    ///
    /// # Errors
    /// [`ServerError`] when one of them cannot be used, or the folder of the page cannot.
    pub async fn bind(options: ServerOptions, hub: Arc<Hub>) -> Result<Self, ServerError> {
        let assets = match options.web_root {
            Some(path) => {
                Assets::folder(&path).map_err(|source| ServerError::WebRoot { path: path.clone(), source })?
            }
            None => Assets::Embedded,
        };
        let mut listeners = Vec::new();
        let mut local: Vec<SocketAddr> = Vec::new();
        for address in &options.addresses {
            let failed =
                |source| ServerError::Listen { address: address.clone(), port: options.port, source };
            // With port 0 every address gets the port that the first one was given.
            let port = local.first().map_or(options.port, SocketAddr::port);
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            let found: Vec<SocketAddr> = (bare, port).to_socket_addrs().map_err(failed)?.collect();
            for at in found {
                if local.contains(&at) {
                    continue;
                }
                let listener = TcpListener::bind(at).await.map_err(failed)?;
                local.push(listener.local_addr().map_err(failed)?);
                listeners.push(listener);
            }
        }
        let app = Arc::new(routes(hub.clone(), assets, options.auth));
        Ok(Self { listeners, app, hub, local })
    }

    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Serves until `stop` completes; then clients are told, the media threads end, and open requests get a moment.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            tasks.spawn(accept::serve(listener, self.app.clone(), stopped.clone()));
        }
        let hub = self.hub.clone();
        let clock = tokio::spawn(async move { hub.keep_time().await });
        stop.await;
        info!("stopping");
        let hub = self.hub.clone();
        // Joining threads blocks.
        let _ = tokio::task::spawn_blocking(move || hub.shut_down()).await;
        stopping.send_replace(true);
        while tasks.join_next().await.is_some() {}
        clock.abort();
        self.hub.settle().await;
    }
}

fn routes(
    hub: Arc<Hub>,
    assets: Assets,
    auth: Option<BasicAuth>,
) -> poem::endpoint::BoxEndpoint<'static, Response> {
    let status = hub.clone();
    let app = Route::new()
        .at("/api/health", get(poem::endpoint::make_sync(|_| "ok\n")))
        .at("/api/status", get(poem::endpoint::make_sync(move |_| poem::web::Json(status.status()))))
        .at("/api/websockets", get(Sockets { hub: hub.clone() }))
        .at("/api/websockets/", get(Sockets { hub }))
        .at("/*path", assets.clone())
        .at("/", assets);
    Guarded { inner: app.map_to_response(), auth }.boxed()
}

/// Asks for the password before anything else, except for the health of the process.
struct Guarded<E> {
    inner: E,
    auth: Option<BasicAuth>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let open = request.uri().path() == "/api/health";
        match &self.auth {
            Some(auth) if !open && !auth.admits(request.headers()) => Ok(Response::builder()
                .status(StatusCode::UNAUTHORIZED)
                .header(header::WWW_AUTHENTICATE, "Basic realm=\"selkies-host\", charset=\"UTF-8\"")
                .body("SV021 user and password are needed.\n")),
            _ => self.inner.call(request).await,
        }
    }
}
