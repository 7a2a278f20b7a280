//! Who is connected, who has a session, and what is passed on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::crowd::{MAX_SILENT, MAX_WAITING, network};
use super::hello::{Form, Hello, HelloError};
use super::message::{MAX_CANDIDATES, PeerMessage, RESTART};
use crate::session::ClientId;

/// Signaling sockets at once.
pub const MAX_SOCKETS: usize = 512;
/// Time from the connection to the first line, and from there to the request for a session.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a session outlives its socket when that was cut (2.1.0's figure).
const HOLD: Duration = Duration::from_secs(3);
/// Least time between two new connections that a page asks for; what comes earlier is dropped, for one is under way.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// One connection to the signaling address. The session that is made over it has the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send a line.
    Send {
        /// On which socket.
        socket: SocketId,
        /// The line.
        text: String,
    },
    /// Close a socket, after what was sent on it.
    Close {
        /// Which.
        socket: SocketId,
        /// WebSocket close code.
        code: u16,
        /// Close reason.
        reason: &'static str,
    },
    /// A page asks for the stream: open it at the transport. Lines for it go to this socket from now on.
    Join {
        /// The socket.
        socket: SocketId,
        /// The new client.
        client: ClientId,
        /// What it said of itself.
        hello: Hello,
        /// What stands before each JSON that is sent to it.
        prefix: String,
    },
    /// A page is back: lines for it, also those that wait, go to this socket from now on.
    Resume {
        /// The socket.
        socket: SocketId,
        /// The client.
        client: ClientId,
    },
    /// Hand a message to the transport.
    Signal {
        /// From whom.
        client: ClientId,
        /// The JSON.
        json: String,
    },
    /// A session is over.
    Leave {
        /// Whose.
        client: ClientId,
        /// Why, for the log.
        reason: &'static str,
    },
}

#[derive(Debug, Clone)]
enum Stage {
    /// Nothing was said yet.
    New { until: Instant },
    /// Greeted, and without a session.
    Greeted { hello: Hello, until: Instant },
    /// With a session.
    Joined(ClientId),
    /// Greeted, and nothing will follow.
    Silent,
}

#[derive(Debug, Clone)]
struct Socket {
    stage: Stage,
    /// The network that it came from, where that is known.
    from: Option<IpAddr>,
    allowance: Allowance,
}

#[derive(Debug, Clone)]
struct Peer {
    hello: Hello,
    /// `None` while the socket is cut.
    socket: Option<SocketId>,
    held_until: Option<Instant>,
    candidates: u32,
    restarted: Option<Instant>,
}

/// The state of all signaling. One caller feeds it what happens and carries out the steps.
#[derive(Debug)]
pub struct Signaling {
    /// The host's name towards pages.
    name: String,
    sockets: BTreeMap<SocketId, Socket>,
    peers: BTreeMap<ClientId, Peer>,
    dropped: u64,
}

