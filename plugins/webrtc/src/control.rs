//! The thread that makes, negotiates and ends connections: one for all clients, so that everything happens in order, and
//! no caller waits for GStreamer.

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::ClientState;

use crate::{
    answer::{Answer, MAX_CANDIDATES, Media},
    candidate::Policy,
    config::Options,
    connection::{Connection, Event, Listener, announced},
    ending::Endings,
    ice_servers::IceServers,
    peer::Peer,
    signal::{self, Signal},
};

/// Time between two looks at every connection.
const TICK: Duration = Duration::from_millis(100);
/// How long a connection may take to come about; one that is not wanted any more must not keep its threads and sockets.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Least time between two restarts of one client.
const RESTART_APART: Duration = Duration::from_secs(1);

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// A client arrived.
    Open(Arc<Peer>),
    /// A client is gone.
    Close(u64),
    /// A signaling message of a client.
    Signal(u64, Signal),
    /// ICE servers for connections to come.
    Servers(IceServers),
    /// Something happened in a connection of a client; the number says in which.
    Happened(u64, u64, Event),
    /// The end.
    Stop,
}

/// How far the negotiation of a connection is.
#[derive(Debug)]
enum Stage {
    /// No offer yet.
    New,
    Offered(Vec<Media>),
    Answered,
    /// Told to the host; nothing helps but a restart.
    Failed,
}

/// A client and its newest connection.
#[derive(Debug)]
struct Session {
    peer: Arc<Peer>,
    number: u64,
    stage: Stage,
    candidates: usize,
    /// Candidates that came before the answer.
    early: Vec<(u32, String)>,
    began: Instant,
    is_connected: bool,
}

/// What the thread has.
pub(crate) struct Control {
    options: Options,
    servers: IceServers,
    sessions: HashMap<u64, Session>,
    orders: mpsc::Sender<Order>,
    endings: Endings,
    connections: u64,
}

impl Control {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(options: Options) -> std::io::Result<(mpsc::Sender<Order>, thread::JoinHandle<()>)> {
        let (orders, inbox) = mpsc::channel();
        let mut control = Self {
            options,
            servers: IceServers::default(),
            sessions: HashMap::new(),
            orders: orders.clone(),
            endings: Endings::default(),
            connections: 0,
        };
        let thread = thread::Builder::new().name("webrtc-control".to_owned());
        let thread = thread.spawn(move || control.run(&inbox))?;
        Ok((orders, thread))
    }

