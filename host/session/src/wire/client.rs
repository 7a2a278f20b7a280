//! What a page sends as text.
//!
//! Source of the forms: Selkies 2.1.0, input_handler.py:9090-9640 and websockets_mode.py:5150-5790, and the seed era's
//! FILE_UPLOAD verbs (selkies.py:1956-2560).

use super::clipboard::ClipboardMessage;
use crate::codecs::Codecs;
use crate::latency::StageReport;

/// One text message of a client, borrowed from the received text.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage<'a> {
    /// `SETTINGS,{json}`: the raw JSON object; the configuration crate sanitises the values.
    Settings(&'a str),
    /// `CLIENT_FRAME_ACK <id> [held_ms]`: the newest frame drawn, and how long ago it was drawn, in ms.
    FrameAck {
        /// Frame id as in the video header.
        frame_id: u16,
        /// Milliseconds between drawing and sending, when given.
        held_ms: Option<u32>,
    },
    /// `START_VIDEO`.
    StartVideo,
    /// `STOP_VIDEO`.
    StopVideo,
    /// `START_AUDIO`.
    StartAudio,
    /// `STOP_AUDIO`.
    StopAudio,
    /// `REQUEST_KEYFRAME`.
    RequestKeyframe,
    /// `LOST_FRAME <id>`: the decoder dropped this frame.
    LostFrame(u16),
    /// `DECODE_PACE <fps>`: the rate the decoder keeps up with; 0 for any.
    DecodePace(f64),
    /// `r,<W>x<H>[,<display>]` in pixels as sent; the session rounds and limits.
    Resize {
        /// Wanted width.
        width: u32,
        /// Wanted height.
        height: u32,
        /// Display id, `primary` when absent.
        display: &'a str,
    },
    /// `s,<dpi>`, or `s,<factor>` of pages of 2.1.0.
    Scale(f64),
    /// `SET_NATIVE_CURSOR_RENDERING,0|1` and its twin `p,0|1`: draw the cursor into the video.
    NativeCursor(bool),
    /// `cmd,<shell line>`.
    Command(&'a str),
    /// `kd,<keysym>`.
    KeyDown(u32),
    /// `ku,<keysym>`.
    KeyUp(u32),
    /// `kr`: release everything on the keyboard.
    KeyReset,
    /// `kh,<keysym>,…`: these keys are still held.
    KeyHeartbeat(Vec<u32>),
    /// `co,end,<text>`: type this text.
    TypeText(&'a str),
    /// `m` and `m2`.
    Pointer(PointerMessage),
    /// `sf,<dx>,<dy>`: a touchpad's scroll in stream pixels.
    FingerScroll {
        /// Horizontal pixels.
        dx: f64,
        /// Vertical pixels.
        dy: f64,
    },
    /// `sfe`: the fingers left the touchpad.
    FingerScrollEnd,
    /// `_pointer_echo,0|1`.
    PointerEcho(bool),
    /// `vp,<ox>,<oy>,<sx>,<sy>`: where the page shows the stream on its user's desktop.
    ViewBox([f64; 4]),
    /// `js,…`.
    Gamepad(GamepadMessage),
    /// `cr`, `cw`, `cb`, their multipart forms and `REQUEST_CLIPBOARD`.
    Clipboard(ClipboardMessage<'a>),
    /// `vb`, `ab`, `_arg_fps`, `_arg_resize`, `_ebc`, `_rc`, `_crf`.
    Tune(Tuning),
    /// `_f,<fps>`: frames per second the page draws.
    ClientFps(f64),
    /// `_l,<ms>`: latency the page measured.
    ClientLatency(f64),
    /// `_stats_video,<json>` and `_stats_audio,<json>`, raw.
    ClientStats(&'a str),
    /// `_stages,<id>:<decode µs>:<present µs>,…`: how long the page took for frames that it drew and acknowledged, oldest
    /// first, at most 128; our page's, once a second.
    Stages(Vec<StageReport>),
    /// `_stats,0|1`: subscribe to `stream_stats`.
    Stats(bool),
    /// `_gz,1`: the page can read gzip text.
    Gzip(bool),
    /// `pong,<t>`: answer to a ping of ours.
    Pong(&'a str),
    /// `_ping,<t>`: answered by `pong,<t>` with the same text.
    Ping(&'a str),
    /// `_codecs,<name>,…`: what the page decodes, by the names of [`crate::Codec`].
    Codecs(Codecs),
    /// `FILE_UPLOAD_START:<relpath>:<size>` of the seed era.
    UploadStart {
        /// Path as the client named it; untrusted.
        path: &'a str,
        /// Declared size in bytes.
        size: u64,
    },
    /// `FILE_UPLOAD_END:<path>`.
    UploadEnd(&'a str),
    /// `FILE_UPLOAD_ERROR:<path>:<msg>`.
    UploadError(&'a str),
    /// A verb this host does not know; counted, never an error.
    Unknown {
        /// At most the first 32 bytes up to a delimiter.
        verb: &'a str,
    },
}

/// `m,<x>,<y>,<mask>,<scroll>[,<seq>]` and `m2,<dx>,<dy>,<mask>,<scroll>[,<seq>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerMessage {
    /// True for `m2`: `x` and `y` are deltas.
    pub relative: bool,
    /// Pixels of the stream.
    pub x: i32,
    /// Pixels of the stream.
    pub y: i32,
    /// Buttons held: bit 0 left, 1 middle, 2 right, 3 scroll up or Back, 4 scroll down or Forward, 6 and 7 scroll
    /// left and right.
    pub mask: u16,
    /// Wheel clicks for the scroll bits; 0 makes bits 3 and 4 the Back and Forward buttons.
    pub scroll: u16,
    /// Number of the message, when the page numbers them.
    pub seq: Option<u64>,
}

/// The `js,` verbs. Slots are 0-3.
#[derive(Debug, Clone, PartialEq)]
pub enum GamepadMessage {
    /// `js,c,<i>,<b64 name>,<axes>,<buttons>`.
    Connect {
        /// Slot.
        slot: u8,
        /// The browser's name for the pad, at most 255 characters.
        name: String,
        /// Number of axes.
        axes: u8,
        /// Number of buttons.
        buttons: u8,
    },
    /// `js,d,<i>`.
    Disconnect {
        /// Slot.
        slot: u8,
    },
    /// `js,b,<i>,<button>,<value>`.
    Button {
        /// Slot.
        slot: u8,
        /// Button index of the W3C layout.
        index: u8,
        /// 0 to 1.
        value: f64,
    },
    /// `js,a,<i>,<axis>,<value>`.
    Axis {
        /// Slot.
        slot: u8,
        /// Axis index of the W3C layout.
        index: u8,
        /// -1 to 1.
        value: f64,
    },
    /// `js,h,<i>`: the pad is still held.
    Heartbeat {
        /// Slot.
        slot: u8,
    },
}

impl GamepadMessage {
    /// The slot the message names, 0-3.
    pub fn slot(&self) -> u8 {
        match *self {
            Self::Connect { slot, .. }
            | Self::Disconnect { slot }
            | Self::Button { slot, .. }
            | Self::Axis { slot, .. }
            | Self::Heartbeat { slot } => slot,
        }
    }
}

/// Single-value changes of the stream, the WebRTC dialect's, honoured on both transports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tuning {
    /// `vb,<kbps>`.
    VideoBitrate(u32),
    /// `ab,<bit/s>`.
    AudioBitrate(u32),
    /// `_arg_fps,<fps>`.
    Framerate(f64),
    /// `_arg_resize,<bool>[,<WxH>]`.
    Resize {
        /// Whether the page wants the desktop to follow its size.
        enabled: bool,
        /// Size that came with it.
        size: Option<(u32, u32)>,
    },
    /// `_ebc,<bool>`.
    BinaryClipboard(bool),
    /// `_rc,<cbr|crf>`.
    RateControl(RateControl),
    /// `_crf,<0-51>`.
    Crf(u8),
}

/// Rate control modes of `_rc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateControl {
    /// Constant bit rate.
    Cbr,
    /// Constant quality.
    Crf,
}
