//! Clients that come by signaling: from their first line to the stream.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, MutexGuard, PoisonError},
    time::Instant,
};

use selkies_media::RtcConfigs;
use selkies_session::{
    Arrival, ClientId, Codec, Event,
    signaling::{Hello, RESTART, Signaling, SocketId, Step},
};
use serde_json::json;
use tracing::{debug, info, warn};

use super::Hub;
use crate::{
    modes::StreamMode,
    post::{Addressee, Signaled},
    queue::{ClientQueue, Outgoing},
    sink::is_in_mask,
};

/// Close code of a connection that ended for a reason of this host's, after which pages come again (2.1.0).
const CLOSE_GOING_AWAY: u16 = 1001;
/// Close code of a page that shall not come again by itself (2.1.0).
const CLOSE_REFUSED: u16 = 4000;
/// Close code of a page whose place another one took (2.1.0).
const CLOSE_SUPERSEDED: u16 = 4001;
/// Close code of a connection that this host cannot serve (RFC 6455 section 7.4.1).
const CLOSE_INTERNAL: u16 = 1011;

/// A signaling socket, as its task sees it.
#[derive(Clone, Debug)]
pub(crate) struct SignalingSocket {
    pub(crate) id: SocketId,
    pub(crate) queue: Arc<ClientQueue>,
    /// The page runs on this machine.
    pub(crate) loopback: bool,
}

/// What the session's close codes, made for WebSockets, are in signaling: a page of 2.1.0 comes again after any but 4000
/// and 4001.
pub(super) fn signaled_code(code: u16) -> u16 {
    match code {
        1000 => CLOSE_SUPERSEDED,
        1008 | 1013 => CLOSE_REFUSED,
        1012 => CLOSE_GOING_AWAY,
        4002 => CLOSE_SUPERSEDED,
        code => code,
    }
}

impl Hub {
    /// A connection to the signaling address that passed the server's checks, from this address, where one is known.
    pub(crate) fn open_signaling(&self, from: Option<IpAddr>, loopback: bool) -> SignalingSocket {
        let socket = SignalingSocket { id: SocketId(self.next_id()), queue: Arc::default(), loopback };
        self.sockets().insert(socket.id, socket.queue.clone());
        self.signal(&socket, |signaling, now, id| signaling.open(now, id, from));
        socket
    }

    /// A line came on a signaling socket.
    pub(crate) fn signaling_text(&self, socket: &SignalingSocket, text: &str) {
        self.signal(socket, |signaling, now, id| signaling.text(now, id, text));
    }

    /// A signaling socket is closed; `cut` without a word.
    pub(crate) fn signaling_closed(&self, socket: &SignalingSocket, cut: bool) {
        self.sockets().remove(&socket.id);
        self.signal(socket, |signaling, now, id| signaling.closed(now, id, cut));
    }

    /// Closes every signaling socket, also those without a session.
    pub(super) fn end_signaling(&self) {
        for queue in self.sockets().values() {
            let _ = queue.push(Outgoing::Close(CLOSE_GOING_AWAY, "Server going away.".to_owned()));
        }
    }

    /// What `/api/status` shows of it.
    pub(super) fn signaling_status(&self) -> serde_json::Value {
        let signaling = self.signaling();
        json!({ "sessions": signaling.sessions(), "dropped": signaling.dropped() })
    }

    /// When [`Hub::tick_signaling`] is due.
    pub(super) fn signaling_due(&self) -> Option<Instant> {
        self.signaling().next_wakeup()
    }

    /// Ends what waited too long.
    pub(super) fn tick_signaling(&self) {
        let mut signaling = self.signaling();
        let steps = signaling.tick(Instant::now());
        for step in steps {
            match step {
                // The task of the socket is told by its queue, which only the client's entry names.
                Step::Leave { client, reason } => self.close(client, reason),
                Step::Close { socket, code, reason } => self.close_signaling(socket, code, reason),
                other => debug!(?other, "time alone asked for this"),
            }
        }
    }

