//! The session's state machine: events in, actions out.

mod action;
mod arrival;
mod clipboard;
mod dispatch;
mod event;
mod greeting;
mod held;
mod input;
mod keyframes;
mod negotiation;
mod ownership;
mod picture;
mod policy;
mod rumble;
mod size;
mod sound;
mod stock;

use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::codecs::Codecs;
use crate::roles::{Admission, Standing};
use crate::wire::{CursorImage, DisplayConfigUpdate, RoleName, RoleUpdate, ServerMessage, SystemAction};
pub use action::{Action, Refusal, UploadStep};
pub use arrival::Arrival;
use clipboard::Board;
pub use clipboard::{ClipboardContent, MAX_CLIPBOARD_CONTENT, Watch};
pub use event::{CursorShape, Event};
use held::HeldInput;
pub use input::{Button, InputEvent};
use keyframes::KeyframeGate;
use negotiation::InUse;
pub use policy::Policy;
use size::SizeRule;
pub use size::{SIZE_LIMITS, display_size};
use sound::{Hearing, SoundRoom};

/// The one display of a session, as on the wire.
pub const PRIMARY: &str = "primary";
/// Largest cursor image taken from a capture plugin, PNG bytes.
const MAX_CURSOR_PNG: usize = 512 * 1024;
/// Largest binary client message: one upload chunk of the seed era (1 MiB).
const MAX_BINARY: usize = 1024 * 1024;

/// Names one connection; never reused within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Totals since the session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Text and binary messages received.
    pub messages: u64,
    /// Verbs and opcodes not known.
    pub unknown: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages denied by standing or policy.
    pub denied: u64,
    /// Takeovers of the display.
    pub takeovers: u64,
}

#[derive(Debug, Clone)]
struct Client {
    admission: Admission,
    tab: Option<String>,
    /// Joined beside the owner.
    beside: bool,
    video: bool,
    /// Whether it has had video before.
    greeted: bool,
    stats: bool,
    /// It spoke a verb that only this host's own page knows.
    own_page: bool,
    /// When its times per stage were last heard.
    staged: Option<Instant>,
    /// What its page said that it decodes.
    told: Option<Codecs>,
    /// What a page that says nothing of it decodes.
    implied: Codecs,
    /// What signaling came to, for a client that came by it: one codec, in whole frames.
    agreed: Option<Codecs>,
    /// Its stream began before its SETTINGS, which are to come.
    settles: bool,
    /// Its page does not decode what is streamed, and knows that.
    blind: bool,
    /// What it hears and says.
    sound: Hearing,
    /// The encoder that its page is set to, by the page's name, where that is known.
    shown: Option<String>,
    /// The encoder that the session set its page to.
    steered: Option<String>,
}

/// One streaming session and its clients. See the crate's documentation for an example.
///
/// Not shared between threads: one task feeds it events in the order they happen and carries out the actions.
#[derive(Debug)]
pub struct Session {
    policy: Policy,
    settings: Map<String, Value>,
    clients: BTreeMap<ClientId, Client>,
    owner: Option<ClientId>,
    cursor: Option<CursorImage>,
    display: Option<(u32, u32)>,
    /// The size that was asked for last, pixels.
    asked_size: Option<(u32, u32)>,
    /// The pointer is in the picture, because the owner's page wanted that.
    drawn_pointer: bool,
    /// What the owner's page wants of sizes.
    size_rule: SizeRule,
    failure: Option<String>,
    /// The encoder in use, once there is one.
    in_use: Option<InUse>,
    /// What the media threads know of the owner's page.
    negotiated: Option<Codecs>,
    /// What they knew of it when they chose the encoder in use.
    chosen_among: Option<Codecs>,
    held: HeldInput,
    sound: SoundRoom,
    keyframes: KeyframeGate,
    board: Board,
    /// Pictures and files are exchanged by the clipboard, too.
    binary_clipboard: bool,
    counters: Counters,
    ended: bool,
}

impl Session {
    /// A session without clients. `settings` is the `settings` object sent to pages (see
    /// [`ServerSettings`](crate::wire::ServerSettings)); secrets must have been left out.
    pub fn new(policy: Policy, settings: Map<String, Value>) -> Self {
        Self {
            binary_clipboard: policy.clipboard_binary,
            board: Board::default(),
            policy,
            settings,
            clients: BTreeMap::new(),
            owner: None,
            cursor: None,
            display: None,
            asked_size: None,
            drawn_pointer: false,
            size_rule: SizeRule::default(),
            failure: None,
            in_use: None,
            negotiated: None,
            chosen_among: None,
            held: HeldInput::default(),
            sound: SoundRoom::default(),
            keyframes: KeyframeGate::default(),
            counters: Counters::default(),
            ended: false,
        }
    }

