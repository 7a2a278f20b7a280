//! The relay: who is there, and what goes to whom.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::{debug, info, warn};

use crate::{
    client::Client,
    engine::{MAX_PACKET, PING, packets},
    identity::random_name,
    link::{End, Refusal},
    peer::{Act, SIGNAL, connect_error},
    token::Token,
};

/// Clients that a connection needs: who offers and who answers.
const EXPECTED: usize = 2;
/// Sessions of one address that may wait to be let in, and of all together. Beyond that, one of the address that has the most makes
/// room, so that whoever has many addresses keeps nobody else out.
const MAX_WAITING: (usize, usize) = (32, 256);

/// The reason for the end of who says much before it is known whether it may.
const EARLY: &str = "it sent too much before it was let in";

/// What the protocol leaves to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Pause between two pings.
    pub ping_interval: Duration,
    /// How long a client may take to answer one.
    pub ping_timeout: Duration,
    /// How long a client may take to ask to be let in.
    pub join_timeout: Duration,
    /// How long a change to a WebSocket may take.
    pub upgrade_timeout: Duration,
}

impl Default for Times {
    /// Engine.IO's own pings.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            join_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
        }
    }
}

/// How a relay behaves.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// The secret that clients must know; `None`: nobody is asked.
    pub token: Option<Token>,
    /// Clients at once.
    pub max_clients: usize,
    /// See [`Times`].
    pub times: Times,
}

impl RelayOptions {
    /// Clients at once, where nothing else is said.
    pub const MAX_CLIENTS: usize = 64;
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { token: None, max_clients: Self::MAX_CLIENTS, times: Times::default() }
    }
}

/// See the module. Needs a tokio runtime; all functions may be called from any task.
#[derive(Debug)]
pub struct Relay {
    options: RelayOptions,
    clients: Mutex<HashMap<String, Arc<Client>>>,
    carried: watch::Sender<usize>,
}