    /// Hands ICE servers on that change while clients are connected, until the host ends: to the transport, for connections
    /// to come, and to this host's own pages. For pages of 2.1.0 there is no form; they ask again when they connect.
    pub(crate) async fn follow_servers(&self) {
        let Some(mut servers) = self.rtc().map(RtcConfigs::watch) else { return };
        while servers.changed().await.is_ok() {
            let newest = servers.borrow_and_update().clone();
            if let Some(json) = newest {
                self.take_servers(&json);
                self.post.push_servers(&json);
            }
        }
    }

    fn take_servers(&self, json: &str) {
        if let Some(transport) = self.post.transport(StreamMode::Webrtc)
            && let Err(error) = transport.rtc_config(json)
        {
            warn!(%error, "the transport does not take the ICE servers");
        }
    }

    fn signal(
        &self,
        socket: &SignalingSocket,
        change: impl FnOnce(&mut Signaling, Instant, SocketId) -> Vec<Step>,
    ) {
        // Kept while the steps are carried out: those of one client must not overtake each other.
        let mut signaling = self.signaling();
        let before = signaling.next_wakeup();
        let steps = change(&mut signaling, Instant::now(), socket.id);
        steps.into_iter().for_each(|step| self.step(socket, step));
        if signaling.next_wakeup() != before {
            self.timer.notify_one();
        }
    }

    fn step(&self, socket: &SignalingSocket, step: Step) {
        match step {
            Step::Send { text, .. } => {
                if socket.queue.push(Outgoing::Text(text)).is_err() {
                    socket.queue.close(CLOSE_INTERNAL, "does not read");
                }
            }
            Step::Close { socket: at, code, reason } if at == socket.id => {
                let _ = socket.queue.push(Outgoing::Close(code, reason.to_owned()));
            }
            Step::Close { socket: at, code, reason } => self.close_signaling(at, code, reason),
            Step::Join { client, hello, prefix, .. } => self.join(client, socket, hello, prefix),
            Step::Resume { client, .. } => {
                self.post.redirect(client.0, socket.queue.clone());
                info!(client = client.0, "client resumed its signaling");
            }
            Step::Signal { client, json } => {
                if json == RESTART {
                    self.post.change(client.0, |signaled| signaled.restarts = true);
                }
                if let Some(transport) = self.post.transport(StreamMode::Webrtc)
                    && let Err(error) = transport.signal(client.0, &json)
                {
                    debug!(%error, client = client.0, "a signaling message was dropped");
                }
            }
            Step::Leave { client, reason } => self.close(client, reason),
        }
    }

    /// Opens a client at the transport, which offers then.
    fn join(&self, client: ClientId, socket: &SignalingSocket, hello: Hello, prefix: String) {
        let Some(transport) = self.post.transport(StreamMode::Webrtc) else { return };
        let mask = transport.info().codec_mask;
        let carried = |codec: Codec| is_in_mask(codec, mask);
        let watched = self.session().clients() > 0;
        let codecs = self.offers.to(hello.codecs.as_deref(), carried, watched);
        let mut names: Vec<&str> = codecs.iter().map(|codec| codec.name()).collect();
        if transport.info().audio && self.sound.is_offered() && self.config.sound().channels <= 2 {
            // Every browser that has WebRTC has it (RFC 7874), in stereo.
            names.push("opus");
        }
        let mut said = json!({ "displays": ["primary"], "codecs": names });
        if let Some(tab) = &hello.tab {
            said["viewer"] = tab.as_str().into();
        }
        if socket.loopback {
            said["loopback"] = true.into();
        }
        if hello.own_page {
            // It plays both as they come; a browser that keeps them together delays the picture.
            said["sound_apart"] = true.into();
        }
        let role = hello.role;
        let signaled = Signaled { hello, prefix, codec: None, joined: false, restarts: false };
        self.post.add(client.0, Addressee { queue: socket.queue.clone(), signaled: Some(signaled) });
        info!(client = client.0, ?role, ?names, "client signals");
        if let Some(servers) = self.rtc().and_then(RtcConfigs::current) {
            self.take_servers(&servers);
        }
        if let Err(error) = transport.client_open(client.0, &said.to_string()) {
            warn!(%error, client = client.0, "the transport refuses the client");
            // For good: a page that is served otherwise, too, turns to that.
            let _ = socket.queue.push(Outgoing::Close(CLOSE_REFUSED, "refused by the transport".to_owned()));
        }
    }

