//! Where sockets, the session and the media threads meet.
//!
//! The session decides; the hub carries out. Locks are taken in this order and never the other way: signaling, session,
//! stream, parcels of the clipboard, clients, one client's queue. What a transport plugin says from within a call of the host's is put off where it
//! would need one of the first three (`within_hub`).

mod actions;
mod clipboard;
mod clock;
mod commands;
mod files;
mod latency;
mod observer;
mod resize;
mod signaled;
mod sound;
mod status;
mod switch;

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use selkies_config::{Config, StreamSettings};
use selkies_media::{FaultVerdict, Newcomer, PluginFault, RtcConfigs, Stream, Studio};
use selkies_plugin_host::{MessageKind, Plugin, PluginError, TransportInstance};
use selkies_session::{
    Admission, ClientId, Codec, Event, Session,
    signaling::{Signaling, SocketId},
};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use commands::CommandDesk;
use files::FileDesk;

pub use commands::CommandOptions;

use crate::{
    faults::FaultLog,
    modes::{Modes, StreamMode},
    offers::Offers,
    post::{Addressee, CLOSE_POLICY, Post},
    queue::ClientQueue,
    sink::{Said, within_hub},
};

use sound::SoundDesk;
pub use sound::{SoundSource, SpeechSink};

/// What is known of a client that comes over a WebSocket: pages of this protocol decode JPEG.
const HELLO: &str = r#"{"displays":["primary"],"codecs":["jpeg"]}"#;

/// A connected client, as its socket task sees it.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) id: ClientId,
    pub(crate) queue: Arc<ClientQueue>,
}

/// One session with everything around it.
pub struct Hub {
    config: Config,
    session: Mutex<Session>,
    settings: Mutex<StreamSettings>,
    stream: Arc<Stream>,
    post: Arc<Post>,
    studio: OnceLock<Mutex<Option<Studio>>>,
    next_client: AtomicU64,
    timer: Notify,
    deferred: Mutex<VecDeque<Said>>,
    sound: SoundDesk,
    parcels: clipboard::Parcels,
    faults: FaultLog,
    rtc: OnceLock<RtcConfigs>,
    files: OnceLock<FileDesk>,
    commands: OnceLock<CommandDesk>,
    modes: Modes,
    offers: Offers,
    /// Taken before every other lock.
    signaling: Mutex<Signaling>,
    /// The signaling sockets that are open.
    sockets: Mutex<HashMap<SocketId, Arc<ClientQueue>>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub without transport and studio; see [`Hub::attach_transport`] and [`Hub::attach_studio`].
    #[must_use]
    pub fn new(config: Config, session: Session) -> Arc<Self> {
        let post: Arc<Post> = Arc::default();
        let mode = StreamMode::from_name(config.mode()).unwrap_or(StreamMode::Websockets);
        let modes = Modes::new(mode, config.enable_dual_mode());
        let redundancy = config.sound_redundancy();
        Arc::new(Self {
            settings: Mutex::new(config.stream_defaults()),
            config,
            session: Mutex::new(session),
            stream: Arc::new(Stream::new(post.clone())),
            post,
            studio: OnceLock::new(),
            next_client: AtomicU64::new(1),
            timer: Notify::new(),
            deferred: Mutex::default(),
            sound: SoundDesk::new(redundancy),
            parcels: clipboard::Parcels::default(),
            faults: FaultLog::default(),
            rtc: OnceLock::new(),
            files: OnceLock::new(),
            commands: OnceLock::new(),
            modes,
            offers: Offers::default(),
            signaling: Mutex::new(Signaling::new(&unique())),
            sockets: Mutex::default(),
        })
    }

    /// A transport: the first that carries messages of the host's WebSockets serves the clients there, the first that
    /// needs signaling those that come by it. Called before clients come.
    pub fn attach_transport(&self, transport: TransportInstance) {
        let info = transport.info();
        let mode = if info.signaling { StreamMode::Webrtc } else { StreamMode::Websockets };
        if !info.signaling && !info.host_connection {
            warn!("a transport was ignored that neither uses the host's connections nor signals");
        } else if !self.post.attach(mode, transport) {
            warn!(mode = mode.name(), "a second transport for this mode was ignored");
        }
    }

    /// The codecs of the encoders that make whole frames, best first: what is offered where no stripes are carried. Called
    /// before clients come.
    pub fn offer_codecs(&self, codecs: Vec<Codec>) {
        self.offers.set(codecs);
    }

    /// The media threads. Called once, before clients come.
    pub fn attach_studio(&self, studio: Studio) {
        if self.studio.set(Mutex::new(Some(studio))).is_err() {
            warn!("a second studio was ignored");
        }
    }

    /// Where ICE servers come from. Called once, before clients come.
    pub fn attach_rtc(&self, configs: RtcConfigs) {
        if self.rtc.set(configs).is_err() {
            warn!("a second source of ICE servers was ignored");
        }
    }

    /// Where ICE servers come from; `None` where WebRTC cannot be used.
    #[must_use]
    pub fn rtc(&self) -> Option<&RtcConfigs> {
        self.rtc.get()
    }