impl Relay {
    /// A relay without clients.
    #[must_use]
    pub fn new(options: RelayOptions) -> Arc<Self> {
        Arc::new(Self { options, clients: Mutex::default(), carried: watch::Sender::new(0) })
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it behaves.
    #[must_use]
    pub fn options(&self) -> &RelayOptions {
        &self.options
    }

    /// Clients that were let in.
    #[must_use]
    pub fn count(&self) -> usize {
        self.clients().values().filter(|client| client.peer().has_joined()).count()
    }

    /// Opens a session for a client at `from`. `bearer` is the token of its `Authorization` header; `is_socket`: it comes by
    /// WebSocket, and [`Relay::carry`] must follow.
    ///
    /// # Errors
    /// [`Refusal::Full`] when too many of that address wait to be let in, [`Refusal::NoIdentity`].
    pub fn open(
        self: &Arc<Self>,
        from: IpAddr,
        bearer: Option<&str>,
        is_socket: bool,
    ) -> Result<Arc<Client>, Refusal> {
        let admitted =
            self.options.token.as_ref().zip(bearer).is_some_and(|(token, sent)| token.admits(sent));
        let from = network(from);
        let name = || random_name().map_err(|_| Refusal::NoIdentity);
        let client = Arc::new(Client::new((name()?, name()?), from, is_socket, admitted));
        let crowded_out = {
            let mut clients = self.clients();
            let waiting: Vec<&Arc<Client>> =
                clients.values().filter(|client| !client.peer().has_joined()).collect();
            if waiting.iter().filter(|other| other.from == from).count() >= MAX_WAITING.0 {
                return Err(Refusal::Full);
            }
            let crowded_out = if waiting.len() >= MAX_WAITING.1 { longest_of_most(&waiting) } else { None };
            clients.insert(client.session.clone(), client.clone());
            crowded_out
        };
        if let Some(other) = crowded_out {
            self.close(&other, "too many others wait, too", 1013, true);
        }
        debug!(client = %client.name, %from, "signaling session opened");
        if is_socket {
            self.send(&client, client.greeting(self.options.times).into());
        }
        tokio::spawn(keep(self.clone(), client.clone()));
        Ok(client)
    }

    /// The session of that name.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] when there is none.
    pub fn find(&self, session: &str) -> Result<Arc<Client>, Refusal> {
        self.clients().get(session).cloned().ok_or(Refusal::Unknown)
    }

    /// Answers a GET: waits for packets.
    ///
    /// # Errors
    /// [`Refusal::Bad`] when another one waits, which ends the session, or when it uses a WebSocket.
    pub async fn poll(&self, client: &Client) -> Result<String, Refusal> {
        let _turn = client.link.begin_poll().inspect_err(|_| self.confused(client))?;
        Ok(client.link.payload().await)
    }

    /// Answers a POST whose body is read by `body`: the packets in it are taken.
    ///
    /// # Errors
    /// What `body` answers, which ends the session; [`Refusal::Bad`] as [`Relay::poll`].
    pub async fn post(
        &self,
        client: &Arc<Client>,
        body: impl Future<Output = Result<String, Refusal>>,
    ) -> Result<(), Refusal> {
        let _turn = client.link.begin_post().inspect_err(|_| self.confused(client))?;
        let limit = client.message_limit();
        let body =
            body.await.and_then(|body| if body.len() > limit { Err(Refusal::TooLarge) } else { Ok(body) });
        let body = body.inspect_err(|refusal| {
            let reason = match refusal {
                Refusal::TooLarge if limit < MAX_PACKET => EARLY,
                Refusal::TooLarge => "it sent more than 1 MiB",
                _ => "its request broke off",
            };
            self.close(client, reason, 1009, false);
        })?;
        for packet in packets(&body) {
            self.receive(client, packet);
        }
        Ok(())
    }

    /// Two requests at once end a session, but not one that has gone over to a WebSocket.
    fn confused(&self, client: &Client) {
        if client.link.transport() == "polling" {
            self.close(client, "it sent two requests at once", 1002, false);
        }
    }

    /// Takes an Engine.IO packet of a client.
    pub(crate) fn receive(&self, client: &Arc<Client>, packet: &str) {
        client.mark();
        // What follows an end is not heard.
        if !self.clients().contains_key(&client.session) {
            return;
        }
        if packet.len() > client.message_limit() {
            return self.close(client, EARLY, 1009, false);
        }
        let acts = client.peer().hear(packet, self.options.token.as_ref(), Instant::now());
        for act in acts {
            match act {
                Act::Forward { kind, message } => {
                    self.forward(client, kind, packet.get(message).unwrap_or_default())
                }
                act => self.act(client, act),
            }
        }
    }

    /// Takes bytes of a client.
    pub(crate) fn receive_bytes(&self, client: &Arc<Client>, length: usize) {
        client.mark();
        let acts = client.peer().hear_bytes(length, Instant::now());
        for act in acts {
            self.act(client, act);
        }
    }

    fn act(&self, client: &Client, act: Act) {
        match act {
            Act::Send(packet) => self.send(client, packet.into()),
            Act::Join => self.join(client),
            Act::Refused(rejection) => {
                warn!(client = %client.name, code = rejection.code(), "signal refused: {rejection}");
            }
            Act::End(reason) => self.close(client, reason, 1000, false),
            Act::Forward { .. } => {}
        }
    }

    fn send(&self, client: &Client, packet: Utf8Bytes) {
        if client.link.push(packet).is_err() {
            self.close(client, "it does not read what it is sent", 1008, true);
        }
    }

    fn join(&self, client: &Client) {
        let joined = {
            // The lock keeps two from taking the last place.
            let clients = self.clients();
            let others = clients.values().filter(|other| other.peer().has_joined()).count();
            let joined = (others < self.options.max_clients).then_some(others + 1);
            client.peer().set_joined(joined.is_some());
            joined
        };
        let Some(joined) = joined else {
            warn!(client = %client.name, from = %client.from, limit = self.options.max_clients, "signaling client refused: the relay is full");
            self.act(
                client,
                connect_error("SO011", "the relay is full; try later, or raise its limit of clients"),
            );
            return;
        };
        info!(client = %client.name, from = %client.from, transport = client.link.transport(), clients = joined, "signaling client connected");
        if joined > EXPECTED {
            warn!(
                clients = joined,
                "more than {EXPECTED} signaling clients: each message goes to all others"
            );
        }
        self.send(client, format!("40{{\"sid\":\"{}\"}}", client.name).into());
    }

    /// Passes a message on to all others.
    fn forward(&self, client: &Client, kind: &'static str, message: &str) {
        let packet = Utf8Bytes::from(format!("42[\"{SIGNAL}\",{message}]"));
        let others: Vec<Arc<Client>> = {
            let clients = self.clients();
            let others = clients.values().filter(|other| other.session != client.session);
            others.filter(|other| other.peer().has_joined()).cloned().collect()
        };
        info!(client = %client.name, kind, bytes = message.len(), receivers = others.len(), "signal forwarded");
        for other in others {
            self.send(&other, packet.clone());
        }
    }

    /// Ends a session. `at_once`: also what is queued for it is dropped.
    pub(crate) fn close(&self, client: &Client, reason: &str, code: u16, at_once: bool) {
        client.link.end(End { reason: reason.to_owned(), code }, at_once);
        if self.clients().remove(&client.session).is_none() {
            return;
        }
        if client.peer().has_joined() {
            info!(client = %client.name, clients = self.count(), reason, "signaling client disconnected");
        } else {
            info!(client = %client.name, from = %client.from, reason, "signaling client left before it was let in");
        }
    }

    /// The WebSocket that was to carry a session did not come. `is_upgrade`: the session goes on without.
    pub fn abandon(&self, client: &Client, is_upgrade: bool) {
        if is_upgrade {
            client.link.finish_upgrade(false);
        } else {
            self.close(client, "its WebSocket did not come", 1001, true);
        }
    }

    /// Completes when no WebSocket is carried any more; [`Relay::shut_down`] comes first.
    pub async fn settle(&self) {
        // It is a part of the relay, so it is not gone.
        let _ = self.carried.subscribe().wait_for(|carried| *carried == 0).await;
    }

    /// Counts a WebSocket until the answer is dropped.
    pub(crate) fn carrying(&self) -> impl Drop + '_ {
        struct Carried<'a>(&'a watch::Sender<usize>);
        impl Drop for Carried<'_> {
            fn drop(&mut self) {
                self.0.send_modify(|carried| *carried -= 1);
            }
        }
        self.carried.send_modify(|carried| *carried += 1);
        Carried(&self.carried)
    }

    /// Ends all sessions.
    pub fn shut_down(&self) {
        let all: Vec<Arc<Client>> = self.clients().values().cloned().collect();
        for client in all {
            self.close(&client, "the relay ends", 1001, false);
        }
    }
}