    /// Signaling came to a codec.
    pub(super) fn agreed(&self, client: ClientId, codec: Codec) {
        let joined = self.post.change(client.0, |signaled| {
            signaled.codec = Some(codec);
            signaled.joined
        });
        if joined == Some(true) {
            self.handle(Event::CodecAgreed { client, codec });
        }
    }

    /// Packets flow to a client: it joins the session.
    pub(super) fn connected(&self, client: ClientId) {
        let restarted = self.post.change(client.0, |signaled| {
            // What is asked for before the first connection is that one.
            std::mem::take(&mut signaled.restarts) && signaled.joined
        });
        if restarted == Some(true) {
            info!(client = client.0, "client has another connection");
            return self.handle(Event::ClientRestarted { client });
        }
        let arrival = self.post.change(client.0, |signaled| {
            let first = !std::mem::replace(&mut signaled.joined, true);
            first.then(|| Arrival {
                admission: signaled.hello.admission(),
                tab: signaled.hello.tab.clone(),
                size: signaled.hello.page_size,
                codec: signaled.codec,
            })
        });
        let Some(arrival) = arrival.flatten() else { return };
        info!(client = client.0, role = ?arrival.admission.role, codec = ?arrival.codec, "client connected");
        let role = arrival.admission.role;
        self.handle(Event::ClientSignaled { client, arrival });
        self.arrived(client, role);
        // It may have left meanwhile, before the session knew it.
        if self.post.queue(client.0).is_none() {
            self.handle(Event::ClientClosed { client });
            self.went(client);
            self.stream.leave(client);
        }
    }

    /// The connection to a client failed, or its transport gives it up.
    pub(super) fn failed(&self, client: ClientId, reason: &str) {
        let Some(queue) = self.post.queue(client.0) else { return };
        if self.post.is_signaled(client.0) {
            debug!(client = client.0, reason, "the connection failed");
            let _ = queue.push(Outgoing::Close(CLOSE_GOING_AWAY, "the connection failed".to_owned()));
        } else {
            queue.close(crate::post::CLOSE_POLICY, reason);
        }
    }

    /// A message of the session was not taken by a client's data channel: what its page believes is no longer so, and it begins
    /// anew. Not while its connection is made anew, after which it is greeted again, nor beside content of the clipboard, which
    /// fills the channel on a slow path and is more than a missed pointer.
    pub(super) fn missed(&self, client: ClientId) {
        let stays = |at: &Addressee| at.signaled.as_ref().is_none_or(|signaled| signaled.restarts);
        if self.post.with(client.0, stays).unwrap_or(true) || self.has_parcel(client) {
            return;
        }
        warn!(client = client.0, "a message was not taken: the client begins anew");
        self.post.push(client.0, Outgoing::Close(CLOSE_GOING_AWAY, "a message was not taken".to_owned()));
    }

    /// Closes a signaling socket that another task serves.
    fn close_signaling(&self, socket: SocketId, code: u16, reason: &'static str) {
        let known = self.sockets().get(&socket).cloned();
        if let Some(queue) = known {
            let _ = queue.push(Outgoing::Close(code, reason.to_owned()));
        }
    }

    fn sockets(&self) -> MutexGuard<'_, HashMap<SocketId, Arc<ClientQueue>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signaling(&self) -> MutexGuard<'_, Signaling> {
        self.signaling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_shall_stay_away_are_told_so_in_the_codes_they_know() {
        for (session, signaled) in
            [(1000, 4001), (1001, 1001), (1012, 1001), (1008, 4000), (1013, 4000), (4002, 4001)]
        {
            assert_eq!(signaled_code(session), signaled, "{session}");
        }
    }
}