impl Signaling {
    /// Nobody is connected. `unique` makes the host's name unlike that of any other.
    #[must_use]
    pub fn new(unique: &str) -> Self {
        Self {
            name: format!("server-{unique}"),
            sockets: BTreeMap::new(),
            peers: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// A connection that passed the server's checks, `from` this address, where one is known. Numbers are never used twice.
    pub fn open(&mut self, now: Instant, socket: SocketId, from: Option<IpAddr>) -> Vec<Step> {
        let from = from.map(network);
        let waits = |other: &&Socket| from.is_some() && other.from == from && other.waits();
        if self.sockets.len() >= MAX_SOCKETS || self.sockets.values().filter(waits).count() >= MAX_WAITING {
            return vec![Step::Close { socket, code: 1013, reason: "Too many clients" }];
        }
        let stage = Stage::New { until: now + PATIENCE };
        self.sockets.insert(socket, Socket { stage, from, allowance: Allowance::new(now) });
        Vec::new()
    }

    /// A line came.
    pub fn text(&mut self, now: Instant, socket: SocketId, text: &str) -> Vec<Step> {
        let mut out = Vec::new();
        let Some(entry) = self.sockets.get_mut(&socket) else { return out };
        if !entry.allowance.take(now) {
            self.shut(socket, 1008, "too many messages", &mut out);
            return out;
        }
        match &entry.stage {
            Stage::New { .. } => self.greet(now, socket, text, &mut out),
            Stage::Greeted { .. } => self.before_session(socket, text, &mut out),
            Stage::Joined(client) => {
                let client = *client;
                self.pass(now, client, text, &mut out);
            }
            Stage::Silent => self.dropped += 1,
        }
        out
    }

    /// The socket is closed. `cut`: without a word; then the session waits for the page to come back, if it can.
    pub fn closed(&mut self, now: Instant, socket: SocketId, cut: bool) -> Vec<Step> {
        let mut out = Vec::new();
        let Some(Socket { stage: Stage::Joined(client), .. }) = self.sockets.remove(&socket) else {
            return out;
        };
        let Some(peer) = self.peers.get_mut(&client).filter(|peer| peer.socket == Some(socket)) else {
            return out;
        };
        if cut && peer.hello.resume_key.is_some() {
            peer.socket = None;
            peer.held_until = Some(now + HOLD);
        } else {
            self.leave(client, "its signaling socket closed", &mut out);
        }
        out
    }

    /// The session of a client was ended elsewhere; its socket is closed by whoever did.
    pub fn ended(&mut self, client: ClientId) {
        let Some(peer) = self.peers.remove(&client) else { return };
        if let Some(entry) = peer.socket.and_then(|socket| self.sockets.get_mut(&socket)) {
            entry.stage = Stage::Silent;
        }
    }

    /// Time passed; due at [`Signaling::next_wakeup`] at the latest.
    pub fn tick(&mut self, now: Instant) -> Vec<Step> {
        let mut out = Vec::new();
        let overdue = self.sockets.iter().filter(|(_, socket)| socket.until().is_some_and(|at| at <= now));
        for socket in overdue.map(|(&socket, _)| socket).collect::<Vec<_>>() {
            self.shut(socket, 1008, "nothing was asked for", &mut out);
        }
        let over = self.peers.iter().filter(|(_, peer)| peer.held_until.is_some_and(|at| at <= now));
        for client in over.map(|(&client, _)| client).collect::<Vec<_>>() {
            self.leave(client, "its signaling socket was cut and did not come back", &mut out);
        }
        out
    }

    /// When [`Signaling::tick`] is due.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        let held = self.peers.values().filter_map(|peer| peer.held_until);
        self.sockets.values().filter_map(Socket::until).chain(held).min()
    }

    /// The host's name towards pages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sessions, those included whose socket is cut.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.peers.len()
    }

