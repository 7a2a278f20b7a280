//! What host and child say to each other: one value per message, in the compact form of postcard.
//!
//! Both sides are the same program, so that the form needs no version. The child trusts what it reads; the host does
//! not: every number is judged where it is used.

mod abi_types;
mod error;
mod functions;

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use abi_types::{WirePlane, WireRect, WireRoi, color, color_bytes, color_of};
pub use error::WireError;
pub use functions::known_function;

use super::{blob::Blob, channel::MAX_MESSAGE};
use crate::{
    AudioBlock, AudioCaptureRequest, AudioEncoderOffer, AudioEncoderSettings, AudioFormat, AudioPacket,
    AudioSinkRequest, AudioSinkState, AudioStreamInfo, CaptureInfo, CaptureSignal, ClipboardChange,
    ClipboardFormats, ClipboardRequest, ClipboardSelection, CursorShape, DisplayOutput, DisplayRequest,
    EncoderOffer, EncoderSettings, GamepadEvent, GamepadIdentity, GamepadRumble, InputEvent, Refusal,
    RtcConfigRequest,
    instance::{BufferShape, RateChange},
    services::{MetricValue, SlabPlace},
    stamp::Judged,
};

/// Longest configuration of a plugin in a child, in bytes; a message has room for little more.
pub const MAX_CONFIG: usize = 48 << 10;
/// Slabs that go back in one message.
pub const MAX_RETURNED: usize = 1024;
/// Events of one report.
pub const MAX_EVENTS: usize = 256;

/// To the child as a whole.
#[derive(Debug, Serialize, Deserialize)]
pub enum Control {
    /// The first message, with the arena's descriptor; answered with `Ready`.
    Hello {
        /// The most verbose log level that is kept.
        level: u32,
    },
    /// Load the plugin of this manifest, if its files are those that the host judged; answered with `Loaded`.
    Load {
        manifest: PathBuf,
        id: String,
        judged: Judged,
    },
    /// Answered with `Offers`.
    Probe {
        plugin: u32,
        config: String,
    },
    /// Answered with `AudioOffers`.
    ProbeAudio {
        plugin: u32,
        config: String,
    },
    /// Make an instance and serve it on the channel that comes with the message, where the answer goes, too. A second
    /// descriptor is a socket from which comes what ends waits.
    Create {
        plugin: u32,
        config: String,
        what: Create,
    },
    LogLevel(u32),
}

/// What an instance is to be.
#[derive(Debug, Serialize, Deserialize)]
pub enum Create {
    Encoder { offer: EncoderOffer, settings: EncoderSettings },
    Capture,
    Display,
    Clipboard,
    Cursor,
    Input,
    Gamepad,
    RtcConfig,
    AudioCapture,
    AudioEncoder(AudioEncoderSettings),
    AudioSink,
}

/// From the child as a whole.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromChild {
    Answer {
        answer: ControlAnswer,
        /// How often the plugin broke the contract meanwhile.
        misbehaved: u32,
    },
    Line(Line),
}

#[derive(Debug, Serialize, Deserialize)]
pub enum ControlAnswer {
    Ready,
    Loaded(Result<Loaded, LoadFault>),
    Offers(Result<Vec<EncoderOffer>, WireError>),
    AudioOffers(Result<Vec<AudioEncoderOffer>, WireError>),
}

/// A plugin in the child.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// Names it from now on.
    pub plugin: u32,
    /// What its library answered for each table id.
    pub offers: Vec<WireOffer>,
}

/// The crate's `Offer`.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireOffer {
    pub id: String,
    pub bytes: Option<u32>,
    pub wanted: Option<u32>,
    pub refusal: Option<Refusal>,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum LoadFault {
    Refused(Refusal),
    Failed(WireError),
}

/// One line for the log.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// One of the ABI's `LEVEL_ERROR` to `LEVEL_TRACE`.
    pub level: u32,
    /// The plugin's id, for lines of or about one.
    pub plugin: Option<String>,
    /// The host function that it is about.
    pub function: Option<String>,
    /// The plugin's own target.
    pub module: Option<String>,
    /// The plugin's own fields, a JSON object.
    pub fields: Option<String>,
    pub message: String,
}

/// To an instance.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Slabs of the arena that the host does not need any more.
    pub returned: Vec<u32>,
    pub task: Task,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Task {
    /// A buffer, whose descriptor comes with the message, has this number from now on. Not answered.
    Buffer {
        slot: u32,
        shape: BufferShape,
    },
    /// The buffer with this number is not used any more. Not answered.
    Forget(u32),
    Submit(Box<Submit>),
    Configure(EncoderSettings),
    Drain,
    SetRate(RateChange),
    CaptureInfo,
    CaptureStart {
        area: WireRect,
        output: String,
        slots: Vec<u32>,
    },
    CaptureWait {
        timeout_ns: Option<u64>,
    },
    CaptureGrab {
        buffer: u32,
        slot: u32,
        refresh: Vec<WireRect>,
    },
    CaptureStop,
    Outputs,
    Apply(Vec<DisplayRequest>),
    ClipboardWait {
        timeout_ns: Option<u64>,
    },
    ClipboardFormats(ClipboardRequest),
    ClipboardRead(ClipboardRequest),
    /// The contents, one after the other, are in the file that comes with the message.
    ClipboardOffer {
        selection: ClipboardSelection,
        /// MIME type and bytes of each.
        items: Vec<(String, usize)>,
    },
    CursorWait {
        timeout_ns: Option<u64>,
    },
    InputKinds,
    Inject(Vec<InputEvent>),
    Plug {
        slot: u8,
        identity: GamepadIdentity,
    },
    Unplug {
        slot: u8,
    },
    Play(Vec<GamepadEvent>),
    GamepadWait {
        timeout_ns: Option<u64>,
    },
    Fetch(RtcConfigRequest),
    RtcWait {
        timeout_ns: Option<u64>,
    },
    /// Of a capture or a sink of sound.
    AudioInfo,
    AudioCaptureStart(AudioCaptureRequest),
    AudioRead {
        timeout_ns: Option<u64>,
    },
    AudioStreamInfo,
    AudioAdjust {
        bitrate: Option<u32>,
        loss_ppm: Option<u32>,
    },
    AudioEncode(AudioBlock),
    AudioSinkStart(AudioSinkRequest),
    AudioWrite(AudioBlock),
    AudioSinkWait {
        timeout_ns: Option<u64>,
    },
    /// Of a capture or a sink of sound.
    AudioStop,
    /// Destroy the instance. After the answer, the thread ends.
    End,
}

