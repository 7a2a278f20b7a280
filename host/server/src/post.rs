//! Outgoing messages: to the transport of each client, and through the host's own connections.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use selkies_media::Outlet;
use selkies_plugin_host::{Channel, EncodedPacket, MessageKind, TransportInstance};
use selkies_session::{ClientId, Codec, signaling::Hello, sound::SoundMessages, wire::channel_text};
use tracing::{debug, warn};

use crate::{
    modes::StreamMode,
    queue::{ClientQueue, Outgoing},
    sink::within_hub,
};

/// Close code of a client that does not read (RFC 6455 section 7.4.1: policy violation).
pub(crate) const CLOSE_POLICY: u16 = 1008;

/// A client that came by signaling.
#[derive(Clone, Debug)]
pub(crate) struct Signaled {
    /// What it said of itself.
    pub(crate) hello: Hello,
    /// What stands before each JSON that is sent to it.
    pub(crate) prefix: String,
    /// What signaling came to.
    pub(crate) codec: Option<Codec>,
    /// The session knows it.
    pub(crate) joined: bool,
    /// Its page asked for another connection, which is being made.
    pub(crate) restarts: bool,
}

/// A client as messages reach it.
#[derive(Clone, Debug)]
pub(crate) struct Addressee {
    /// What waits for its WebSocket: everything, or signaling alone.
    pub(crate) queue: Arc<ClientQueue>,
    /// `None` for a client whose WebSocket is the connection.
    pub(crate) signaled: Option<Signaled>,
}

impl Addressee {
    fn mode(&self) -> StreamMode {
        if self.signaled.is_some() { StreamMode::Webrtc } else { StreamMode::Websockets }
    }
}

/// Where packets of the stream go: to the transport plugins, and from those that need it back to the clients' queues.
#[derive(Default)]
pub(crate) struct Post {
    websockets: OnceLock<TransportInstance>,
    webrtc: OnceLock<TransportInstance>,
    clients: RwLock<HashMap<u64, Addressee>>,
    sent_bytes: AtomicU64,
    /// A transport's functions are called by one thread at a time for a client: the sound's thread is beside others.
    telling: Mutex<()>,
    sending: Mutex<()>,
}

impl Post {
    /// Takes a transport for a mode; false when there is one already.
    pub(crate) fn attach(&self, mode: StreamMode, transport: TransportInstance) -> bool {
        self.place(mode).set(transport).is_ok()
    }

    pub(crate) fn transport(&self, mode: StreamMode) -> Option<&TransportInstance> {
        self.place(mode).get()
    }

    fn place(&self, mode: StreamMode) -> &OnceLock<TransportInstance> {
        match mode {
            StreamMode::Websockets => &self.websockets,
            StreamMode::Webrtc => &self.webrtc,
        }
    }