    fn run(&mut self, inbox: &mpsc::Receiver<Order>) {
        let mut ticked = Instant::now();
        loop {
            let order = if self.sessions.is_empty() && self.endings.is_empty() {
                inbox.recv().ok()
            } else {
                match inbox.recv_timeout(TICK.saturating_sub(ticked.elapsed())) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        ticked = Instant::now();
                        self.tick();
                        continue;
                    }
                    order => order.ok(),
                }
            };
            // Also where one client has something to say all the time.
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
            }
            match order {
                Some(Order::Open(peer)) => self.open(peer),
                Some(Order::Close(client)) => self.close(client),
                Some(Order::Signal(client, signal)) => self.signal(client, signal),
                Some(Order::Servers(servers)) => self.servers = servers,
                Some(Order::Happened(client, number, event)) => self.happened(client, number, event),
                Some(Order::Stop) | None => break,
            }
        }
        let clients: Vec<u64> = self.sessions.keys().copied().collect();
        clients.into_iter().for_each(|client| self.close(client));
        self.endings.wait();
    }

    fn tick(&mut self) {
        self.endings.collect();
        let is_late = |session: &Session| !session.is_connected && session.began.elapsed() > CONNECT_LIMIT;
        let late: Vec<u64> =
            self.sessions.iter().filter(|(_, session)| is_late(session)).map(|(client, _)| *client).collect();
        for client in late {
            self.fail(client, "no connection came about within 20 s; a TURN server may help");
        }
        for session in self.sessions.values() {
            let Some(connection) = session.peer.connection() else { continue };
            for feedback in connection.tick() {
                session.peer.voice.feedback(feedback);
            }
        }
    }

    fn open(&mut self, peer: Arc<Peer>) {
        let client = peer.voice.client();
        let session = Session {
            peer,
            number: 0,
            stage: Stage::New,
            candidates: 0,
            early: Vec::new(),
            began: Instant::now(),
            is_connected: false,
        };
        self.sessions.insert(client, session);
        self.connect(client, "a connection is made");
    }

    /// Makes the first or the next connection of a client.
    fn connect(&mut self, client: u64, reason: &str) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        self.connections += 1;
        let (orders, number) = (self.orders.clone(), self.connections);
        let listener: Listener = Arc::new(move |event| {
            // After the end nobody listens.
            let _ = orders.send(Order::Happened(client, number, event));
        });
        session.number = number;
        session.stage = Stage::New;
        session.candidates = 0;
        session.early.clear();
        session.began = Instant::now();
        session.is_connected = false;
        let peer = session.peer.clone();
        if let Some(old) = peer.replace(None) {
            self.endings.end(old);
        }
        peer.voice.state(ClientState::Connecting, reason);
        let Peer { hello, voice, channels, .. } = &*peer;
        match Connection::open(hello, &self.options, &self.servers, voice, channels, &listener) {
            Ok(connection) => {
                peer.replace(Some(connection));
            }
            Err(error) => self.fail(client, error.text()),
        }
    }

    fn close(&mut self, client: u64) {
        let Some(session) = self.sessions.remove(&client) else { return };
        session.peer.channels.release();
        if let Some(connection) = session.peer.replace(None) {
            self.endings.end(connection);
        }
    }

    fn fail(&mut self, client: u64, reason: &str) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        if !matches!(session.stage, Stage::Failed) {
            session.stage = Stage::Failed;
            tracing::info!(client, reason, "a WebRTC connection failed");
            session.peer.voice.state(ClientState::Failed, reason);
        }
    }

    fn signal(&mut self, client: u64, signal: Signal) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        session.peer.dequeued();
        match signal {
            Signal::Answer(sdp) => self.answer(client, &sdp),
            Signal::Candidate { line, text } => session.candidate(line, &text),
            Signal::EndOfCandidates => {}
            Signal::Restart if session.began.elapsed() < RESTART_APART => {
                tracing::debug!(client, "not restarted: the connection is new");
            }
            Signal::Restart => self.connect(client, "a new connection is made, as asked"),
        }
    }

    fn answer(&mut self, client: u64, sdp: &str) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let Stage::Offered(offered) = &session.stage else {
            tracing::debug!(client, "an answer is not taken: there is no offer that it could answer");
            return;
        };
        let policy = Policy { loopback: session.peer.hello.loopback };
        let taken = Answer::judge(sdp, offered, policy).and_then(|answer| {
            if !answer.refused.is_empty() {
                tracing::info!(client, refused = ?answer.refused, "candidates in an answer are not used");
            }
            session.candidates += answer.brought;
            session.peer.channels.limit(answer.max_message());
            if let Some(connection) = session.peer.connection() {
                connection.answered(&answer)?;
            }
            // With one bundle there is one transport, whatever line a candidate stands in.
            session.early.extend(answer.candidates.into_iter().map(|candidate| (0, candidate)));
            Ok(())
        });
        match taken {
            Ok(()) => {
                session.stage = Stage::Answered;
                for (line, text) in std::mem::take(&mut session.early) {
                    session.forward(line, &text);
                }
            }
            Err(error) => self.fail(client, error.text()),
        }
    }

    fn happened(&mut self, client: u64, number: u64, event: Event) {
        let Some(session) = self.sessions.get_mut(&client).filter(|session| session.number == number) else {
            return;
        };
        let Some(connection) = session.peer.connection() else { return };
        match event {
            Event::Offer(offer) => {
                let (sdp, media) = connection.offered(&offer);
                session.stage = Stage::Offered(media);
                session.peer.voice.signal(&signal::offer(&sdp));
            }
            Event::Candidate { line, text } => {
                for text in announced(&text, &self.options, &self.servers) {
                    session.peer.voice.signal(&signal::candidate(line, &text));
                }
            }
            Event::Connected => {
                let took = u64::try_from(session.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::debug!(client, took, "connected");
                session.is_connected = true;
                session.peer.voice.state(ClientState::Connected, "connected");
                connection.connected();
            }
            Event::Failed(reason) => self.fail(client, &reason),
        }
    }
}

impl Session {
    /// A candidate of the client.
    fn candidate(&mut self, line: u32, text: &str) {
        let client = self.peer.voice.client();
        if self.candidates >= MAX_CANDIDATES {
            return tracing::debug!(client, "a candidate is not used: there are {MAX_CANDIDATES} already");
        }
        self.candidates += 1;
        match (Policy { loopback: self.peer.hello.loopback }).judge(text) {
            Ok(plain) if matches!(self.stage, Stage::Answered) => self.forward(line, &plain),
            Ok(plain) => self.early.push((line, plain)),
            Err(why) => tracing::debug!(client, ?why, "a candidate is not used"),
        }
    }

    fn forward(&self, line: u32, text: &str) {
        // With one bundle there is one transport, whatever line a candidate names.
        if let Some(connection) = self.peer.connection().filter(|_| line < 64) {
            connection.candidate(0, text);
        }
    }
}