/// A frame and how it is to be encoded.
#[derive(Debug, Serialize, Deserialize)]
pub struct Submit {
    /// The buffer that it fills.
    pub slot: u32,
    /// Names the memory until the child gives it back.
    pub token: u64,
    pub frame_id: u64,
    pub timestamp_ns: u64,
    pub color: [u8; 4],
    pub planes: Vec<WirePlane>,
    /// `None`: everything.
    pub damage: Option<Vec<WireRect>>,
    pub keyframe: bool,
    pub refine: bool,
    pub deadline_ns: Option<u64>,
    pub known_frame_id: Option<u64>,
    pub roi: Vec<WireRoi>,
}

/// What an instance sends.
#[derive(Debug, Serialize, Deserialize)]
pub enum Sent {
    Report(Report),
    /// A report of that many bytes, too long for a message: it is in the memfd that comes with it.
    Spilled(u32),
}

/// From an instance.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    pub events: Vec<Event>,
    /// The answer to the task; the events before it came earlier.
    pub answer: Option<Result<Reply, WireError>>,
    /// How often the plugin broke the contract since the last report.
    pub misbehaved: u32,
    /// The plugin's metrics, once in a while.
    pub metrics: Option<Vec<(String, MetricValue)>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    Packet(WirePacket),
    Done {
        frame_id: u64,
        outcome: Result<(), WireError>,
        refine_at_ns: Option<u64>,
        convert_ns: Option<u64>,
    },
    /// The plugin does not need the memory of the frame with this token any more.
    Returned(u64),
}

/// A filled slab. The frame's timestamp is the host's own.
#[derive(Debug, Serialize, Deserialize)]
pub struct WirePacket {
    pub place: SlabPlace,
    pub len: u32,
    pub codec: u32,
    pub flags: u32,
    pub layer: u32,
    pub frame_id: u64,
    pub reference_frame_id: u64,
    pub duration_ns: u64,
    pub area: WireRect,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// `SetRate`: whether the plugin can.
    Rate(bool),
    CaptureInfo(CaptureInfo),
    Signal(CaptureSignal),
    Frame(Grabbed),
    Outputs(Vec<DisplayOutput>),
    /// A change, or nothing.
    ClipboardChange(Option<ClipboardChange>),
    /// What there is of a content; nothing when the call was ended by a wake.
    ClipboardFormats(Option<ClipboardFormats>),
    /// A content; nothing when the call was ended by a wake.
    ClipboardBytes(Option<Blob>),
    /// A shape, or nothing.
    Cursor(Option<CursorShape>),
    Kinds(u64),
    /// A rumble, or nothing.
    Rumble(Option<GamepadRumble>),
    RtcConfig(String),
    /// `RtcWait`: whether the configuration changed.
    Changed(bool),
    AudioFormat(AudioFormat),
    /// A block, or nothing.
    Sound(Option<AudioBlock>),
    AudioStreamInfo(AudioStreamInfo),
    /// A packet, or nothing.
    AudioPacket(Option<AudioPacket>),
    /// A state, or nothing.
    AudioSinkState(Option<AudioSinkState>),
}

/// A picture, in the buffer that was named.
#[derive(Debug, Serialize, Deserialize)]
pub struct Grabbed {
    pub timestamp_ns: u64,
    pub color: [u8; 4],
    pub planes: Vec<WirePlane>,
    /// `None`: everything.
    pub damage: Option<Vec<WireRect>>,
}

/// Why a value is no message.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    #[error("a message that cannot be understood: {0}")]
    Form(#[from] postcard::Error),
    #[error("a message with {0} bytes too many")]
    Rest(usize),
}

/// Longest report in a file of its own, where contents of a clipboard are none: a cursor of 512x512 pixels and what belongs to it.
pub const MAX_SPILLED: usize = 2 << 20;

/// Writes a message of any length into `buffer`.
pub fn encode_long<T: Serialize>(message: &T, buffer: &mut Vec<u8>) -> Result<(), WireFault> {
    buffer.clear();
    *buffer = postcard::to_extend(message, std::mem::take(buffer))?;
    Ok(())
}

/// Writes a message into `buffer`.
pub fn encode<T: Serialize>(message: &T, buffer: &mut Vec<u8>) -> Result<(), WireFault> {
    encode_long(message, buffer)?;
    if buffer.len() > MAX_MESSAGE { Err(WireFault::TooLong(buffer.len())) } else { Ok(()) }
}

/// Reads a message, all of it.
pub fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, WireFault> {
    match postcard::take_from_bytes(message)? {
        (value, []) => Ok(value),
        (_, rest) => Err(WireFault::Rest(rest.len())),
    }
}
