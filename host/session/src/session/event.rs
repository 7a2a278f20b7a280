//! What happens to a session.

use super::{Arrival, ClientId, ClipboardContent};
use crate::codecs::{Codec, Codecs};
use crate::roles::Admission;
use crate::wire::StreamStats;

/// The pointer's image as the capture side reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorShape {
    /// PNG; empty hides the cursor.
    pub png: Vec<u8>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Hotspot from the left.
    pub hot_x: u32,
    /// Hotspot from the top.
    pub hot_y: u32,
    /// Serial of the image.
    pub handle: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A connection passed the server's checks.
    ClientOpened {
        /// Its new id.
        client: ClientId,
        /// What it was let in as.
        admission: Admission,
    },
    /// A client reached the stream by a transport that made its connection through signaling. Its stream begins at once:
    /// pages of 2.1.0 ask for nothing more, and viewers among them never say a word.
    ClientSignaled {
        /// Its new id.
        client: ClientId,
        /// What is known of it.
        arrival: Arrival,
    },
    /// Signaling came to another codec for a client that is there already.
    CodecAgreed {
        /// Whose.
        client: ClientId,
        /// Which.
        codec: Codec,
    },
    /// The transport of a client that is there already made another connection to it, because the page had asked for one.
    ClientRestarted {
        /// Whose.
        client: ClientId,
    },
    /// A client's transport says that its decoder cannot go on without a key frame.
    KeyframeWanted {
        /// Who.
        client: ClientId,
    },
    /// The operator, or a controller, switched the mode of streaming: pages are to look again which one it is.
    ModeSwitched,
    /// A text message came.
    ClientText {
        /// From whom.
        client: ClientId,
        /// The text.
        text: &'a str,
    },
    /// A binary message came.
    ClientBinary {
        /// From whom.
        client: ClientId,
        /// The bytes with their opcode.
        data: &'a [u8],
    },
    /// The connection is gone, whoever closed it.
    ClientClosed {
        /// Which.
        client: ClientId,
    },
    /// The control plane changed a client's token.
    AdmissionChanged {
        /// Whose.
        client: ClientId,
        /// The new admission; `None` when the token was revoked.
        admission: Option<Admission>,
    },
    /// Time passed; due at [`super::Session::next_wakeup`] at the latest.
    Tick,
    /// The pointer's image changed.
    CursorChanged(CursorShape),
    /// The desktop's clipboard has another content than the one that was told last, or than what was offered; `None` for
    /// nothing, or for what is not exchanged or not known yet.
    ClipboardChanged(Option<ClipboardContent>),
    /// The display has this size now, pixels.
    DisplayChanged {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// New figures for those who subscribed.
    Stats(StreamStats),
    /// Capture or every encoder failed.
    CaptureFailed {
        /// Why, for the user.
        reason: String,
    },
    /// Capture runs again.
    CaptureRecovered,
    /// Another encoder than before goes on with the running stream.
    EncoderReplaced {
        /// Its name.
        encoder: String,
        /// Why the one before does not.
        reason: String,
    },
    /// This encoder is in use from now on, or is still after [`super::Action::ChooseAmong`].
    EncoderUsed {
        /// Its name on the wire.
        encoder: String,
        /// What it makes; `None` for what pages are not asked about.
        codec: Option<Codec>,
        /// Whether its frames come in stripes.
        striped: bool,
        /// What was last asked for when it was chosen, by [`super::Action::ChooseAmong`]; `None` before the first.
        among: Option<Codecs>,
    },
    /// Sound runs, or would if somebody listened; or it does not.
    SoundChanged {
        /// Why there is none, for the user; `None` where there is some.
        missing: Option<String>,
    },
    /// A program lets a gamepad rumble.
    Rumble {
        /// Slot 0-3.
        slot: u8,
        /// The heavy motor, 0 to 65535.
        strong: u16,
        /// The light motor; both 0: stop.
        weak: u16,
        /// Milliseconds.
        duration_ms: u32,
    },
    /// The host ends.
    ShutDown {
        /// True when it will not come back: pages are told to stop retrying.
        last: bool,
    },
}