    pub(crate) fn add(&self, client: u64, addressee: Addressee) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).insert(client, addressee);
    }

    pub(crate) fn remove(&self, client: u64) -> Option<Addressee> {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).remove(&client)
    }

    /// Looks at a client.
    pub(crate) fn with<T>(&self, client: u64, look: impl FnOnce(&Addressee) -> T) -> Option<T> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).get(&client).map(look)
    }

    /// Changes what is known of a client that came by signaling.
    pub(crate) fn change<T>(&self, client: u64, change: impl FnOnce(&mut Signaled) -> T) -> Option<T> {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.get_mut(&client)?.signaled.as_mut().map(change)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn queue(&self, client: u64) -> Option<Arc<ClientQueue>> {
        self.with(client, |addressee| addressee.queue.clone())
    }

    /// Whether the client came by signaling.
    pub(crate) fn is_signaled(&self, client: u64) -> bool {
        self.with(client, |addressee| addressee.signaled.is_some()).unwrap_or(false)
    }

    /// Sends what waits for a client, and what comes after it, to another socket.
    pub(crate) fn redirect(&self, client: u64, queue: Arc<ClientQueue>) {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(addressee) = clients.get_mut(&client) {
            let old = std::mem::replace(&mut addressee.queue, queue);
            for waiting in old.take_now() {
                // The new queue is empty but for a line.
                let _ = addressee.queue.push(waiting);
            }
        }
    }

    /// Bytes that wait for all clients together.
    pub(crate) fn queued(&self) -> usize {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.values().map(|addressee| addressee.queue.bytes()).sum()
    }

    /// Bytes queued, or handed to transports that have their own sockets, since the start, for all clients together.
    pub(crate) fn sent(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Queues a message for several clients whose WebSocket is the connection; answers how many it reached.
    pub(crate) fn push_all(&self, clients: &[u64], message: &Outgoing) -> usize {
        let (own, signaled) = self.by_mode(clients.iter().copied());
        if !signaled.is_empty() {
            debug!("a transport that signals emitted on a connection of the host");
        }
        let reached = own.iter().filter(|client| self.push(**client, message.clone())).count();
        self.sent_bytes.fetch_add(message.len() as u64 * reached as u64, Ordering::Relaxed);
        reached
    }

    /// Queues a message. A client whose queue is full is closed.
    pub(crate) fn push(&self, client: u64, message: Outgoing) -> bool {
        let Some(queue) = self.queue(client) else { return false };
        if let Err(overflow) = queue.push(message) {
            warn!(client, %overflow, "client closed");
            queue.close(CLOSE_POLICY, "does not read");
            return false;
        }
        true
    }

    /// Sends a text of the session, to pages of 2.1.0 on data channels in the form that they take there. Answers for whom a
    /// transport refused it.
    pub(crate) fn send_text(&self, to: &[ClientId], text: &str) -> Vec<ClientId> {
        let (own, signaled) = self.by_mode(to.iter().map(|client| client.0));
        let mut refused = self.tell(&own, text);
        let (ours, stock): (Vec<u64>, Vec<u64>) = signaled.into_iter().partition(|&client| {
            let ours = |at: &Addressee| at.signaled.as_ref().is_some_and(|signaled| signaled.hello.own_page);
            self.with(client, ours).unwrap_or(false)
        });
        refused.extend(self.tell_signaled(&ours, text));
        if !stock.is_empty()
            && let Some(text) = channel_text(text)
        {
            refused.extend(self.tell_signaled(&stock, &text));
        }
        refused.into_iter().map(ClientId).collect()
    }

    /// Tells this host's own pages, where they signal, of other ICE servers.
    pub(crate) fn push_servers(&self, json: &str) {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let ours = clients.iter().filter_map(|(&client, addressee)| {
            let signaled = addressee.signaled.as_ref().filter(|signaled| signaled.hello.own_page)?;
            Some((client, format!(r#"{}{{"rtc_config":{json}}}"#, signaled.prefix)))
        });
        let lines: Vec<_> = ours.collect();
        drop(clients);
        for (client, line) in lines {
            self.push(client, Outgoing::Text(line));
        }
    }

    fn tell(&self, clients: &[u64], text: &str) -> Vec<u64> {
        let Some(transport) = self.websockets.get().filter(|_| !clients.is_empty()) else {
            return Vec::new();
        };
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = transport.send_message(clients, Channel::Control, MessageKind::Text, text.as_bytes());
        let sent = sent.inspect_err(|error| debug!(%error, "a message was not sent"));
        if sent.is_ok() { Vec::new() } else { clients.to_vec() }
    }

    /// One by one, so that it is known who misses it.
    fn tell_signaled(&self, clients: &[u64], text: &str) -> Vec<u64> {
        let Some(transport) = self.webrtc.get().filter(|_| !clients.is_empty()) else { return Vec::new() };
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |client: &u64| {
            transport
                .send_message(&[*client], Channel::Control, MessageKind::Text, text.as_bytes())
                .inspect_err(|error| debug!(client, %error, "a message was not sent"))
                .is_err()
        };
        clients.iter().copied().filter(refused).collect()
    }

    /// Sends a packet of sound: as a message where the WebSocket is the connection, with older packets to those who read
    /// that (the flags beside the clients) and lose sound; as `packet` over transports that have their own connections.
    pub(crate) fn send_sound(
        &self,
        to: &[(u64, bool)],
        messages: &SoundMessages,
        packet: impl FnOnce() -> Option<EncodedPacket>,
    ) {
        let (own, signaled) = self.by_mode(to.iter().map(|&(client, _)| client));
        let loses = |client: u64| self.with(client, |at| at.queue.loses_sound()).unwrap_or(false);
        let redundant =
            |client: &u64| messages.redundant.is_some() && to.contains(&(*client, true)) && loses(*client);
        let (lossy, plain): (Vec<u64>, Vec<u64>) = own.into_iter().partition(redundant);
        if let Some(transport) = self.websockets.get() {
            let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
            for (clients, message) in [(plain, Some(&messages.plain)), (lossy, messages.redundant.as_ref())] {
                let Some(message) = message.filter(|_| !clients.is_empty()) else { continue };
                let send =
                    || transport.send_message(&clients, Channel::Control, MessageKind::Binary, message);
                if let Err(error) = within_hub(send) {
                    debug!(%error, "sound was not sent");
                }
            }
        }
        if let Some(transport) = self.webrtc.get().filter(|_| !signaled.is_empty())
            && let Some(packet) = packet()
        {
            let _turn = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
            match within_hub(|| transport.send_packet(&signaled, &packet)) {
                Ok(()) => {
                    let bytes = packet.data.payload().len() as u64 * signaled.len() as u64;
                    self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                Err(error) => debug!(%error, "sound was not sent"),
            }
        }
    }

    /// Those whose WebSocket is the connection, and those that came by signaling.
    fn by_mode(&self, clients: impl Iterator<Item = u64>) -> (Vec<u64>, Vec<u64>) {
        let known = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let known = clients.filter_map(|client| Some((client, known.get(&client)?.mode())));
        let (own, signaled): (Vec<_>, Vec<_>) = known.partition(|(_, mode)| *mode == StreamMode::Websockets);
        let bare = |clients: Vec<(u64, StreamMode)>| clients.into_iter().map(|(client, _)| client).collect();
        (bare(own), bare(signaled))
    }
}

impl Outlet for Post {
    fn send(&self, clients: &[ClientId], packet: &EncodedPacket) {
        let (own, signaled) = self.by_mode(clients.iter().map(|client| client.0));
        if let Some(transport) = self.websockets.get().filter(|_| !own.is_empty())
            && let Err(error) = within_hub(|| transport.send_packet(&own, packet))
        {
            debug!(%error, "a packet was not sent");
            // It counts as sent: a mark makes the clients' writers report that nothing is left to write.
            for client in own {
                self.push(client, Outgoing::Mark((packet.info.frame_id & 0xffff) as u16));
            }
        }
        if let Some(transport) = self.webrtc.get().filter(|_| !signaled.is_empty()) {
            let _turn = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
            match within_hub(|| transport.send_packet(&signaled, packet)) {
                Ok(()) => {
                    let bytes = packet.data.payload().len() as u64 * signaled.len() as u64;
                    self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                // What does not arrive shows in what the transport reports.
                Err(error) => debug!(%error, "a packet was not sent"),
            }
        }
    }

    fn mark(&self, client: ClientId, frame_id: u16) {
        if !self.is_signaled(client.0) {
            self.push(client.0, Outgoing::Mark(frame_id));
        }
    }
}
