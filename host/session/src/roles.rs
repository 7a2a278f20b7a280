//! Who may do what.
//!
//! A client's [`Standing`] follows from its [`Admission`] (role, slot and rights, decided by the server from token or
//! query) and from whether it owns the display. [`MATRIX`] then says per [`VerbClass`] what becomes of a message.
//! Source: Selkies 2.1.0, input_handler.py:163-180 and websockets_mode.py:5163-5175, 5770-5800; unlike there, a
//! viewer's frame acknowledgements count, because pacing is per client here and a viewer slows nobody. Who may type may speak:
//! websockets_mode.py:5026-5034.

use crate::wire::{ClientMessage, RoleName};

/// What a client was let in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Role by token or query.
    pub role: RoleName,
    /// Player slots held, 1-4; empty for none.
    pub slots: Vec<u8>,
    /// In secure mode: whether this client's token holds mouse and keyboard (`mk_control`, or the role where no token
    /// claims it). Always true for a controller without tokens.
    pub input_authority: bool,
    /// Whether tokens are in force; then AUTH_SUCCESS and MK_ACCESS are sent and gamepads need a slot.
    pub secure: bool,
}

impl Admission {
    /// Without tokens: `?role=viewer` makes a viewer, `&slot=2..4` gives a pad. Anything else is a controller.
    pub fn from_query(role: Option<&str>, slot: Option<&str>) -> Self {
        let role = if role == Some("viewer") { RoleName::Viewer } else { RoleName::Controller };
        let slots = slot.and_then(|s| s.parse().ok()).filter(|s| (2..=4).contains(s)).into_iter().collect();
        Self { role, slots, input_authority: role == RoleName::Controller, secure: false }
    }

    /// Whether a `js,` message for `slot` (0-3) may be acted on.
    pub fn may_drive_pad(&self, slot: u8) -> bool {
        if self.slots.is_empty() {
            // A legacy controller holds keyboard and mouse already; pinning its pads would guard nothing.
            return !self.secure && self.role == RoleName::Controller;
        }
        self.slots.iter().any(|&s| s.checked_sub(1) == Some(slot))
    }
}

/// A client's place in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The controller whose settings and size the display follows.
    Owner,
    /// A controller of another tab beside the owner: full input, but the display is not its to shape.
    CoController,
    /// A controller that has sent no SETTINGS yet: it becomes owner or co-controller by them, until then it drives nothing.
    Candidate,
    /// A viewer allowed to use mouse, keyboard and clipboard.
    Collaborator,
    /// A viewer; with a slot it plays.
    Viewer,
}

/// Groups of verbs that are allowed or denied together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerbClass {
    /// SETTINGS. From a viewer it only (re)starts the viewer's own stream.
    Settings,
    /// START/STOP_VIDEO, REQUEST_KEYFRAME, acknowledgements and client measurements.
    OwnStream,
    /// START/STOP_AUDIO.
    OwnAudio,
    /// `r`, `s`, native cursor, `vp`, bitrates, frame rate, rate control.
    Shape,
    /// Keys, pointer, text, finger scroll.
    Input,
    /// `kr` and pointer echo: what a page sends on every blur.
    InputNoise,
    /// Clipboard content.
    Clipboard,
    /// `cr`: asked by every page at start.
    ClipboardRead,
    /// `js,`; the slot is checked besides.
    Gamepad,
    /// Microphone samples.
    Microphone,
    /// `cmd`.
    Command,
    /// Uploads.
    Upload,
}

impl VerbClass {
    /// The class of a message; `None` for an unknown verb, which does nothing and needs no right.
    pub fn of(message: &ClientMessage<'_>) -> Option<Self> {
        use crate::wire::ClipboardMessage;
        use ClientMessage as M;
        Some(match message {
            M::Settings(_) => Self::Settings,
            M::FrameAck { .. }
            | M::StartVideo
            | M::StopVideo
            | M::RequestKeyframe
            | M::LostFrame(_)
            | M::DecodePace(_)
            | M::ClientFps(_)
            | M::ClientLatency(_)
            | M::ClientStats(_)
            | M::Stages(_)
            | M::Stats(_)
            | M::Gzip(_)
            | M::Pong(_)
            | M::Ping(_)
            | M::Codecs(_) => Self::OwnStream,
            M::StartAudio | M::StopAudio => Self::OwnAudio,
            M::Resize { .. } | M::Scale(_) | M::NativeCursor(_) | M::ViewBox(_) | M::Tune(_) => Self::Shape,
            M::KeyDown(_)
            | M::KeyUp(_)
            | M::KeyHeartbeat(_)
            | M::TypeText(_)
            | M::Pointer(_)
            | M::FingerScroll { .. }
            | M::FingerScrollEnd => Self::Input,
            M::KeyReset | M::PointerEcho(_) => Self::InputNoise,
            M::Clipboard(ClipboardMessage::Read) => Self::ClipboardRead,
            M::Clipboard(_) => Self::Clipboard,
            M::Gamepad(_) => Self::Gamepad,
            M::Command(_) => Self::Command,
            M::UploadStart { .. } | M::UploadEnd(_) | M::UploadError(_) => Self::Upload,
            M::Unknown { .. } => return None,
        })
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Acted on.
    Allow,
    /// Dropped without a word: a well-behaved page of this standing sends it all the same.
    Ignore,
    /// Dropped, counted and reported.
    Deny,
}

/// The verdicts per class, in the order Owner, CoController, Candidate, Collaborator, Viewer.
// A table reads best with one class a line.
#[rustfmt::skip]
pub const MATRIX: &[(VerbClass, [Verdict; 5])] = {
    use Verdict::{Allow as A, Deny as D, Ignore as I};
    &[
        //                          Owner  Co  Cand  Coll  View
        (VerbClass::Settings,      [A,     A,  A,    A,    A]),
        (VerbClass::OwnStream,     [A,     A,  A,    A,    A]),
        (VerbClass::OwnAudio,      [A,     A,  A,    A,    A]),
        (VerbClass::Shape,         [A,     I,  I,    D,    D]),
        (VerbClass::Input,         [A,     A,  I,    A,    D]),
        (VerbClass::InputNoise,    [A,     A,  I,    A,    I]),
        (VerbClass::Clipboard,     [A,     A,  I,    A,    D]),
        (VerbClass::ClipboardRead, [A,     A,  A,    A,    I]),
        (VerbClass::Gamepad,       [A,     A,  I,    A,    A]),
        (VerbClass::Microphone,    [A,     A,  D,    A,    D]),
        (VerbClass::Command,       [A,     A,  D,    D,    D]),
        (VerbClass::Upload,        [A,     A,  D,    D,    D]),
    ]
};

/// What [`MATRIX`] says.
pub fn verdict(standing: Standing, class: VerbClass) -> Verdict {
    let row = MATRIX.iter().find(|(c, _)| *c == class);
    row.map_or(Verdict::Deny, |(_, verdicts)| verdicts[standing as usize])
}
