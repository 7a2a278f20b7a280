//! What the host sends as text.

use serde::Serialize;

use super::json::{
    AuthSuccess, CommandEnded, CursorImage, DisplayConfigUpdate, DisplaySettings, GpuStats, NetworkStats,
    PipelineStatus, RoleUpdate, ServerSettings, StreamResolution, StreamStats, SystemAction, SystemStats,
};

/// Longest reason or name put into a line of text; longer is cut.
const MAX_LINE: usize = 1024;

/// One text message of the server. [`ServerMessage::render`] gives its bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerMessage {
    /// `MODE websockets`.
    Mode,
    /// `MODE webrtc`.
    ModeWebrtc,
    /// `AUTH_SUCCESS,{json}`.
    AuthSuccess(AuthSuccess),
    /// `ROLE_UPDATE,{json}`.
    RoleUpdate(RoleUpdate),
    /// `MK_ACCESS,0|1`.
    MkAccess(bool),
    /// `DISPLAY_CONFIG_UPDATE,{json}`.
    DisplayConfig(DisplayConfigUpdate),
    /// `DISPLAY_OWNER <display>`: this page owns the display now and sends its SETTINGS again.
    DisplayOwner(String),
    /// `cursor,{json}`.
    Cursor(CursorImage),
    /// `{"type":"server_settings",…}`.
    ServerSettings(ServerSettings),
    /// `{"type":"display_settings",…}`.
    DisplaySettings(DisplaySettings),
    /// `{"type":"stream_resolution",…}`.
    StreamResolution(StreamResolution),
    /// `{"type":"pipeline_status",…}`.
    PipelineStatus(PipelineStatus),
    /// `{"type":"system_stats",…}`.
    SystemStats(SystemStats),
    /// `{"type":"gpu_stats",…}`.
    GpuStats(GpuStats),
    /// `{"type":"network_stats",…}`.
    NetworkStats(NetworkStats),
    /// `{"type":"stream_stats",…}`.
    StreamStats(StreamStats),
    /// `system,{json}`.
    System(SystemAction),
    /// `system,{json}`: a command line has ended.
    CommandEnded(CommandEnded),
    /// `PIPELINE_RESETTING <display>`: drop decoder and frame id state.
    PipelineResetting(String),
    /// `VIDEO_STARTED`.
    VideoStarted,
    /// `VIDEO_STOPPED`.
    VideoStopped,
    /// `AUDIO_STARTED`.
    AudioStarted,
    /// `AUDIO_STOPPED`.
    AudioStopped,
    /// `AUDIO_DISABLED`.
    AudioDisabled,
    /// `MICROPHONE_DISABLED`.
    MicrophoneDisabled,
    /// `KILL <reason>`: the page stops retrying.
    Kill(String),
    /// `CONNECTION poor|ok`.
    ConnectionPoor(bool),
    /// `pong,<t>`.
    Pong(String),
    /// `clipboard,<b64>`.
    ClipboardText {
        /// Base64 of UTF-8.
        base64: String,
    },
    /// `clipboard_binary,<mime>,<b64>`.
    ClipboardBinary {
        /// MIME type.
        mime: String,
        /// Base64 of the bytes.
        base64: String,
    },
    /// `clipboard_start,<mime>,<total>`.
    ClipboardStart {
        /// MIME type.
        mime: String,
        /// Bytes to come.
        total: u64,
    },
    /// `clipboard_data,<b64>`.
    ClipboardData {
        /// Base64 of one chunk.
        base64: String,
    },
    /// `clipboard_finish`.
    ClipboardFinish,
    /// `clipboard_secret`: the content that follows is a password or the like, neither to be shown nor kept.
    ClipboardSecret,
    /// `clipboard_reply,<verb>`: the clipboard message that follows answers this verb.
    ClipboardReply {
        /// `cr` or `REQUEST_CLIPBOARD`.
        verb: String,
    },
    /// `FILE_UPLOAD_END:<path>`: the file is in its place.
    UploadEnded {
        /// As the page named it.
        path: String,
    },
    /// `FILE_UPLOAD_ERROR:<path>:<reason>`: nothing of it is kept.
    UploadFailed {
        /// As the page named it.
        path: String,
        /// For people.
        reason: String,
    },
}

impl ServerMessage {
    /// The message as sent.
    pub fn render(&self) -> String {
        match self {
            Self::Mode => "MODE websockets".to_owned(),
            Self::ModeWebrtc => "MODE webrtc".to_owned(),
            Self::AuthSuccess(body) => with_json("AUTH_SUCCESS,", body),
            Self::RoleUpdate(body) => with_json("ROLE_UPDATE,", body),
            Self::MkAccess(granted) => format!("MK_ACCESS,{}", u8::from(*granted)),
            Self::DisplayConfig(body) => with_json("DISPLAY_CONFIG_UPDATE,", body),
            Self::DisplayOwner(display) => format!("DISPLAY_OWNER {}", line(display)),
            Self::Cursor(body) => with_json("cursor,", body),
            Self::ServerSettings(body) => with_json("", body),
            Self::DisplaySettings(body) => with_json("", body),
            Self::StreamResolution(body) => with_json("", body),
            Self::PipelineStatus(body) => with_json("", body),
            Self::SystemStats(body) => with_json("", body),
            Self::GpuStats(body) => with_json("", body),
            Self::NetworkStats(body) => with_json("", body),
            Self::StreamStats(body) => with_json("", body),
            Self::System(body) => with_json("system,", body),
            Self::CommandEnded(body) => with_json("system,", body),
            Self::PipelineResetting(display) => format!("PIPELINE_RESETTING {}", line(display)),
            Self::VideoStarted => "VIDEO_STARTED".to_owned(),
            Self::VideoStopped => "VIDEO_STOPPED".to_owned(),
            Self::AudioStarted => "AUDIO_STARTED".to_owned(),
            Self::AudioStopped => "AUDIO_STOPPED".to_owned(),
            Self::AudioDisabled => "AUDIO_DISABLED".to_owned(),
            Self::MicrophoneDisabled => "MICROPHONE_DISABLED".to_owned(),
            Self::Kill(reason) => format!("KILL {}", line(reason)),
            Self::ConnectionPoor(poor) => format!("CONNECTION {}", if *poor { "poor" } else { "ok" }),
            Self::Pong(time) => format!("pong,{}", line(time)),
            Self::ClipboardText { base64 } => format!("clipboard,{base64}"),
            Self::ClipboardBinary { mime, base64 } => format!("clipboard_binary,{mime},{base64}"),
            Self::ClipboardStart { mime, total } => format!("clipboard_start,{mime},{total}"),
            Self::ClipboardData { base64 } => format!("clipboard_data,{base64}"),
            Self::ClipboardFinish => "clipboard_finish".to_owned(),
            Self::ClipboardSecret => "clipboard_secret".to_owned(),
            Self::ClipboardReply { verb } => format!("clipboard_reply,{verb}"),
            Self::UploadEnded { path } => format!("FILE_UPLOAD_END:{}", line(path)),
            Self::UploadFailed { path, reason } => {
                format!("FILE_UPLOAD_ERROR:{}:{}", line(path), line(reason))
            }
        }
    }
}

/// The verb and its JSON. The bodies are plain structs with string keys, whose serialisation cannot fail; an empty
/// object stands in should a future body break that, so that no frame of the session is lost to it.
fn with_json<T: Serialize>(prefix: &str, body: &T) -> String {
    let json = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    format!("{prefix}{json}")
}

/// One line of at most [`MAX_LINE`] characters: control characters would end a verb early in the page's parser.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE).collect()
}
