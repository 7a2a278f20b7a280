//! Reading a client's text.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{ClientMessage, GamepadMessage, PointerMessage, RateControl, Tuning};
use super::clipboard::ClipboardMessage;
use super::fields::Fields;
use super::{MAX_CLIPBOARD_TEXT, MAX_SETTINGS, MAX_STAGES, MAX_TEXT, WireError};
use crate::codecs::{Codec, Codecs};
use crate::latency::{LONGEST, StageReport};

/// Most frames in one `_stages`.
const MAX_STAGE_REPORTS: usize = 128;
/// Most keysyms read from one `kh`.
const MAX_HEARTBEAT_KEYS: usize = 256;
/// Most names read from one `_codecs`.
const MAX_CODECS: usize = 32;
/// Largest absolute pointer coordinate or delta, in pixels.
const MAX_COORDINATE: i32 = 65_535;
/// Longest scroll of one message, in wheel clicks.
const MAX_SCROLL: u16 = 255;

impl<'a> ClientMessage<'a> {
    /// Reads one text message.
    ///
    /// # Errors
    /// A known verb with missing, unreadable or out-of-range fields, or a text over its verb's limit. An unknown verb
    /// is `Ok(Unknown)`.
    pub fn parse(text: &'a str) -> Result<Self, WireError> {
        let end = text.find([',', ' ', ':']).unwrap_or(text.len());
        let (verb, rest) = (&text[..end], text.get(end + 1..));
        let limit = match verb {
            "SETTINGS" => ("SETTINGS", MAX_SETTINGS),
            "cw" | "cb" | "cwd" | "cbd" => ("clipboard", MAX_CLIPBOARD_TEXT),
            "_stages" => ("_stages", MAX_STAGES),
            _ => ("text", MAX_TEXT),
        };
        if text.len() > limit.1 {
            return Err(WireError::TooLarge { verb: limit.0, len: text.len(), max: limit.1 });
        }
        if let Some(message) = ClipboardMessage::parse(verb, rest) {
            return message.map(Self::Clipboard);
        }
        let f = |name| Fields::new(name, rest);
        Ok(match verb {
            "SETTINGS" => Self::Settings(f("SETTINGS").tail("JSON object")?),
            "CLIENT_FRAME_ACK" => frame_ack(rest)?,
            "START_VIDEO" => Self::StartVideo,
            "STOP_VIDEO" => Self::StopVideo,
            "START_AUDIO" => Self::StartAudio,
            "STOP_AUDIO" => Self::StopAudio,
            "REQUEST_KEYFRAME" => Self::RequestKeyframe,
            "LOST_FRAME" => Self::LostFrame(f("LOST_FRAME").number("frame id")?),
            "DECODE_PACE" => {
                Self::DecodePace(f("DECODE_PACE").in_range("rate", 0.0..=1000.0, "0 to 1000")?)
            }
            "r" => resize(f("r"))?,
            "s" => Self::Scale(f("s").in_range("scale", 0.1..=1000.0, "0.1 to 1000")?),
            "SET_NATIVE_CURSOR_RENDERING" => {
                Self::NativeCursor(f("SET_NATIVE_CURSOR_RENDERING").flag("flag")?)
            }
            "p" => Self::NativeCursor(f("p").flag("flag")?),
            "cmd" => Self::Command(f("cmd").tail("command line")?),
            "kd" => Self::KeyDown(f("kd").number("keysym")?),
            "ku" => Self::KeyUp(f("ku").number("keysym")?),
            "kr" => Self::KeyReset,
            "kh" => Self::KeyHeartbeat(heartbeat(f("kh"))),
            "co" => Self::TypeText(type_text(f("co"))?),
            "m" => Self::Pointer(pointer(f("m"), false)?),
            "m2" => Self::Pointer(pointer(f("m2"), true)?),
            "sf" => {
                let mut f = f("sf");
                let mut pixels = |name| f.in_range(name, -10_000.0..=10_000.0, "-10000 to 10000");
                Self::FingerScroll { dx: pixels("dx")?, dy: pixels("dy")? }
            }
            "sfe" => Self::FingerScrollEnd,
            "_pointer_echo" => Self::PointerEcho(f("_pointer_echo").flag("flag")?),
            "vp" => {
                let mut f = f("vp");
                let mut number = |name| f.in_range(name, -1e6..=1e6, "-1000000 to 1000000");
                Self::ViewBox([number("x")?, number("y")?, number("scale x")?, number("scale y")?])
            }
            "js" => Self::Gamepad(gamepad(f("js"))?),
            "vb" => {
                Self::Tune(Tuning::VideoBitrate(f("vb").in_range("kbit/s", 1..=1_000_000, "1 to 1000000")?))
            }
            "ab" => Self::Tune(Tuning::AudioBitrate(f("ab").in_range(
                "bit/s",
                1..=10_000_000,
                "1 to 10000000",
            )?)),
            "_arg_fps" => {
                Self::Tune(Tuning::Framerate(f("_arg_fps").in_range("fps", 1.0..=1000.0, "1 to 1000")?))
            }
            "_arg_resize" => {
                let mut f = f("_arg_resize");
                let enabled = f.flag("flag")?;
                let size = f.optional().map(|t| size(t).ok_or_else(|| f.bad("size"))).transpose()?;
                Self::Tune(Tuning::Resize { enabled, size })
            }
            "_ebc" => Self::Tune(Tuning::BinaryClipboard(f("_ebc").flag("flag")?)),
            "_rc" => {
                let mut f = f("_rc");
                let mode = match f.text("mode")?.trim() {
                    "cbr" | "CBR" => RateControl::Cbr,
                    "crf" | "CRF" => RateControl::Crf,
                    _ => return Err(f.bad("mode")),
                };
                Self::Tune(Tuning::RateControl(mode))
            }
            "_crf" => Self::Tune(Tuning::Crf(f("_crf").in_range("crf", 0..=51, "0 to 51")?)),
            "_f" => Self::ClientFps(f("_f").in_range("fps", 0.0..=10_000.0, "0 to 10000")?),
            "_l" => Self::ClientLatency(f("_l").in_range("latency", 0.0..=3_600_000.0, "0 to 3600000 ms")?),
            "_stats_video" => Self::ClientStats(f("_stats_video").tail("JSON")?),
            "_stats_audio" => Self::ClientStats(f("_stats_audio").tail("JSON")?),
            "_stages" => Self::Stages(stages(f("_stages"))?),
            "_stats" => Self::Stats(f("_stats").flag("flag")?),
            "_gz" => Self::Gzip(f("_gz").flag("flag")?),
            "pong" => Self::Pong(clock_text(f("pong"))?),
            "_ping" => Self::Ping(clock_text(f("_ping"))?),
            "_codecs" => Self::Codecs(codecs(f("_codecs"))?),
            "FILE_UPLOAD_START" => upload_start(rest)?,
            "FILE_UPLOAD_END" => Self::UploadEnd(f("FILE_UPLOAD_END").tail("path")?),
            "FILE_UPLOAD_ERROR" => Self::UploadError(f("FILE_UPLOAD_ERROR").tail("path")?),
            _ => Self::Unknown { verb: shortened(verb) },
        })
    }
}

