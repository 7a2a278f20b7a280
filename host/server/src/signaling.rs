//! `/api/webrtc/signaling` and its older addresses.

use std::{net::IpAddr, sync::Arc};

use poem::{Endpoint, Request, Response};

use crate::{
    hub::Hub,
    lane::{self, Incoming},
    modes::StreamMode,
    upgrade::{Socket, upgrade},
};

/// Largest line of a page: a session description of 64 KiB and what stands before it.
const MAX_MESSAGE: usize = 68 * 1024;

/// The addresses at which pages of all generations signal: 2.1.0's, and those of the seed era and of selkies-gstreamer 1.6.
pub(crate) const PATHS: [&str; 7] = [
    "/api/webrtc/signaling",
    "/api/webrtc/signaling/",
    "/api/ws",
    "/ws",
    "/ws/",
    "/:app/signaling",
    "/:app/signaling/",
];

/// A signaling address.
pub(crate) struct SignalingSockets {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for SignalingSockets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let from = request.remote_addr().as_socket_addr().map(|at| at.ip());
        let loopback = is_local(&request);
        let hub = self.hub.clone();
        upgrade(request, &self.hub, StreamMode::Webrtc, MAX_MESSAGE, move |socket| async move {
            serve(&hub, socket, from, loopback).await;
        })
    }
}

/// Whether the page runs on this machine. Behind a proxy nobody knows.
fn is_local(request: &Request) -> bool {
    let proxied = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let proxied = proxied.iter().any(|name| request.headers().contains_key(*name));
    let at = request.remote_addr().as_socket_addr().map(|at| at.ip().to_canonical());
    !proxied && at.is_some_and(|at| at.is_loopback())
}

async fn serve(hub: &Arc<Hub>, socket: impl Socket, from: Option<IpAddr>, loopback: bool) {
    let client = hub.open_signaling(from, loopback);
    let hear = |incoming: Incoming<'_>| match incoming {
        Incoming::Text(text) => hub.signaling_text(&client, text),
        // Signaling is text; the first line must be it.
        Incoming::Binary(_) => hub.signaling_text(&client, ""),
        Incoming::Pong(_) => {}
    };
    let ending = lane::serve(socket, client.queue.clone(), hear, || async {}, || {}).await;
    hub.signaling_closed(&client, ending.cut);
}
