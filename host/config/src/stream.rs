//! The settings of one stream: what the operator starts it with, and what remains of a browser's wishes.

use serde_json::Value as Json;

use crate::{
    client::ClientSettings,
    config::Config,
    parse::encoder_name,
    resolve::Resolved,
    table::{Activity, Changer, Kind},
    value::Value,
};

/// Screen of the manual resolution mode when no size is given (Selkies' own).
pub(crate) const MANUAL_SIZE: (i64, i64) = (1024, 768);

/// What a stream is made with. Two streams with equal settings can be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Name of the encoder, as the configuration calls it.
    pub encoder: String,
    /// Most frames per second.
    pub framerate: u32,
    /// JPEG quality of changing parts, 1 to 100.
    pub jpeg_quality: u8,
    /// Parts that stopped changing are sent once more in better quality.
    pub use_paint_over_quality: bool,
    /// JPEG quality of those, 1 to 100.
    pub paint_over_jpeg_quality: u8,
    /// H.264 quality of changing parts, 0 (best) to 51.
    pub h264_crf: u8,
    /// H.264 with colours in full resolution (4:4:4).
    pub h264_fullcolor: bool,
    /// H.264 of every frame whole, whatever changed.
    pub h264_streaming_mode: bool,
    /// H.264 quality of parts that stopped changing, 0 (best) to 51.
    pub h264_paintover_crf: u8,
    /// Frames that these are spread over.
    pub h264_paintover_burst_frames: u32,
    /// Constant bit rate instead of constant quality, where the encoder has a rate.
    pub is_constant_bitrate: bool,
    /// That rate in kbit/s.
    pub video_bitrate: u32,
    /// The screen has the size below, whatever the size of the browser's window.
    pub is_manual_resolution_mode: bool,
    /// Screen width in pixels in manual mode, else 0 or the browser's last wish.
    pub manual_width: u32,
    /// Screen height in pixels in manual mode, else 0 or the browser's last wish.
    pub manual_height: u32,
    /// Dots per inch that applications scale to.
    pub scaling_dpi: u32,
    /// Of the sound, in bit/s.
    pub audio_bitrate: u32,
}

/// What remains of a browser's wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanitized {
    /// The settings to stream with.
    pub settings: StreamSettings,
    /// Names of settings whose value was moved into the operator's range or menu.
    pub adjusted: Vec<&'static str>,
    /// Names of settings that the browser may not change, or whose value makes no sense; they keep their value.
    pub refused: Vec<&'static str>,
    /// Number of keys that nobody knows.
    pub unknown: usize,
}

/// A wish after judgement.
enum Verdict {
    Taken(Granted),
    Adjusted(Granted),
    Refused,
}

enum Granted {
    Bool(bool),
    Number(i64),
    Name(String),
}

impl Config {
    /// The settings that a stream starts with.
    #[must_use]
    pub fn stream_defaults(&self) -> StreamSettings {
        StreamSettings {
            encoder: self.choice("encoder").into(),
            framerate: narrow(self.int("framerate")),
            jpeg_quality: narrow(self.int("jpeg_quality")),
            use_paint_over_quality: self.bool("use_paint_over_quality"),
            paint_over_jpeg_quality: narrow(self.int("paint_over_jpeg_quality")),
            h264_crf: narrow(self.int("h264_crf")),
            h264_fullcolor: self.bool("h264_fullcolor"),
            h264_streaming_mode: self.bool("h264_streaming_mode"),
            h264_paintover_crf: narrow(self.int("h264_paintover_crf")),
            h264_paintover_burst_frames: narrow(self.int("h264_paintover_burst_frames")),
            is_constant_bitrate: self.choice("rate_control_mode") == "cbr",
            video_bitrate: narrow(self.int("video_bitrate")),
            is_manual_resolution_mode: self.bool("is_manual_resolution_mode"),
            manual_width: narrow(self.int("manual_width")),
            manual_height: narrow(self.int("manual_height")),
            scaling_dpi: self.choice("scaling_dpi").parse().unwrap_or(96),
            audio_bitrate: self.choice("audio_bitrate").parse().unwrap_or(128_000),
        }
    }

    /// Judges a browser's wishes (rules of Selkies): numbers move into the operator's range, a name that is not in the
    /// menu becomes the operator's, a locked setting keeps its value. What the browser does not mention stays as it is
    /// in `current`.
    #[must_use]
    pub fn sanitize(&self, current: &StreamSettings, client: &ClientSettings) -> Sanitized {
        let mut out = Sanitized {
            settings: current.clone(),
            adjusted: Vec::new(),
            refused: Vec::new(),
            unknown: client.unknown(),
        };
        for (setting, wish) in client.wishes() {
            let Some(resolved) = self.get(setting.name) else { continue };
            if matches!(setting.activity, Activity::NotYet(_)) {
                continue;
            }
            let granted = match self.judge(resolved, wish) {
                Verdict::Taken(granted) => granted,
                Verdict::Adjusted(granted) => {
                    out.adjusted.push(setting.name);
                    granted
                }
                Verdict::Refused => {
                    out.refused.push(setting.name);
                    continue;
                }
            };
            out.settings.store(setting.name, granted);
        }
        out.settings.complete_manual_size();
        out
    }

