//! A page's first line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::codecs::Codec;
use crate::roles::Admission;
use crate::wire::RoleName;

/// Longest first line, bytes (2.1.0's figure).
pub const MAX_HELLO_BYTES: usize = 16 * 1024;
/// Longest name of a tab, characters; longer ones are cut (2.1.0's figure).
const MAX_TAB: usize = 64;
/// Largest side of the page's size, pixels (2.1.0's figure).
const MAX_SIDE: u64 = 8192;
/// The numbers of pages in selkies-gstreamer 1.6: this one takes picture and input …
const NUMBER_OF_VIDEO: &str = "1";
/// … and this one sound.
const NUMBER_OF_AUDIO: &str = "3";

/// Which generation's form a page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Names before the JSON: Selkies from the seed era on.
    Named,
    /// Numbers for names, and no name before the JSON: selkies-gstreamer 1.6.
    Numbered,
    /// The second connection of a page of 1.6, for sound alone. It is greeted, and nothing is offered to it: sound
    /// travels with the picture.
    NumberedAudio,
}

/// What a page says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The form it speaks.
    pub form: Form,
    /// The role it asks for.
    pub role: RoleName,
    /// The player's slot that it asks for, 2 to 4; 1 is the controller's own.
    pub slot: Option<u8>,
    /// The browser's tab, which tells a page that comes again from another one.
    pub tab: Option<String>,
    /// The size that the page will ask for, pixels.
    pub page_size: Option<(u32, u32)>,
    /// A secret by which the page takes its session up again when the socket was cut: 16 to 64 letters and digits.
    pub resume_key: Option<String>,
    /// What the page receives over WebRTC, best first; `None` for one that does not say.
    pub codecs: Option<Vec<Codec>>,
    /// The page is this host's own: its data channel carries the very texts of the WebSocket.
    pub own_page: bool,
}

/// Why a first line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Over [`MAX_HELLO_BYTES`].
    #[error("hello too large")]
    TooLarge,
    /// It cannot be read.
    #[error("invalid protocol")]
    Invalid,
    /// It claims to be the streaming server, which is this host.
    #[error("Invalid authentication token")]
    Server,
    /// There is no such slot.
    #[error("Invalid player id provided, check URL.")]
    Slot,
    /// It asks for another display than the first.
    #[error("Second screens are disabled on this server.")]
    Display,
}

impl HelloError {
    /// The WebSocket close code: 2.1.0's, whose page takes 4000 and 4001 for final.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::TooLarge => 1009,
            Self::Invalid => 1002,
            Self::Server => 4001,
            Self::Slot | Self::Display => 4000,
        }
    }

    /// The close reason.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "hello too large",
            Self::Invalid => "invalid protocol",
            Self::Server => "Invalid authentication token",
            Self::Slot => "Invalid player id provided, check URL.",
            Self::Display => "Second screens are disabled on this server.",
        }
    }
}

impl Hello {
    /// Reads a first line.
    ///
    /// # Errors
    /// [`HelloError`] when it is to be refused.
    pub fn parse(line: &str) -> Result<Self, HelloError> {
        if line.len() > MAX_HELLO_BYTES {
            return Err(HelloError::TooLarge);
        }
        let line = line.trim();
        let (verb, rest) = line.split_once(char::is_whitespace).ok_or(HelloError::Invalid)?;
        let rest = rest.trim_start();
        let (name, metadata) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if verb != "HELLO" {
            return Err(HelloError::Invalid);
        }
        match name {
            "client" => named(metadata.trim()),
            "server" => Err(HelloError::Server),
            NUMBER_OF_VIDEO => Ok(numbered(Form::Numbered, metadata.trim())),
            NUMBER_OF_AUDIO => Ok(numbered(Form::NumberedAudio, metadata.trim())),
            _ => Err(HelloError::Invalid),
        }
    }

    /// What the page is let in as, without tokens.
    #[must_use]
    pub fn admission(&self) -> Admission {
        Admission {
            role: self.role,
            slots: self.slot.into_iter().collect(),
            input_authority: self.role == RoleName::Controller,
            secure: false,
        }
    }
}

fn named(metadata: &str) -> Result<Hello, HelloError> {
    let metadata: Map<String, Value> = serde_json::from_str(metadata).map_err(|_| HelloError::Invalid)?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let role = match text("client_type") {
        Some("controller") => RoleName::Controller,
        Some("viewer") => RoleName::Viewer,
        _ => return Err(HelloError::Invalid),
    };
    if metadata.get("display_id").is_some_and(|display| !display.is_null() && display != "primary") {
        let named = text("display_id").filter(|name| is_name(name, 1..=32));
        return Err(if named.is_some() { HelloError::Display } else { HelloError::Invalid });
    }
    let key = text("resume_key")
        .filter(|key| (16..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    Ok(Hello {
        form: Form::Named,
        role,
        slot: slot(metadata.get("client_slot"))?,
        tab: text("client_tab_id").map(|tab| tab.chars().take(MAX_TAB).collect()),
        page_size: metadata.get("page_size").and_then(page_size),
        resume_key: key.map(str::to_owned),
        codecs: metadata.get("rtc_codecs").and_then(codecs),
        own_page: metadata.get("selkies_host").is_some_and(|said| *said == 1 || *said == true),
    })
}

/// 1.6's metadata is base64 of `{"res":"1920x1080","scale":1}`; what cannot be read tells nothing.
fn numbered(form: Form, metadata: &str) -> Hello {
    let metadata = STANDARD.decode(metadata).ok();
    let metadata = metadata.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    let size = metadata.as_ref().and_then(|metadata| metadata.get("res")?.as_str()?.split_once('x'));
    let size = size.and_then(|(width, height)| sides(width.parse().ok()?, height.parse().ok()?));
    Hello {
        form,
        role: RoleName::Controller,
        slot: None,
        tab: None,
        page_size: size,
        resume_key: None,
        codecs: None,
        own_page: false,
    }
}

/// -1 is nobody's slot, and 1 the controller's, which gives it nothing.
fn slot(value: Option<&Value>) -> Result<Option<u8>, HelloError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number
            .as_i64()
            .or_else(|| number.as_f64().filter(|slot| slot.fract() == 0.0).map(|slot| slot as i64)),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match number.ok_or(HelloError::Invalid)? {
        -1 | 1 => Ok(None),
        slot @ 2..=4 => Ok(Some(slot as u8)),
        _ => Err(HelloError::Slot),
    }
}

/// `[width,height]`, or `"WIDTHxHEIGHT"`.
fn page_size(value: &Value) -> Option<(u32, u32)> {
    if let Some((width, height)) = value.as_str().and_then(|text| text.split_once('x')) {
        return sides(width.parse().ok()?, height.parse().ok()?);
    }
    let [width, height] = value.as_array()?.as_slice() else { return None };
    sides(width.as_u64()?, height.as_u64()?)
}

fn sides(width: u64, height: u64) -> Option<(u32, u32)> {
    let fits = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height);
    fits.then_some((width as u32, height as u32))
}

/// Names not known here are skipped, and what is named twice counts once.
fn codecs(value: &Value) -> Option<Vec<Codec>> {
    let mut found = Vec::new();
    for codec in value.as_array()?.iter().filter_map(Value::as_str).filter_map(Codec::from_name) {
        if !found.contains(&codec) {
            found.push(codec);
        }
    }
    Some(found)
}

fn is_name(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