fn stages(mut f: Fields<'_>) -> Result<Vec<StageReport>, WireError> {
    let report = |text: &str| {
        let (frame_id, times) = text.split_once(':')?;
        let (decode, present) = times.split_once(':')?;
        // A page that slept for longer tells nothing more.
        let time = |us: &str| Some(Duration::from_micros(us.parse::<u32>().ok()?.into()).min(LONGEST));
        Some(StageReport { frame_id: frame_id.parse().ok()?, decode: time(decode)?, present: time(present)? })
    };
    let first = f.text("report")?;
    let texts = std::iter::once(first).chain(std::iter::from_fn(|| f.optional()));
    let reports: Option<Vec<_>> = texts.take(MAX_STAGE_REPORTS + 1).map(report).collect();
    reports.filter(|reports| reports.len() <= MAX_STAGE_REPORTS).ok_or_else(|| f.bad("report"))
}

/// At most 32 bytes of `verb`, cut at a character: unknown verbs reach logs.
fn shortened(verb: &str) -> &str {
    let mut end = verb.len().min(32);
    while !verb.is_char_boundary(end) {
        end -= 1;
    }
    &verb[..end]
}

fn frame_ack(rest: Option<&str>) -> Result<ClientMessage<'_>, WireError> {
    const VERB: &str = "CLIENT_FRAME_ACK";
    let bad = |field| WireError::BadField { verb: VERB, field };
    let mut words = rest.unwrap_or("").split_ascii_whitespace();
    let id = words.next().ok_or(WireError::MissingField { verb: VERB, field: "frame id" })?;
    let frame_id = id.parse().map_err(|_| bad("frame id"))?;
    let held_ms = match words.next() {
        None => None,
        Some(text) => {
            let ms: f64 = text.parse().map_err(|_| bad("held time"))?;
            if !ms.is_finite() {
                return Err(bad("held time"));
            }
            // A page asleep for longer than a minute tells nothing more; negative is a clock oddity of the page.
            Some(ms.clamp(0.0, 60_000.0) as u32)
        }
    };
    Ok(ClientMessage::FrameAck { frame_id, held_ms })
}

