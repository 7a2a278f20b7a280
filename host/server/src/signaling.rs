//! `/api/webrtc/signaling` and its older addresses.

use std::{net::IpAddr, sync::Arc};

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, header},
};

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
        let loopback = from.is_some_and(|from| is_local(request.headers(), from));
        let hub = self.hub.clone();
        upgrade(request, &self.hub, StreamMode::Webrtc, MAX_MESSAGE, move |socket| async move {
            serve(&hub, socket, from, loopback).await;
        })
    }
}

/// By these a proxy on this machine tells that the page may be elsewhere.
const PROXIED: [&str; 9] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// Whether the page runs on this machine. Behind a proxy nobody knows; one that says nothing of itself passes on the name by
/// which the page asked, or the page's own origin.
fn is_local(headers: &HeaderMap, from: IpAddr) -> bool {
    let local =
        |value: &str| is_local_name(value.split_once("://").map_or(value, |(_, authority)| authority));
    let named =
        |name: header::HeaderName| headers.get(name).is_none_or(|value| value.to_str().is_ok_and(local));
    from.to_canonical().is_loopback()
        && !PROXIED.iter().any(|name| headers.contains_key(*name))
        && named(header::HOST)
        && named(header::ORIGIN)
}

/// Whether a host, with or without a port, is this machine for whoever asks.
fn is_local_name(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|at| at.to_canonical().is_loopback())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_behind_a_proxy_on_this_machine_are_not_on_it() {
        let local = |pairs: &[(&'static str, &str)], from: &str| {
            let pair = |&(name, value): &(&'static str, &str)| {
                (header::HeaderName::from_static(name), value.parse().expect("a value"))
            };
            is_local(&pairs.iter().map(pair).collect(), from.parse().expect("an address"))
        };
        for host in ["localhost:8082", "127.0.0.1:8082", "[::1]:8082", "LOCALHOST"] {
            assert!(local(&[("host", host)], "127.0.0.1"), "{host}");
        }
        assert!(local(&[("host", "localhost:8082"), ("origin", "http://localhost:8082")], "::1"));
        assert!(local(&[("host", "localhost")], "::ffff:127.0.0.1"));
        assert!(!local(&[("host", "localhost")], "192.0.2.1"));
        for name in PROXIED {
            assert!(!local(&[("host", "localhost"), (name, "x")], "127.0.0.1"), "{name}");
        }
        assert!(!local(&[("host", "desk.example")], "127.0.0.1"), "a proxy that passes the name on");
        assert!(!local(&[("host", "127.0.0.1:8082"), ("origin", "https://desk.example")], "127.0.0.1"));
        assert!(!local(&[("host", "localhost.example")], "127.0.0.1"));
    }
}