    fn judge(&self, resolved: &Resolved, wish: &Json) -> Verdict {
        let setting = resolved.setting;
        if setting.changer == Changer::Operator {
            return Verdict::Refused;
        }
        let verdict = match (&resolved.value, setting.kind) {
            (Value::Bool { on, locked }, _) => bool_of(wish).map(|asked| match *locked && asked != *on {
                true => Verdict::Refused,
                false => Verdict::Taken(Granted::Bool(asked)),
            }),
            (Value::Range { min, max, .. }, _) => whole(wish).map(|asked| clamped(asked, *min, *max)),
            // The size is locked with the mode.
            (Value::Int(number), Kind::Int { min, max }) => whole(wish).map(|asked| {
                let is_locked =
                    self.get("is_manual_resolution_mode").is_some_and(|mode| mode.value.is_locked());
                match is_locked {
                    true if asked == *number => Verdict::Taken(Granted::Number(asked)),
                    true => Verdict::Refused,
                    false => clamped(asked, min, max),
                }
            }),
            (Value::Choice { value, allowed }, Kind::Choice { span, .. }) => {
                name_of(wish).map(|asked| judge_name(resolved, &asked, value, allowed, span))
            }
            _ => None,
        };
        verdict.unwrap_or(Verdict::Refused)
    }
}

fn judge_name(
    resolved: &Resolved,
    asked: &str,
    value: &str,
    allowed: &[String],
    span: Option<(i64, i64)>,
) -> Verdict {
    let is_known = allowed.iter().any(|name| name == asked);
    let asked = if resolved.setting.name == "encoder" && !is_known { encoder_name(asked) } else { asked };
    // Only the built-in menu is a set of suggestions; an operator's is the law.
    let in_span = || {
        let number = asked.parse::<i64>().ok().filter(|_| !resolved.is_explicit());
        number.zip(span).is_some_and(|(number, (min, max))| (min..=max).contains(&number))
    };
    if allowed.iter().any(|name| name == asked) || in_span() {
        Verdict::Taken(Granted::Name(asked.into()))
    } else {
        Verdict::Adjusted(Granted::Name(value.into()))
    }
}

fn clamped(asked: i64, min: i64, max: i64) -> Verdict {
    let granted = Granted::Number(asked.clamp(min, max));
    if (min..=max).contains(&asked) { Verdict::Taken(granted) } else { Verdict::Adjusted(granted) }
}

impl StreamSettings {
    fn store(&mut self, name: &str, granted: Granted) {
        match (name, granted) {
            ("encoder", Granted::Name(name)) => self.encoder = name,
            ("scaling_dpi", Granted::Name(name)) => {
                self.scaling_dpi = name.parse().unwrap_or(self.scaling_dpi)
            }
            ("audio_bitrate", Granted::Name(name)) => {
                self.audio_bitrate = name.parse().unwrap_or(self.audio_bitrate)
            }
            ("rate_control_mode", Granted::Name(name)) => self.is_constant_bitrate = name == "cbr",
            ("framerate", Granted::Number(number)) => self.framerate = narrow(number),
            ("h264_crf", Granted::Number(number)) => self.h264_crf = narrow(number),
            ("h264_paintover_crf", Granted::Number(number)) => self.h264_paintover_crf = narrow(number),
            ("h264_paintover_burst_frames", Granted::Number(number)) => {
                self.h264_paintover_burst_frames = narrow(number);
            }
            ("video_bitrate", Granted::Number(number)) => self.video_bitrate = narrow(number),
            ("jpeg_quality", Granted::Number(number)) => self.jpeg_quality = narrow(number),
            ("paint_over_jpeg_quality", Granted::Number(number)) => {
                self.paint_over_jpeg_quality = narrow(number)
            }
            ("manual_width", Granted::Number(number)) => self.manual_width = narrow(number),
            ("manual_height", Granted::Number(number)) => self.manual_height = narrow(number),
            ("use_paint_over_quality", Granted::Bool(on)) => self.use_paint_over_quality = on,
            ("h264_fullcolor", Granted::Bool(on)) => self.h264_fullcolor = on,
            ("h264_streaming_mode", Granted::Bool(on)) => self.h264_streaming_mode = on,
            ("is_manual_resolution_mode", Granted::Bool(on)) => self.is_manual_resolution_mode = on,
            // What pages do by themselves, such as use_css_scaling, makes no other stream.
            _ => {}
        }
    }

    fn complete_manual_size(&mut self) {
        if self.is_manual_resolution_mode {
            for (side, missing) in
                [(&mut self.manual_width, MANUAL_SIZE.0), (&mut self.manual_height, MANUAL_SIZE.1)]
            {
                if *side == 0 {
                    *side = narrow(missing);
                }
            }
        }
    }
}

/// Numbers of settings are within the table's limits; these casts cannot lose anything.
fn narrow<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

/// Pages send booleans, and older ones their text.
fn bool_of(wish: &Json) -> Option<bool> {
    match wish {
        Json::Bool(on) => Some(*on),
        Json::Number(number) => match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Json::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Pages send whole and fractional numbers, and older ones their text. Rounded; not a number and infinity are nothing.
fn whole(wish: &Json) -> Option<i64> {
    let number = match wish {
        Json::Number(number) => number.as_f64()?,
        Json::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // The cast saturates, and what it saturates to is clamped.
    number.is_finite().then(|| number.round() as i64)
}

fn name_of(wish: &Json) -> Option<String> {
    match wish {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) => whole(wish).map(|number| number.to_string()),
        _ => None,
    }
}