    /// Takes one event and answers what is to be done, in order. Events of unknown or closed clients do nothing.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) -> Vec<Action> {
        let mut out = Vec::new();
        if self.ended {
            return out;
        }
        // Who may see the clipboard.
        let mustered = matches!(
            event,
            Event::ClientOpened { .. }
                | Event::ClientSignaled { .. }
                | Event::ClientClosed { .. }
                | Event::AdmissionChanged { .. }
        );
        match event {
            Event::ClientOpened { client, admission } => {
                self.open(client, admission, ServerMessage::Mode, &mut out);
            }
            Event::ClientSignaled { client, arrival } => self.arrive(client, arrival, &mut out),
            Event::CodecAgreed { client, codec } => self.agree(client, codec, &mut out),
            Event::ClientRestarted { client } => self.restarted(client, &mut out),
            Event::KeyframeWanted { client } => self.keyframe_wanted(now, client, &mut out),
            Event::ModeSwitched => {
                let reload = SystemAction { action: "reload".to_owned() };
                self.send_all(&ServerMessage::System(reload), &mut out);
            }
            Event::ClientText { client, text } => self.text(now, client, text, &mut out),
            Event::ClientBinary { client, data } => self.binary(now, client, data, &mut out),
            Event::ClientClosed { client } => self.forget(client, &mut out),
            Event::AdmissionChanged { client, admission } => self.readmit(client, admission, &mut out),
            Event::Tick => self.tick(now, &mut out),
            Event::CursorChanged(shape) => self.cursor_changed(shape, &mut out),
            Event::ClipboardChanged(content) => self.clipboard_changed(content, &mut out),
            Event::DisplayChanged { width, height } => self.display_changed(width, height, &mut out),
            Event::Stats(stats) => {
                let to: Vec<_> = self.clients.iter().filter(|(_, c)| c.stats).map(|(&id, _)| id).collect();
                send(to, &ServerMessage::StreamStats(stats), &mut out);
            }
            Event::CaptureFailed { reason } => {
                self.failure = Some(reason);
                self.send_all(&self.pipeline_status(), &mut out);
            }
            Event::CaptureRecovered => self.capture_recovered(&mut out),
            Event::EncoderReplaced { encoder, reason } => self.encoder_replaced(&encoder, &reason, &mut out),
            Event::EncoderUsed { encoder, codec, striped, among } => {
                self.encoder_used(encoder, codec, striped, among, &mut out)
            }
            Event::SoundChanged { missing } => self.sound_changed(missing, &mut out),
            Event::Rumble { slot, strong, weak, duration_ms } => {
                self.rumble(slot, [strong, weak], duration_ms, &mut out)
            }
            Event::ShutDown { last } => self.shut_down(last, &mut out),
        }
        if mustered && !self.ended {
            self.watch_clipboard(&mut out);
        }
        out
    }

    /// When [`Event::Tick`] is due.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.held.deadline().into_iter().chain(self.keyframes.due()).chain(self.board.due()).min()
    }

    /// The controller whose settings and size the display follows.
    pub fn owner(&self) -> Option<ClientId> {
        self.owner
    }

    /// A client's standing; `None` for an unknown client.
    pub fn standing(&self, client: ClientId) -> Option<Standing> {
        let c = self.clients.get(&client)?;
        Some(match c.admission.role {
            RoleName::Viewer if self.policy.collab && c.admission.secure && c.admission.input_authority => {
                Standing::Collaborator
            }
            RoleName::Viewer => Standing::Viewer,
            RoleName::Controller if self.owner == Some(client) => Standing::Owner,
            RoleName::Controller if c.beside => Standing::CoController,
            RoleName::Controller => Standing::Candidate,
        })
    }

    /// Number of clients.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Totals since the session began.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn open(&mut self, client: ClientId, admission: Admission, mode: ServerMessage, out: &mut Vec<Action>) {
        if self.clients.contains_key(&client) {
            return;
        }
        if self.clients.len() >= self.policy.max_clients {
            out.push(Action::Close { client, code: 1013, reason: "Too many clients" });
            return;
        }
        if let Some(reason) = self.link_refusal(&admission) {
            send(vec![client], &ServerMessage::Kill(reason.to_owned()), out);
            out.push(Action::Close { client, code: 1008, reason });
            return;
        }
        self.greet(client, &admission, mode, out);
        let shown = self.shown_at_first(admission.role);
        let entry = Client {
            admission,
            tab: None,
            beside: false,
            video: false,
            greeted: false,
            own_page: false,
            staged: None,
            stats: false,
            told: None,
            implied: Codecs::STOCK,
            agreed: None,
            settles: false,
            blind: false,
            sound: Hearing::default(),
            shown,
            steered: None,
        };
        self.clients.insert(client, entry);
    }

    fn mk_access(&self, admission: &Admission) -> bool {
        admission.input_authority && (admission.role == RoleName::Controller || self.policy.collab)
    }

    fn readmit(&mut self, client: ClientId, admission: Option<Admission>, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let reason = match &admission {
            None => Some("Token revoked"),
            Some(new) if new.role != entry.admission.role => Some("Permissions changed significantly"),
            Some(_) => None,
        };
        let Some(new) = admission.filter(|_| reason.is_none()) else {
            self.forget(client, out);
            out.push(Action::Close { client, code: 4002, reason: reason.unwrap_or("Token revoked") });
            return;
        };
        let old = std::mem::replace(&mut entry.admission, new.clone());
        if old.slots != new.slots {
            let update = RoleUpdate { role: new.role, slot: new.slots.first().copied() };
            send(vec![client], &ServerMessage::RoleUpdate(update), out);
        }
        let granted = self.mk_access(&new);
        if self.mk_access(&old) != granted {
            send(vec![client], &ServerMessage::MkAccess(granted), out);
            if let Some(entry) = self.clients.get_mut(&client) {
                entry.sound.access(granted);
            }
        }
        if old.slots != new.slots || (old.input_authority && !new.input_authority) {
            // What it may no longer hold must not stay pressed.
            inject(self.held.release(client), out);
        }
        if !self.may_paste(client) {
            self.leave_clipboard(client, out);
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        inject(self.held.sweep(now), out);
        self.board.expire(now);
        if self.keyframes.tick(now) {
            out.push(Action::RequestKeyframe);
        }
    }

    fn cursor_changed(&mut self, shape: CursorShape, out: &mut Vec<Action>) {
        if shape.png.len() > MAX_CURSOR_PNG {
            return;
        }
        let image = CursorImage {
            curdata: STANDARD.encode(&shape.png),
            width: shape.width,
            height: shape.height,
            hotx: shape.hot_x,
            hoty: shape.hot_y,
            handle: shape.handle,
        };
        if self.cursor.as_ref() != Some(&image) {
            self.send_all(&ServerMessage::Cursor(image.clone()), out);
            self.cursor = Some(image);
        }
    }

    fn shut_down(&mut self, last: bool, out: &mut Vec<Action>) {
        let everybody: Vec<_> = self.clients.keys().copied().collect();
        if last {
            let reason = "The streaming server was shut down.".to_owned();
            send(everybody.clone(), &ServerMessage::Kill(reason), out);
        }
        for &client in &everybody {
            inject(self.held.release(client), out);
        }
        out.push(Action::ReleaseAllInput);
        let (code, reason) = if last { (1001, "Server going away") } else { (1012, "Service restart") };
        out.extend(everybody.into_iter().map(|client| Action::Close { client, code, reason }));
        self.clients.clear();
        self.owner = None;
        self.ended = true;
    }

    fn display_config(&self) -> DisplayConfigUpdate {
        DisplayConfigUpdate {
            displays: self.owner.map(|_| PRIMARY.to_owned()).into_iter().collect(),
            wayland: self.policy.wayland,
            finger_scroll: self.policy.finger_scroll,
            layouts: BTreeMap::new(),
        }
    }

    fn send_all(&self, message: &ServerMessage, out: &mut Vec<Action>) {
        send(self.clients.keys().copied().collect(), message, out);
    }
}

fn send(to: Vec<ClientId>, message: &ServerMessage, out: &mut Vec<Action>) {
    if !to.is_empty() {
        out.push(Action::SendText { to, text: message.render() });
    }
}

fn inject(events: Vec<InputEvent>, out: &mut Vec<Action>) {
    if !events.is_empty() {
        out.push(Action::Inject(events));
    }
}