/// Of the sessions of the address that has the most of them the one that waits longest.
fn longest_of_most(waiting: &[&Arc<Client>]) -> Option<Arc<Client>> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for client in waiting {
        *counts.entry(client.from).or_default() += 1;
    }
    let (most, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let alike = waiting.iter().filter(|client| client.from == most);
    alike.min_by_key(|client| client.opened).map(|client| Arc::clone(client))
}

/// The address by which clients are counted: of IPv6 the network, since one machine has all of its addresses.
fn network(at: IpAddr) -> IpAddr {
    match at.to_canonical() {
        IpAddr::V6(at) => Ipv6Addr::from_bits(at.to_bits() & !u128::from(u64::MAX)).into(),
        at => at,
    }
}

/// Pings a client, and ends it when it does not answer or does not ask to be let in.
async fn keep(relay: Arc<Relay>, client: Arc<Client>) {
    let times = relay.options.times;
    let pings = async {
        sleep(times.join_timeout).await;
        if !client.peer().has_joined() {
            return "it did not ask to be let in";
        }
        sleep(times.ping_interval.saturating_sub(times.join_timeout)).await;
        loop {
            let mut heard = client.hearing();
            relay.send(&client, PING.into());
            if timeout(times.ping_timeout, heard.changed()).await.is_err() {
                return "it did not answer a ping";
            }
            sleep(times.ping_interval).await;
        }
    };
    tokio::select! {
        reason = pings => relay.close(&client, reason, 1008, true),
        _ = client.link.ended() => {}
    }
}
