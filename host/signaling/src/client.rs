//! One client of the relay, over whatever transport.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::json;
use tokio::sync::watch;

use crate::{
    engine::MAX_PACKET,
    link::{Link, Refusal},
    peer::Peer,
    relay::Times,
};

/// Longest message of a client before it is let in, in bytes: it has to hold its token.
const MAX_EARLY_MESSAGE: usize = 4 * 1024;

/// One client's session, from its first request on.
#[derive(Debug)]
pub struct Client {
    /// What the client names its session by. Whoever knows it can speak for the client.
    pub(crate) session: String,
    /// What everybody may know, logs too.
    pub(crate) name: String,
    pub(crate) from: IpAddr,
    pub(crate) opened: Instant,
    pub(crate) link: Link,
    peer: Mutex<Peer>,
    heard: watch::Sender<()>,
}

impl Client {
    pub(crate) fn new(
        (session, name): (String, String),
        from: IpAddr,
        is_socket: bool,
        admitted: bool,
    ) -> Self {
        let opened = Instant::now();
        let peer = Mutex::new(Peer::new(admitted, opened));
        Self { session, name, from, opened, link: Link::new(is_socket), peer, heard: watch::Sender::new(()) }
    }

    pub(crate) fn peer(&self) -> MutexGuard<'_, Peer> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Longest message that it may send now, in bytes: [`MAX_PACKET`], and less before it is let in.
    #[must_use]
    pub fn message_limit(&self) -> usize {
        if self.peer().has_joined() { MAX_PACKET } else { MAX_EARLY_MESSAGE }
    }

    /// The client said something.
    pub(crate) fn mark(&self) {
        self.heard.send_replace(());
    }

    /// Told each time the client says something from now on.
    pub(crate) fn hearing(&self) -> watch::Receiver<()> {
        self.heard.subscribe()
    }

    /// The server's greeting, with which a session begins: the body of the answer to who polls. WebSockets get it by themselves.
    #[must_use]
    pub fn greeting(&self, times: Times) -> String {
        let upgrades: &[&str] = if self.link.transport() == "polling" { &["websocket"] } else { &[] };
        let told = json!({
            "sid": self.session,
            "upgrades": upgrades,
            "pingInterval": times.ping_interval.as_millis() as u64,
            "pingTimeout": times.ping_timeout.as_millis() as u64,
            "maxPayload": MAX_PACKET,
        });
        format!("0{told}")
    }

    /// Claims the session for a WebSocket. [`Relay::carry`](crate::Relay::carry) must follow, or
    /// [`Relay::abandon`](crate::Relay::abandon).
    ///
    /// # Errors
    /// [`Refusal::Bad`] when it has one, or another one is being opened.
    pub fn begin_upgrade(&self) -> Result<(), Refusal> {
        self.link.begin_upgrade()
    }
}
