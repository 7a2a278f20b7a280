//! Where sockets, the session and the media threads meet.
//!
//! The session decides; the hub carries out. Locks are taken in this order and never the other way: session, stream,
//! clients, one client's queue. What a transport plugin calls back ([`TransportSink`]) touches the last two only,
//! except for messages of clients, which come in on the sockets' tasks.

mod latency;
mod status;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use selkies_config::{ClientSettings, Config, StreamSettings, encoder_wire_name};
use selkies_media::{FaultVerdict, Newcomer, Observer, PluginFault, RtcConfigs, Stream, Studio};
use selkies_plugin_host::{Channel, MessageKind, Plugin, PluginError, TransportInstance};
use selkies_session::{
    Action, Admission, ClientId, Codec, Codecs, CursorShape, Event, Session,
    pacing::Priority,
    wire::{RateControl, Tuning},
};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::{
    faults::FaultLog,
    post::{CLOSE_POLICY, Post},
    queue::{ClientQueue, Outgoing},
    sink::{Said, within_hub},
};

/// What this version knows of a client: pages of this protocol decode JPEG.
const HELLO: &str = r#"{"displays":["primary"],"codecs":["jpeg"]}"#;
/// Messages of a transport that may be put off.
const MAX_DEFERRED: usize = 1024;
/// How long the host waits for clients to take their farewell.
const SETTLE: Duration = Duration::from_millis(1500);

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
    faults: FaultLog,
    rtc: OnceLock<RtcConfigs>,
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
            faults: FaultLog::default(),
            rtc: OnceLock::new(),
        })
    }

    /// The transport that every client uses. Called once, before clients come.
    pub fn attach_transport(&self, transport: TransportInstance) {
        if self.post.transport.set(transport).is_err() {
            warn!("a second transport was ignored");
        }
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
        let mut places = self.rtc().map_or(0, |rtc| rtc.renew(plugin));
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

    /// Lets a client in.
    pub(crate) fn open(&self, admission: Admission) -> Connected {
        let id = self.next_client.fetch_add(1, Ordering::Relaxed);
        let queue = Arc::new(ClientQueue::default());
        self.post.add(id, queue.clone());
        if let Some(transport) = self.post.transport.get()
            && let Err(error) = transport.client_open(id, HELLO)
        {
            warn!(%error, client = id, "the transport refuses the client");
            queue.close(CLOSE_POLICY, "refused by the transport");
        }
        info!(client = id, role = ?admission.role, "client connected");
        let id = ClientId(id);
        self.handle(Event::ClientOpened { client: id, admission });
        Connected { id, queue }
    }

    /// A message arrived on a client's socket.
    pub(crate) fn receive(&self, client: ClientId, kind: MessageKind, payload: &[u8]) {
        let Some(transport) = self.post.transport.get() else { return };
        if let Err(error) = transport.receive(client.0, kind, payload) {
            debug!(%error, client = client.0, "a message was dropped");
        }
    }

    /// Everything queued for a client was written.
    pub(crate) fn drained(&self, client: ClientId) {
        self.stream.drained(client);
    }

    /// A client's browser answered a mark.
    pub(crate) fn delivered(&self, client: ClientId, frame_id: u16) {
        self.stream.delivered(client, frame_id);
    }

    /// A client's socket is closed.
    pub(crate) fn close(&self, client: ClientId, reason: &str) {
        self.handle(Event::ClientClosed { client });
        self.stream.leave(client);
        if let Some(transport) = self.post.transport.get() {
            transport.client_close(client.0, reason);
        }
        self.post.remove(client.0);
        info!(client = client.0, reason, "client left");
    }

    /// Tells the clients that the host ends, releases what they hold and stops the media threads. Blocks until the
    /// threads ended.
    pub fn shut_down(&self) {
        self.handle(Event::ShutDown { last: false });
        if let Some(studio) = self.studio() {
            studio.stop();
        }
    }

    pub(crate) fn post(&self) -> &Post {
        &self.post
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
        let mut session = self.session();
        let before = session.next_wakeup();
        let actions = session.handle(Instant::now(), event);
        within_hub(|| actions.into_iter().for_each(|action| self.carry_out(action)));
        if session.next_wakeup() != before {
            self.timer.notify_one();
        }
    }

    fn carry_out(&self, action: Action) {
        match action {
            Action::SendText { to, text } => self.send_text(&to, &text),
            Action::Close { client, code, reason } => {
                self.post.push(client.0, Outgoing::Close(code, reason.to_owned()));
            }
            Action::Inject(events) => self.with_studio(|studio| studio.inject(events)),
            Action::ReleaseAllInput => {
                self.with_studio(|studio| studio.inject(vec![selkies_session::InputEvent::ResetKeyboard]));
            }
            Action::ResizeDisplay { width, height } => {
                self.with_studio(|studio| studio.resize(width, height))
            }
            Action::ApplySettings { client, json } => self.apply(client, &json),
            Action::Tune { client, tuning } => self.tune(client, &tuning),
            Action::StartVideo { client, lead } => {
                self.stream.start(client, if lead { Priority::Lead } else { Priority::Follower });
            }
            Action::SetLead { client } => self.stream.lead(client),
            Action::StopVideo { client } => self.stream.stop(client),
            Action::ChooseAmong(codecs) => self.with_studio(|studio| studio.choose_among(codecs)),
            Action::RequestKeyframe => self.with_studio(Studio::request_keyframe),
            Action::FrameAcked { client, frame_id, held_ms } => {
                self.stream.acknowledge(client, frame_id, held_ms)
            }
            Action::Staged { client, reports } => self.stream.staged(client, &reports),
            Action::FrameLost { client, frame_id } => self.stream.lose(client, frame_id),
            Action::DecodePace { client, fps } => self.stream.decodes(client, fps),
            Action::KeepsPackets { client } => self.stream.keeps(client),
            Action::Refused { client, refusal } => {
                debug!(client = client.0, ?refusal, "a message was refused")
            }
            Action::SetScale { client, dpi } => self.apply(client, &format!(r#"{{"scaling_dpi":{dpi}}}"#)),
            // Features that this host does not have yet; the policy switches off what clients are told of.
            Action::SetNativeCursor(_)
            | Action::StartAudio { .. }
            | Action::StopAudio { .. }
            | Action::Clipboard { .. }
            | Action::RunCommand { .. }
            | Action::Upload { .. }
            | Action::Microphone { .. } => {}
        }
    }

    fn send_text(&self, to: &[ClientId], text: &str) {
        let Some(transport) = self.post.transport.get() else { return };
        let clients: Vec<u64> = to.iter().map(|client| client.0).collect();
        if let Err(error) =
            transport.send_message(&clients, Channel::Control, MessageKind::Text, text.as_bytes())
        {
            debug!(%error, "a message was not sent");
        }
    }

    /// The owner's SETTINGS: what the operator allows of them.
    fn apply(&self, client: ClientId, json: &str) {
        match ClientSettings::parse(json) {
            Ok(wishes) => self.adopt(client, &wishes),
            Err(error) => warn!(client = client.0, %error, "settings were not taken over"),
        }
    }

    fn tune(&self, client: ClientId, tuning: &Tuning) {
        let wish = match tuning {
            Tuning::Framerate(fps) => serde_json::json!({ "framerate": fps }),
            Tuning::VideoBitrate(kbps) => serde_json::json!({ "video_bitrate": kbps }),
            Tuning::Crf(crf) => serde_json::json!({ "video_crf": crf }),
            Tuning::RateControl(RateControl::Cbr) => serde_json::json!({ "rate_control_mode": "cbr" }),
            Tuning::RateControl(RateControl::Crf) => serde_json::json!({ "rate_control_mode": "crf" }),
            // Sizes go through the session; sound and binary clipboards are not there yet.
            Tuning::AudioBitrate(_) | Tuning::Resize { .. } | Tuning::BinaryClipboard(_) => return,
        };
        self.apply(client, &wish.to_string());
    }

    fn adopt(&self, client: ClientId, wishes: &ClientSettings) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = self.config.sanitize(&settings, wishes);
        if !judged.adjusted.is_empty() || !judged.refused.is_empty() {
            debug!(client = client.0, adjusted = ?judged.adjusted, refused = ?judged.refused, "settings were judged");
        }
        if *settings != judged.settings {
            let dpi =
                (settings.scaling_dpi != judged.settings.scaling_dpi).then_some(judged.settings.scaling_dpi);
            *settings = judged.settings.clone();
            self.with_studio(|studio| {
                if let Some(dpi) = dpi {
                    studio.scale(dpi);
                }
                studio.apply(judged.settings);
            });
        }
    }

    /// Puts off what a transport said while the hub was calling it, see [`within_hub`].
    pub(crate) fn defer(&self, said: Said) {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        if deferred.len() < MAX_DEFERRED {
            deferred.push_back(said);
        } else {
            warn!("a transport says too much while it is called; a message was dropped");
        }
        drop(deferred);
        self.timer.notify_one();
    }

    /// Takes what a transport said.
    pub(crate) fn hear(&self, said: &Said) {
        match said {
            Said::Text(client, text) => self.handle(Event::ClientText { client: *client, text }),
            Said::Binary(client, data) => self.handle(Event::ClientBinary { client: *client, data }),
            Said::NeedsKeyframe => self.with_studio(Studio::request_keyframe),
        }
    }

    /// Gives the session its ticks and what was put off, until the host ends.
    pub(crate) async fn keep_time(&self) {
        loop {
            loop {
                let said = self.deferred.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(said) = said else { break };
                self.hear(&said);
            }
            let due = self.session().next_wakeup();
            let changed = self.timer.notified();
            match due {
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => self.handle(Event::Tick),
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Waits for the sockets of the last clients, for a moment.
    pub(crate) async fn settle(&self) {
        let give_up = Instant::now() + SETTLE;
        while !self.post.is_empty() && Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Hub {
    fn cursor(&self, shape: CursorShape) {
        self.handle(Event::CursorChanged(shape));
    }

    fn display(&self, width: u32, height: u32) {
        self.handle(Event::DisplayChanged { width, height });
    }

    fn video_failed(&self, reason: &str) {
        self.handle(Event::CaptureFailed { reason: reason.to_owned() });
    }

    fn video_recovered(&self) {
        self.handle(Event::CaptureRecovered);
    }

    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict {
        self.faults.judge(fault)
    }

    fn encoder_used(&self, encoder: &str, codec: Option<Codec>, among: Option<Codecs>) {
        let encoder = encoder_wire_name(encoder).to_owned();
        self.handle(Event::EncoderUsed { encoder, codec, among });
    }

    fn encoder_replaced(&self, encoder: &str, reason: &str) {
        self.handle(Event::EncoderReplaced { encoder: encoder.to_owned(), reason: reason.to_owned() });
    }
}
