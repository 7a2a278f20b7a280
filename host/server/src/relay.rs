//! The signaling relay on a port of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
};

use poem::{EndpointExt, Route, endpoint::make_sync, get, web::Json};
use selkies_signaling::{Relay, RelayOptions};
use serde_json::json;
use tracing::info;

use crate::{
    accept::{App, Serving},
    auth::HostNames,
    server::{Guard, Guarded, ServerError, listen_all},
    socketio::{Origins, PATHS, SocketIo},
};

/// What the relay's server is told.
#[derive(Clone, Debug)]
pub struct SignalingOptions {
    /// Host names or addresses to listen on, at least one.
    pub addresses: Vec<String>,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// How the relay behaves.
    pub relay: RelayOptions,
    /// Pages of which sites may use it.
    pub origins: Origins,
    /// Serves requests under any host name even without a token, as of [`ServerOptions`](crate::ServerOptions).
    pub any_host: bool,
}

/// A relay that listens and serves from [`SignalingServer::run`] on: Socket.IO at `/socket.io/`, its health at `/`.
pub struct SignalingServer {
    listeners: Vec<StdListener>,
    local: Vec<SocketAddr>,
    relay: Arc<Relay>,
    app: App,
}

impl std::fmt::Debug for SignalingServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignalingServer").field("local", &self.local).finish_non_exhaustive()
    }
}

impl SignalingServer {
    /// Listens on every address.
    ///
    /// # Errors
    /// [`ServerError::Listen`] when one of them cannot be used.
    pub fn bind(options: SignalingOptions) -> Result<Self, ServerError> {
        let (listeners, local) = listen_all(&options.addresses, options.port)?;
        let is_open = options.relay.token.is_none() && !options.any_host;
        let guard =
            Guard { auth: None, names: is_open.then(|| HostNames::new(options.addresses)), own_secret: &[] };
        let relay = Relay::new(options.relay);
        let counted = relay.clone();
        let health = make_sync(move |_| Json(json!({ "status": "ok", "clients": counted.count() })));
        let mut app = Route::new().at("/", get(health));
        for path in PATHS {
            app = app.at(path, SocketIo { relay: relay.clone(), origins: options.origins.clone() });
        }
        let app = Arc::new(Guarded { inner: app.map_to_response(), guard }.boxed());
        Ok(Self { listeners, local, relay, app })
    }

    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Serves until `stop` completes; then clients are told, and open requests get a moment.
    ///
    /// # Errors
    /// When a socket cannot be handed to the runtime; nothing was served then.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let serving = Serving::start(self.listeners, &self.app)?;
        stop.await;
        info!("stopping");
        self.relay.shut_down();
        tokio::join!(serving.stop(), self.relay.settle());
        Ok(())
    }
}