    /// Who decides what becomes of a plugin after a fault; without one it is always started again. Called once, before
    /// the studio starts.
    pub fn judge_faults(&self, judge: impl Fn(&PluginFault) -> FaultVerdict + Send + Sync + 'static) {
        if !self.faults.judged_by(judge) {
            warn!("a second judge of faults was ignored");
        }
    }

    /// Lets a plugin be used again that a fault barred.
    pub fn admit_plugin(&self, plugin: &str) {
        self.with_studio(|studio| studio.admit(plugin));
        if let Some(rtc) = self.rtc() {
            rtc.admit(plugin);
        }
        self.sound.admit(plugin);
    }

    /// Takes a new version of a plugin into use, see [`Studio::renew`]; 0 places when there is no studio.
    ///
    /// # Errors
    /// What the new version's probe answers.
    pub fn renew_plugin(&self, plugin: &Plugin) -> Result<usize, PluginError> {
        let mut newcomer = None;
        self.with_studio(|studio| newcomer = Some(studio.newcomer(plugin)));
        // Without the studio: input must not wait for a device that is slow to be found.
        let Some(renewal) = newcomer.map(Newcomer::probe).transpose()? else { return Ok(0) };
        let mut places = self.rtc().map_or(0, |rtc| rtc.renew(plugin)) + self.sound.renew(plugin);
        self.with_studio(|studio| places += studio.renew(renewal));
        Ok(places)
    }

    /// The stream, for the studio.
    #[must_use]
    pub fn stream(&self) -> Arc<Stream> {
        self.stream.clone()
    }

    /// What the operator configured.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Lets a client in whose WebSocket is the connection.
    pub(crate) fn open(&self, admission: Admission) -> Connected {
        let id = self.next_id();
        let queue = Arc::new(ClientQueue::default());
        self.post.add(id, Addressee { queue: queue.clone(), signaled: None });
        if let Some(transport) = self.post.transport(StreamMode::Websockets)
            && let Err(error) = transport.client_open(id, HELLO)
        {
            warn!(%error, client = id, "the transport refuses the client");
            queue.close(CLOSE_POLICY, "refused by the transport");
        }
        info!(client = id, role = ?admission.role, "client connected");
        let id = ClientId(id);
        let role = admission.role;
        self.handle(Event::ClientOpened { client: id, admission });
        self.arrived(id, role);
        Connected { id, queue }
    }

    /// A message arrived on a client's socket.
    pub(crate) fn receive(&self, client: ClientId, kind: MessageKind, payload: &[u8]) {
        let Some(transport) = self.post.transport(StreamMode::Websockets) else { return };
        if let Err(error) = transport.receive(client.0, kind, payload) {
            debug!(%error, client = client.0, "a message was dropped");
        }
    }

    /// Everything queued for a client was written.
    pub(crate) fn drained(&self, client: ClientId) {
        self.stream.drained(client);
        self.continue_clipboard(client);
    }

    /// A client's browser answered a mark.
    pub(crate) fn delivered(&self, client: ClientId, frame_id: u16) {
        self.stream.delivered(client, frame_id);
    }

    /// A client is gone.
    pub(crate) fn close(&self, client: ClientId, reason: &str) {
        // First, so that nothing lets it into the session any more.
        let Some(addressee) = self.post.remove(client.0) else { return };
        self.handle(Event::ClientClosed { client });
        self.parcels.drop(client);
        self.drop_uploads(client);
        self.went(client);
        self.stream.leave(client);
        let mode = if addressee.signaled.is_some() { StreamMode::Webrtc } else { StreamMode::Websockets };
        if let Some(transport) = self.post.transport(mode) {
            transport.client_close(client.0, reason);
        }
        info!(client = client.0, reason, "client left");
    }

    /// Tells the clients that the host ends, releases what they hold and stops the media threads. Blocks until the
    /// threads ended.
    pub fn shut_down(&self) {
        self.handle(Event::ShutDown { last: false });
        self.end_signaling();
        self.sound.end();
        self.end_commands();
        if let Some(studio) = self.studio() {
            studio.stop();
        }
    }

    pub(crate) fn post(&self) -> &Post {
        &self.post
    }

    /// The name of the mode that pages are to use.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        self.modes.current().name()
    }

    /// Whether the mode that the settings name has a transport.
    #[must_use]
    pub fn serves_its_mode(&self) -> bool {
        self.serves(self.modes.current())
    }

    pub(crate) fn modes(&self) -> &Modes {
        &self.modes
    }

    fn next_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    fn studio(&self) -> Option<Studio> {
        self.studio.get()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn with_studio(&self, act: impl FnOnce(&Studio)) {
        if let Some(cell) = self.studio.get()
            && let Some(studio) = &*cell.lock().unwrap_or_else(PoisonError::into_inner)
        {
            act(studio);
        }
    }

    /// Gives the session an event and carries out what it answers, before anybody else's event.
    pub(crate) fn handle(&self, event: Event<'_>) {
        let heard = Instant::now();
        let mut session = self.session();
        let before = session.next_wakeup();
        let actions = session.handle(Instant::now(), event);
        within_hub(|| actions.into_iter().for_each(|action| self.carry_out(action, heard)));
        if session.next_wakeup() != before {
            self.timer.notify_one();
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Letters and digits by which pages tell this host from the one that ran before it.
fn unique() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}