    /// Messages that were not passed on, since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn greet(&mut self, now: Instant, socket: SocketId, line: &str, out: &mut Vec<Step>) {
        let hello = match Hello::parse(line) {
            Ok(hello) => hello,
            Err(error) => return self.refuse(socket, error, out),
        };
        if let Some(client) = self.held_by(&hello) {
            return self.resume(client, socket, out);
        }
        out.push(Step::Send { socket, text: "HELLO".to_owned() });
        match hello.form {
            Form::Named => self.stage(socket, Stage::Greeted { hello, until: now + PATIENCE }),
            // In 1.6 the server calls the page, which only waits.
            Form::Numbered => self.join(socket, hello, out),
            Form::NumberedAudio => {
                let silent = self.sockets.iter().filter(|(_, other)| matches!(other.stage, Stage::Silent));
                let silent: Vec<SocketId> = silent.map(|(&silent, _)| silent).collect();
                // Numbers ascend: the first is the oldest.
                if let Some(&oldest) = silent.first().filter(|_| silent.len() >= MAX_SILENT) {
                    self.shut(oldest, 1013, "Too many clients", out);
                }
                self.stage(socket, Stage::Silent);
            }
        }
    }

    /// The session that a page with this key left by a cut, or still has on another socket.
    fn held_by(&self, hello: &Hello) -> Option<ClientId> {
        let key = hello.resume_key.as_deref()?;
        let fits = |peer: &Peer| {
            peer.hello.resume_key.as_deref().is_some_and(|known| same(known, key))
                && (peer.hello.role, peer.hello.slot, peer.hello.form) == (hello.role, hello.slot, hello.form)
        };
        self.peers.iter().find(|(_, peer)| fits(peer)).map(|(&client, _)| client)
    }

    fn resume(&mut self, client: ClientId, socket: SocketId, out: &mut Vec<Step>) {
        let Some(peer) = self.peers.get_mut(&client) else { return };
        peer.held_until = None;
        let old = peer.socket.replace(socket);
        self.stage(socket, Stage::Joined(client));
        // Before the lines that wait for it.
        out.push(Step::Send { socket, text: format!("RESUMED {}", self.name) });
        out.push(Step::Resume { socket, client });
        if let Some(old) = old {
            // The cut reached the page alone.
            self.shut(old, 1000, "Resumed on a new connection.", out);
        }
    }

    fn before_session(&mut self, socket: SocketId, text: &str, out: &mut Vec<Step>) {
        let mut words = text.split_whitespace();
        let reply = |text: &str| Step::Send { socket, text: text.to_owned() };
        match (words.next(), words.next()) {
            (Some("SESSION"), Some(callee)) if callee == "server" || callee == self.name => {
                let stage = self.sockets.get(&socket).map(|entry| entry.stage.clone());
                if let Some(Stage::Greeted { hello, .. }) = stage {
                    out.push(reply(&format!("SESSION_OK {}", self.name)));
                    self.join(socket, hello, out);
                }
            }
            // Only the host is called: pages have nothing to say to each other.
            (Some("SESSION"), Some(_)) => out.push(reply("ERROR peer server not found")),
            (Some("ROOM"), _) => out.push(reply("ERROR rooms are not served here")),
            _ => self.dropped += 1,
        }
    }

    fn join(&mut self, socket: SocketId, hello: Hello, out: &mut Vec<Step>) {
        let client = ClientId(socket.0);
        let prefix = match hello.form {
            Form::Named => format!("{} ", self.name),
            Form::Numbered | Form::NumberedAudio => String::new(),
        };
        let peer = Peer {
            hello: hello.clone(),
            socket: Some(socket),
            held_until: None,
            candidates: 0,
            restarted: None,
        };
        self.peers.insert(client, peer);
        self.stage(socket, Stage::Joined(client));
        out.push(Step::Join { socket, client, hello, prefix });
    }

    /// A line of a session: `<server's name> <json>`, or the JSON alone.
    fn pass(&mut self, now: Instant, client: ClientId, text: &str, out: &mut Vec<Step>) {
        let Some(peer) = self.peers.get_mut(&client) else { return };
        let text = text.trim_start();
        if let (Form::Numbered, Some(socket), true) =
            (peer.hello.form, peer.socket, text.starts_with("SESSION"))
        {
            // A page of 1.6 calls the server that has already begun.
            return out.push(Step::Send { socket, text: "SESSION_OK".to_owned() });
        }
        let json = match text.split_once(char::is_whitespace) {
            _ if text.starts_with('{') => Some(text),
            Some((name, json)) if name == self.name || name == "server" => Some(json),
            _ => None,
        };
        let passed = match json.map(PeerMessage::parse) {
            Some(Ok(PeerMessage::Answer { json })) => Some(json),
            Some(Ok(PeerMessage::Candidate { json })) => {
                peer.candidates += 1;
                (peer.candidates <= MAX_CANDIDATES).then_some(json)
            }
            Some(Ok(PeerMessage::LastCandidate)) => return,
            Some(Ok(PeerMessage::Restart)) => {
                let due = peer.restarted.is_none_or(|at| now >= at + RESTART_INTERVAL);
                if due {
                    peer.restarted = Some(now);
                    peer.candidates = 0;
                }
                due.then(|| RESTART.to_owned())
            }
            Some(Err(_)) | None => None,
        };
        match passed {
            Some(json) => out.push(Step::Signal { client, json }),
            None => self.dropped += 1,
        }
    }

    fn refuse(&mut self, socket: SocketId, error: HelloError, out: &mut Vec<Step>) {
        self.shut(socket, error.code(), error.reason(), out);
    }

    fn shut(&mut self, socket: SocketId, code: u16, reason: &'static str, out: &mut Vec<Step>) {
        out.push(Step::Close { socket, code, reason });
        if let Some(Socket { stage: Stage::Joined(client), .. }) = self.sockets.remove(&socket)
            && self.peers.get(&client).is_some_and(|peer| peer.socket == Some(socket))
        {
            self.leave(client, reason, out);
        }
    }

    fn leave(&mut self, client: ClientId, reason: &'static str, out: &mut Vec<Step>) {
        if self.peers.remove(&client).is_some() {
            out.push(Step::Leave { client, reason });
        }
    }

    fn stage(&mut self, socket: SocketId, stage: Stage) {
        if let Some(entry) = self.sockets.get_mut(&socket) {
            entry.stage = stage;
        }
    }
}

impl Socket {
    /// It is about to get a session, or nothing else.
    fn waits(&self) -> bool {
        matches!(self.stage, Stage::New { .. } | Stage::Greeted { .. })
    }

    fn until(&self) -> Option<Instant> {
        match self.stage {
            Stage::New { until } | Stage::Greeted { until, .. } => Some(until),
            Stage::Joined(_) | Stage::Silent => None,
        }
    }
}

/// Compares two keys in a time that does not tell where they differ.
fn same(known: &str, given: &str) -> bool {
    known.len() == given.len()
        && known.bytes().zip(given.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
