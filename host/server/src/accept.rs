//! The accept loop.
//!
//! It is ours and not poem's, because poem's sets neither `TCP_NODELAY` nor a limit on the time a client may take for
//! its request headers.

use std::{convert::Infallible, io, net::TcpListener as StdListener, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Endpoint, Response,
    endpoint::BoxEndpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

/// How long a client may take to send its request line and headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP connections of one address at once; more wait in the kernel's queue. WebSockets are the session's to count.
const MAX_CONNECTIONS: usize = 1024;
/// Bytes of request line and headers together.
const MAX_HEAD: usize = 32 * 1024;
/// How long a peer may leave unread what it was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Unsent bytes below which the kernel asks for more.
const UNSENT: u32 = 128 * 1024;
/// How long open requests may take after a stop was asked for.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The router, as every connection sees it.
pub(crate) type App = Arc<BoxEndpoint<'static, Response>>;

/// Listeners that are being served.
pub(crate) struct Serving {
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Serving {
    /// Serves these listeners from now on.
    ///
    /// # Errors
    /// When a socket cannot be handed to the runtime; nothing is served then.
    pub(crate) fn start(listeners: Vec<StdListener>, app: &App) -> io::Result<Self> {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(serve(TcpListener::from_std(listener)?, app.clone(), stopped.clone()));
        }
        Ok(Self { stopping, tasks })
    }

    /// Takes no more connections, and completes when open requests have ended.
    pub(crate) async fn stop(mut self) {
        self.stopping.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves until `stop` turns true, then lets open requests end.
async fn serve(listener: TcpListener, app: App, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (app, stop) = (app.clone(), stop.clone());
                connections.spawn(async move {
                    if let Err(error) = connection(stream, app, stop).await {
                        debug!(%peer, %error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of descriptors: more tries at once would only burn a core.
                warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = tokio::time::timeout(STOP_GRACE, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        debug!("connections were still open at the end");
    }
}

async fn connection(
    stream: TcpStream,
    app: App,
    mut stop: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    // A frame must leave when it is written; Nagle's algorithm would hold its tail for a round trip.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY was refused");
    }
    // What the kernel holds unsent is picture that grows old: the socket takes more only when little is left, so that a
    // slow path is felt here at once.
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT) {
        debug!(%error, "TCP_NOTSENT_LOWAT was refused");
    }
    // A peer that takes nothing for so long is gone, or holds a slot for nothing.
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT)) {
        debug!(%error, "TCP_USER_TIMEOUT was refused");
    }
    let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return Ok(()) };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let app = app.clone();
        async move {
            let request = (request, LocalAddr(local.into()), RemoteAddr(remote.into()), Scheme::HTTP).into();
            Ok::<_, Infallible>(hyper::Response::from(app.get_response(request).await))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
