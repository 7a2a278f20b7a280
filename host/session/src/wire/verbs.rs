//! Every text verb in one table: form, meaning and an example, the source of `schemas/wire/*-text.schema.json`.

/// Who sends a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The page.
    FromClient,
    /// The host.
    FromServer,
}

/// One verb.
#[derive(Debug, Clone, Copy)]
pub struct VerbSpec {
    /// The verb as on the wire, without its delimiter.
    pub verb: &'static str,
    /// Who sends it.
    pub direction: Direction,
    /// ECMA 262 regular expression of the whole text.
    pub pattern: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// A valid message.
    pub example: &'static str,
}

const fn client(
    verb: &'static str,
    pattern: &'static str,
    summary: &'static str,
    example: &'static str,
) -> VerbSpec {
    VerbSpec { verb, direction: Direction::FromClient, pattern, summary, example }
}

const fn server(
    verb: &'static str,
    pattern: &'static str,
    summary: &'static str,
    example: &'static str,
) -> VerbSpec {
    VerbSpec { verb, direction: Direction::FromServer, pattern, summary, example }
}

/// Every verb this host reads or writes. JSON messages without a verb have schema files of their own.
// A table reads best with one verb a line, whatever the width.
#[rustfmt::skip]
pub const VERBS: &[VerbSpec] = &[
    client("SETTINGS", r"^SETTINGS,\{[\s\S]*\}\s*$", "The page's settings, a JSON object; the first one of a controller starts the stream.", r#"SETTINGS,{"displayId":"primary","initialClientWidth":1280}"#),
    client("CLIENT_FRAME_ACK", r"^CLIENT_FRAME_ACK \d{1,5}( \d+(\.\d+)?)?$", "Newest frame drawn and the milliseconds since it was drawn.", "CLIENT_FRAME_ACK 513 12"),
    client("START_VIDEO", "^START_VIDEO$", "Send video to this client.", "START_VIDEO"),
    client("STOP_VIDEO", "^STOP_VIDEO$", "Send no video to this client.", "STOP_VIDEO"),
    client("START_AUDIO", "^START_AUDIO$", "Send audio to this client.", "START_AUDIO"),
    client("STOP_AUDIO", "^STOP_AUDIO$", "Send no audio to this client.", "STOP_AUDIO"),
    client("REQUEST_KEYFRAME", "^REQUEST_KEYFRAME$", "The decoder needs a key frame.", "REQUEST_KEYFRAME"),
    client("LOST_FRAME", r"^LOST_FRAME \d{1,5}$", "The decoder dropped this frame.", "LOST_FRAME 77"),
    client("DECODE_PACE", r"^DECODE_PACE \d+(\.\d+)?$", "Frames per second the decoder keeps up with; 0 for any.", "DECODE_PACE 30"),
    client("r", r"^r,\d+x\d+(,[A-Za-z0-9_-]{1,32})?$", "Wanted size of a display in pixels.", "r,1920x1080,primary"),
    client("s", r"^s,\d+(\.\d+)?$", "Wanted DPI.", "s,120"),
    client("SET_NATIVE_CURSOR_RENDERING", "^SET_NATIVE_CURSOR_RENDERING,(0|1|true|false)$", "Draw the cursor into the video.", "SET_NATIVE_CURSOR_RENDERING,1"),
    client("p", "^p,(0|1)$", "Same as SET_NATIVE_CURSOR_RENDERING.", "p,0"),
    client("cmd", r"^cmd,[\s\S]*$", "Run a command line, when the operator allows it.", "cmd,xterm -e top"),
    client("kd", r"^kd,\d+$", "Key down, X keysym.", "kd,65307"),
    client("ku", r"^ku,\d+$", "Key up, X keysym.", "ku,65307"),
    client("kr", "^kr(,.*)?$", "Release every key.", "kr"),
    client("kh", r"^kh(,\d+)*$", "Keysyms still held, every 100 ms.", "kh,65505,97"),
    client("co", r"^co,end,[\s\S]*$", "Type this text.", "co,end,Grüße, Welt"),
    client("m", r"^m,-?\d+,-?\d+,\d+,\d+(,\d+)?$", "Pointer at x,y in stream pixels; button mask, wheel clicks, number.", "m,640,360,1,0,17"),
    client("m2", r"^m2,-?\d+,-?\d+,\d+,\d+(,\d+)?$", "Pointer moved by dx,dy; button mask, wheel clicks, number.", "m2,-3,4,0,0"),
    client("sf", r"^sf,-?\d+(\.\d+)?,-?\d+(\.\d+)?$", "Touchpad scroll in stream pixels.", "sf,0,-12.5"),
    client("sfe", "^sfe$", "The fingers left the touchpad.", "sfe"),
    client("_pointer_echo", "^_pointer_echo,(0|1)$", "Whether the page wants pointer echoes.", "_pointer_echo,0"),
    client("vp", r"^vp(,-?\d+(\.\d+)?){4}$", "Where the page shows the stream on its user's desktop.", "vp,0,0,1,1.5"),
    client("js", r"^js,(c,[0-3],[A-Za-z0-9+/=]*,\d+,\d+|d,[0-3]|b,[0-3],\d+,\d+(\.\d+)?|a,[0-3],\d+,-?\d+(\.\d+)?|h,[0-3])$", "Gamepad connect, disconnect, button, axis, heartbeat.", "js,a,0,1,-0.5"),
    client("cr", "^cr(,.*)?$", "Send me the clipboard.", "cr"),
    client("REQUEST_CLIPBOARD", "^REQUEST_CLIPBOARD$", "The user copied in the desktop; send the clipboard.", "REQUEST_CLIPBOARD"),
    client("cw", "^cw,[A-Za-z0-9+/=]*$", "Text for the clipboard, base64 of UTF-8.", "cw,aGk="),
    client("cb", r"^cb,[\w/+.;= -]+,[A-Za-z0-9+/=]*$", "Typed bytes for the clipboard, base64.", "cb,image/png,AAAA"),
    client("cws", r"^cws,([!-+\--~]{0,64},)?\d+$", "Begin a text in parts: transfer id, bytes.", "cws,t1,2000000"),
    client("cwd", r"^cwd,([!-+\--~]{0,64},)?[A-Za-z0-9+/=]*$", "One part, base64.", "cwd,t1,aGk="),
    client("cwe", r"^cwe(,[!-+\--~]{0,64})?$", "End of the text.", "cwe,t1"),
    client("cbs", r"^cbs,([!-+\--~]{0,64},)?[\w/+.;= -]+,\d+$", "Begin typed bytes in parts: transfer id, MIME type, bytes.", "cbs,t2,image/png,2000000"),
    client("cbd", r"^cbd,([!-+\--~]{0,64},)?[A-Za-z0-9+/=]*$", "One part, base64.", "cbd,t2,AAAA"),
    client("cbe", r"^cbe(,[!-+\--~]{0,64})?$", "End of the bytes.", "cbe,t2"),
    client("vb", r"^vb,\d+$", "Video bitrate in kbit/s.", "vb,8000"),
    client("ab", r"^ab,\d+$", "Audio bitrate in bit/s.", "ab,128000"),
    client("_arg_fps", r"^_arg_fps,\d+(\.\d+)?$", "Frame rate limit.", "_arg_fps,60"),
    client("_arg_resize", r"^_arg_resize,(true|false|1|0)(,\d+x\d+)?$", "Whether the desktop follows the page's size, and that size.", "_arg_resize,true,1280x720"),
    client("_ebc", "^_ebc,(true|false|1|0)$", "Binary clipboard on or off.", "_ebc,true"),
    client("_rc", "^_rc,(cbr|crf)$", "Rate control mode.", "_rc,crf"),
    client("_crf", r"^_crf,([0-9]|[1-4]\d|5[01])$", "Constant rate factor.", "_crf,23"),
    client("_f", r"^_f,\d+(\.\d+)?$", "Frames per second the page draws.", "_f,59.9"),
    client("_l", r"^_l,\d+(\.\d+)?$", "Latency the page measured, ms.", "_l,12"),
    client("_stats_video", r"^_stats_video,[\s\S]*$", "WebRTC video statistics, JSON.", "_stats_video,[]"),
    client("_stats_audio", r"^_stats_audio,[\s\S]*$", "WebRTC audio statistics, JSON.", "_stats_audio,[]"),
    client("_stages", r"^_stages(,\d{1,5}:\d{1,10}:\d{1,10}){1,128}$", "For frames drawn and acknowledged, oldest first: frame id, µs from its last byte to its last decoded part, µs from there until it was drawn. At most 128 frames, once a second.", "_stages,513:5200:900,514:4800:1100"),
    client("_stats", "^_stats,(0|1)$", "Subscribe to stream_stats.", "_stats,1"),
    client("_gz", "^_gz,(0|1)$", "The page can read gzip text.", "_gz,1"),
    client("pong", r"^pong,[\d.]{1,32}$", "Answer to a ping of the host.", "pong,171.25"),
    client("_ping", r"^_ping,[\d.]{1,32}$", "Answered by pong with the same text.", "_ping,171.25"),
    client("_codecs", "^_codecs(,[a-z0-9]{1,16}){1,32}$", "What the page decodes: jpeg, h264, h265, vp8, vp9, av1. At its start, and whenever that changes.", "_codecs,jpeg,h264,vp9"),
    client("FILE_UPLOAD_START", r"^FILE_UPLOAD_START:[\s\S]*:\d+$", "Seed era: begin an upload; path and bytes.", "FILE_UPLOAD_START:notes/a.txt:120"),
    client("FILE_UPLOAD_END", r"^FILE_UPLOAD_END:[\s\S]*$", "Seed era: the upload is complete.", "FILE_UPLOAD_END:notes/a.txt"),
    client("FILE_UPLOAD_ERROR", r"^FILE_UPLOAD_ERROR:[\s\S]*$", "Seed era: the page gave up the upload.", "FILE_UPLOAD_ERROR:a.txt:read failed"),
    server("FILE_UPLOAD_END", r"^FILE_UPLOAD_END:[\s\S]*$", "The file that the page sent over the socket is in its place.", "FILE_UPLOAD_END:notes/a.txt"),
    server("FILE_UPLOAD_ERROR", r"^FILE_UPLOAD_ERROR:[\s\S]*:[\s\S]*$", "The file was not taken; path and reason.", "FILE_UPLOAD_ERROR:a.txt:the disk is full"),
    server("MODE", "^MODE (websockets|webrtc)$", "Transport of this session.", "MODE websockets"),
    server("AUTH_SUCCESS", r"^AUTH_SUCCESS,\{.*\}$", "The token was accepted.", r#"AUTH_SUCCESS,{"role":"viewer","slot":2}"#),
    server("ROLE_UPDATE", r"^ROLE_UPDATE,\{.*\}$", "The slot changed.", r#"ROLE_UPDATE,{"role":"viewer","slot":null}"#),
    server("MK_ACCESS", "^MK_ACCESS,(0|1)$", "Whether this client may use mouse and keyboard.", "MK_ACCESS,1"),
    server("DISPLAY_CONFIG_UPDATE", r"^DISPLAY_CONFIG_UPDATE,\{.*\}$", "The displays that have clients.", r#"DISPLAY_CONFIG_UPDATE,{"type":"display_config_update","displays":["primary"],"wayland":false,"finger_scroll":false}"#),
    server("DISPLAY_OWNER", "^DISPLAY_OWNER [A-Za-z0-9_-]{1,32}$", "This page owns the display now.", "DISPLAY_OWNER primary"),
    server("cursor", r"^cursor,\{.*\}$", "The pointer's image.", r#"cursor,{"curdata":"","width":0,"height":0,"hotx":0,"hoty":0,"handle":0}"#),
    server("system", r"^system,\{.*\}$", "An action for the page.", r#"system,{"action":"reload"}"#),
    server("PIPELINE_RESETTING", "^PIPELINE_RESETTING [A-Za-z0-9_-]{1,32}$", "Drop decoder and frame id state.", "PIPELINE_RESETTING primary"),
    server("VIDEO_STARTED", "^VIDEO_STARTED$", "Video is on for this client.", "VIDEO_STARTED"),
    server("VIDEO_STOPPED", "^VIDEO_STOPPED$", "Video is off for this client.", "VIDEO_STOPPED"),
    server("AUDIO_STARTED", "^AUDIO_STARTED$", "Audio is on for this client.", "AUDIO_STARTED"),
    server("AUDIO_STOPPED", "^AUDIO_STOPPED$", "Audio is off for this client.", "AUDIO_STOPPED"),
    server("AUDIO_DISABLED", "^AUDIO_DISABLED$", "The operator switched audio off.", "AUDIO_DISABLED"),
    server("MICROPHONE_DISABLED", "^MICROPHONE_DISABLED$", "The operator switched the microphone off.", "MICROPHONE_DISABLED"),
    server("KILL", "^KILL .+$", "The host ends this client; the page stops retrying.", "KILL a new primary client connected connection killed"),
    server("CONNECTION", "^CONNECTION (poor|ok)$", "How the connection keeps up.", "CONNECTION poor"),
    server("pong", r"^pong,[\d.]{1,32}$", "Answer to _ping.", "pong,171.25"),
    server("clipboard", "^clipboard,[A-Za-z0-9+/=]*$", "Text of the desktop's clipboard.", "clipboard,aGk="),
    server("clipboard_binary", r"^clipboard_binary,[^,]+,[A-Za-z0-9+/=]*$", "Typed bytes of the clipboard.", "clipboard_binary,image/png,AAAA"),
    server("clipboard_start", r"^clipboard_start,[^,]+,\d+$", "Begin in parts: MIME type, bytes.", "clipboard_start,text/plain,2000000"),
    server("clipboard_data", "^clipboard_data,[A-Za-z0-9+/=]*$", "One part.", "clipboard_data,aGk="),
    server("clipboard_finish", "^clipboard_finish$", "End of the parts.", "clipboard_finish"),
    server("clipboard_secret", "^clipboard_secret$", "What follows is neither to be shown nor kept.", "clipboard_secret"),
    server("clipboard_reply", "^clipboard_reply,[A-Za-z_]+$", "What follows answers this verb.", "clipboard_reply,cr"),
];