fn size(text: &str) -> Option<(u32, u32)> {
    let (w, h) = text.split_once('x')?;
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse().ok()).flatten();
    Some((digits(w)?, digits(h)?))
}

fn resize(mut f: Fields<'_>) -> Result<ClientMessage<'_>, WireError> {
    let (width, height) = size(f.text("size")?).ok_or_else(|| f.bad("size"))?;
    let display = f.optional().unwrap_or("primary");
    let valid = (1..=32).contains(&display.len())
        && display.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !valid {
        return Err(f.bad("display"));
    }
    Ok(ClientMessage::Resize { width, height, display })
}

fn heartbeat(mut f: Fields<'_>) -> Vec<u32> {
    let fields = std::iter::from_fn(|| f.optional());
    // An unreadable keysym is skipped, not fatal: the others' keys must not be let go for it.
    fields.take(MAX_HEARTBEAT_KEYS).filter_map(|t| t.trim().parse().ok()).collect()
}

fn codecs(mut f: Fields<'_>) -> Result<Codecs, WireError> {
    let names = std::iter::from_fn(|| f.optional());
    // A newer page may know codecs that this host does not.
    let codecs: Codecs = names.take(MAX_CODECS).filter_map(Codec::from_name).collect();
    if codecs == Codecs::NONE { Err(f.bad("codec names")) } else { Ok(codecs) }
}

fn type_text(mut f: Fields<'_>) -> Result<&str, WireError> {
    match f.text("kind")? {
        "end" => f.tail("text"),
        _ => Err(f.bad("kind")),
    }
}

fn pointer(mut f: Fields<'_>, relative: bool) -> Result<PointerMessage, WireError> {
    let mut coordinate = |name| f.in_range(name, -MAX_COORDINATE..=MAX_COORDINATE, "-65535 to 65535");
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    let mask = f.in_range("button mask", 0..=0xff, "0 to 255")?;
    let scroll = f.number::<u32>("scroll")?.min(u32::from(MAX_SCROLL)) as u16;
    let seq = match f.optional() {
        None => None,
        Some(text) => Some(text.trim().parse().map_err(|_| f.bad("sequence number"))?),
    };
    Ok(PointerMessage { relative, x, y, mask, scroll, seq })
}

fn gamepad(mut f: Fields<'_>) -> Result<GamepadMessage, WireError> {
    let kind = f.text("kind")?;
    let slot = f.in_range("slot", 0..=3, "0 to 3")?;
    Ok(match kind {
        "c" => {
            let bytes = STANDARD.decode(f.text("name")?.trim()).map_err(|_| f.bad("name"))?;
            let name =
                String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(255).collect();
            let axes = f.in_range("axes", 0..=64, "0 to 64")?;
            let buttons = f.in_range("buttons", 0..=128, "0 to 128")?;
            GamepadMessage::Connect { slot, name, axes, buttons }
        }
        "d" => GamepadMessage::Disconnect { slot },
        "b" => GamepadMessage::Button {
            slot,
            index: f.in_range("button", 0..=127, "0 to 127")?,
            value: f.in_range("value", 0.0..=1.0, "0 to 1")?,
        },
        "a" => GamepadMessage::Axis {
            slot,
            index: f.in_range("axis", 0..=63, "0 to 63")?,
            value: f.number::<f64>("value").and_then(|v| {
                // Pads with worn sticks report a little past the end of the range.
                if v.is_finite() { Ok(v.clamp(-1.0, 1.0)) } else { Err(f.bad("value")) }
            })?,
        },
        "h" => GamepadMessage::Heartbeat { slot },
        _ => return Err(f.bad("kind")),
    })
}

fn clock_text(mut f: Fields<'_>) -> Result<&str, WireError> {
    let text = f.text("time")?;
    let valid = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if valid { Ok(text) } else { Err(f.bad("time")) }
}

fn upload_start(rest: Option<&str>) -> Result<ClientMessage<'_>, WireError> {
    const VERB: &str = "FILE_UPLOAD_START";
    let rest = rest.ok_or(WireError::MissingField { verb: VERB, field: "path" })?;
    // The path may hold colons, the size never does.
    let (path, size) = rest.rsplit_once(':').ok_or(WireError::MissingField { verb: VERB, field: "size" })?;
    let size = size.parse().map_err(|_| WireError::BadField { verb: VERB, field: "size" })?;
    Ok(ClientMessage::UploadStart { path, size })
}
