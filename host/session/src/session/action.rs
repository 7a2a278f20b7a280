//! What a session wants done.

use super::{ClientId, ClipboardContent, InputEvent, Watch};
use crate::codecs::Codecs;
use crate::latency::StageReport;
use crate::roles::{Standing, VerbClass};
use crate::wire::{Tuning, WireError};

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send a text.
    SendText {
        /// To whom; never empty.
        to: Vec<ClientId>,
        /// The text.
        text: String,
    },
    /// Close a connection, after what was sent to it.
    Close {
        /// Which.
        client: ClientId,
        /// WebSocket close code.
        code: u16,
        /// Close reason.
        reason: &'static str,
    },
    /// Hand input to the input plugin.
    Inject(Vec<InputEvent>),
    /// Release every key and button the input plugin knows of.
    ReleaseAllInput,
    /// Resize the display; even, within the limits of [`super::Session`].
    ResizeDisplay {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A SETTINGS body of the owner, raw JSON, for the configuration crate to sanitise.
    ApplySettings {
        /// Whose.
        client: ClientId,
        /// The JSON object's text.
        json: String,
    },
    /// One value of the stream changed by the owner; to be sanitised as well.
    Tune {
        /// Whose.
        client: ClientId,
        /// The value.
        tuning: Tuning,
    },
    /// The owner's DPI.
    SetScale {
        /// Whose.
        client: ClientId,
        /// Dots per inch.
        dpi: f64,
    },
    /// Draw the cursor into the video or not.
    SetNativeCursor(bool),
    /// Begin, or begin anew, to send video to a client: it lacks everything.
    StartVideo {
        /// Whom.
        client: ClientId,
        /// Whether the stream follows this client's pace.
        lead: bool,
    },
    /// Send no video to a client.
    StopVideo {
        /// Whom.
        client: ClientId,
    },
    /// The stream follows this client's pace from now on.
    SetLead {
        /// Whose.
        client: ClientId,
    },
    /// Begin to send audio to a client, or go on with or without redundancy.
    StartAudio {
        /// Whom.
        client: ClientId,
        /// Its page reads messages that repeat older packets, see [`crate::sound`].
        redundant: bool,
    },
    /// Send no audio to a client.
    StopAudio {
        /// Whom.
        client: ClientId,
    },
    /// Encode with one of these codecs, as far as there are encoders of them: what the owner's page decodes. Answered by
    /// [`super::Event::EncoderUsed`].
    ChooseAmong(Codecs),
    /// Ask the encoder for an independent frame.
    RequestKeyframe,
    /// A client drew a frame; for its pacer.
    FrameAcked {
        /// Who.
        client: ClientId,
        /// Newest frame drawn.
        frame_id: u16,
        /// Milliseconds it held the acknowledgement.
        held_ms: Option<u32>,
    },
    /// A client's page says how long it took for frames; for [`crate::latency::Trail`].
    Staged {
        /// Who.
        client: ClientId,
        /// What it says, in the order of frames.
        reports: Vec<StageReport>,
    },
    /// The client's page is one of this host's, which keeps every packet it got; see [`crate::pacing::FanOut::keeps`].
    KeepsPackets {
        /// Who.
        client: ClientId,
    },
    /// A client's decoder keeps up with this rate, 0 for any; for its pacer.
    DecodePace {
        /// Whose.
        client: ClientId,
        /// Frames per second.
        fps: f64,
    },
    /// A client's decoder dropped a frame, or cannot go on with what it has; see [`crate::pacing::FanOut::lose`].
    FrameLost {
        /// Who.
        client: ClientId,
        /// Which; `None` for everything.
        frame_id: Option<u16>,
    },
    /// Follow the desktop's clipboard so far; what it has now is to be told by [`super::Event::ClipboardChanged`].
    WatchClipboard(Watch),
    /// Make this the desktop's clipboard, before input that comes later is injected.
    OfferClipboard(ClipboardContent),
    /// Send a content, large ones in parts between which video goes on; what is still under way of another one is of no
    /// use any more, what is of the same one goes on. By [`crate::wire::ClipboardMessages`], after
    /// [`crate::wire::ServerMessage::ClipboardSecret`] where it is a secret.
    SendClipboard {
        /// To whom; never empty.
        to: Vec<ClientId>,
        /// What.
        content: ClipboardContent,
        /// The verb that is answered, to be told before.
        reply: Option<&'static str>,
    },
    /// Send a client nothing more of what is under way.
    StopClipboard {
        /// Whom.
        client: ClientId,
    },
    /// Run a command line for a client.
    RunCommand {
        /// Whose.
        client: ClientId,
        /// The line, untrusted.
        line: String,
    },
    /// A step of a seed-era upload.
    Upload {
        /// Whose.
        client: ClientId,
        /// Which step.
        step: UploadStep,
    },
    /// Microphone samples: s16le mono 24 kHz, whole samples, at most a second of them.
    Microphone {
        /// Whose.
        client: ClientId,
        /// Samples.
        pcm: Vec<u8>,
    },
    /// A message was not acted on; for log, audit and metrics.
    Refused {
        /// Whose.
        client: ClientId,
        /// Why.
        refusal: Refusal,
    },
}

/// Steps of a seed-era upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadStep {
    /// Begin.
    Start {
        /// Path, untrusted.
        path: String,
        /// Declared bytes.
        size: u64,
    },
    /// Bytes of the open upload.
    Data(Vec<u8>),
    /// Complete.
    End,
    /// Given up by the page.
    Abort,
}

/// Why a message was not acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The sender's standing does not allow it.
    Denied {
        /// The sender's standing.
        standing: Standing,
        /// What it tried.
        class: VerbClass,
    },
    /// The operator switched it off.
    Disabled(VerbClass),
    /// It could not be read.
    Malformed(WireError),
    /// A verb or opcode this host does not know, shortened.
    Unknown(String),
}
