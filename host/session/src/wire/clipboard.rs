//! Clipboard texts, both ways.
//!
//! Source: Selkies 2.1.0, input_handler.py (`cws`…`cbe`, `cr`) and websockets_mode.py:1531-1660.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::WireError;
use super::fields::Fields;
use super::server::ServerMessage;

/// Raw bytes of one multipart chunk, 2.1.0's.
pub const CLIPBOARD_CHUNK_BYTES: usize = 750 * 1024;
/// Largest declared multipart size this host accepts, in bytes; the clipboard's owner may allow less.
const MAX_DECLARED: u64 = 64 * 1024 * 1024;

/// Client to server. The base64 stays undecoded: whether it may be written at all is decided first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipboardMessage<'a> {
    /// `cr`: send the present clipboard to this client.
    Read,
    /// `REQUEST_CLIPBOARD`: the user copied in the remote desktop; send what is there now.
    Request,
    /// `cw,<b64>`.
    Text {
        /// Base64 of UTF-8.
        base64: &'a str,
    },
    /// `cb,<mime>,<b64>`.
    Binary {
        /// MIME type.
        mime: &'a str,
        /// Base64 of the bytes.
        base64: &'a str,
    },
    /// `cws,<id>,<total>` (`cws,<total>` in the seed era) and `cbs,<id>,<mime>,<total>`.
    Start {
        /// Transfer id; empty in the seed era's form.
        id: &'a str,
        /// MIME type, `text/plain` for `cws`.
        mime: &'a str,
        /// Declared size in bytes.
        total: u64,
    },
    /// `cwd,<id>,<b64>` and `cbd,<id>,<b64>`.
    Data {
        /// Transfer id; empty in the seed era's form.
        id: &'a str,
        /// Base64 of the chunk.
        base64: &'a str,
    },
    /// `cwe,<id>` and `cbe,<id>`.
    End {
        /// Transfer id; empty in the seed era's form.
        id: &'a str,
    },
}

impl<'a> ClipboardMessage<'a> {
    /// The verb's message, or `None` when the verb is none of the clipboard's.
    pub(super) fn parse(verb: &str, rest: Option<&'a str>) -> Option<Result<Self, WireError>> {
        let name = match verb {
            "cr" => return Some(Ok(Self::Read)),
            "REQUEST_CLIPBOARD" => return Some(Ok(Self::Request)),
            "cw" => "cw",
            "cb" => "cb",
            "cws" => "cws",
            "cwd" => "cwd",
            "cwe" => "cwe",
            "cbs" => "cbs",
            "cbd" => "cbd",
            "cbe" => "cbe",
            _ => return None,
        };
        Some(Self::parse_fields(name, rest))
    }

    fn parse_fields(name: &'static str, rest: Option<&'a str>) -> Result<Self, WireError> {
        let mut f = Fields::new(name, rest);
        Ok(match name {
            "cw" => Self::Text { base64: f.tail("base64")? },
            "cb" => Self::Binary { mime: mime(&mut f)?, base64: f.tail("base64")? },
            "cws" => {
                let first = f.text("size")?;
                let (id, total) = match f.optional() {
                    Some(total) => (transfer_id(first, &f)?, total),
                    None => ("", first),
                };
                Self::Start { id, mime: "text/plain", total: declared(name, total)? }
            }
            "cbs" => {
                let (first, second) = (f.text("id")?, f.text("size")?);
                let (id, mime_text, total) = match f.optional() {
                    Some(total) => (transfer_id(first, &f)?, second, total),
                    None => ("", first, second),
                };
                let mime = mime(&mut Fields::new(name, Some(mime_text)))?;
                Self::Start { id, mime, total: declared(name, total)? }
            }
            "cwd" | "cbd" => {
                let first = f.text("base64")?;
                match f.optional() {
                    Some(base64) => Self::Data { id: transfer_id(first, &f)?, base64 },
                    None => Self::Data { id: "", base64: first },
                }
            }
            _ => Self::End { id: f.optional().map_or(Ok(""), |id| transfer_id(id, &f))? },
        })
    }
}

fn mime<'a>(f: &mut Fields<'a>) -> Result<&'a str, WireError> {
    let mime = f.text("MIME type")?;
    let valid = (1..=128).contains(&mime.len())
        && mime.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+-._;= ".contains(&b));
    if valid { Ok(mime) } else { Err(f.bad("MIME type")) }
}

fn transfer_id<'a>(id: &'a str, f: &Fields<'_>) -> Result<&'a str, WireError> {
    let valid = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_graphic());
    if valid { Ok(id) } else { Err(f.bad("transfer id")) }
}

fn declared(verb: &'static str, text: &str) -> Result<u64, WireError> {
    let total = text.trim().parse().map_err(|_| WireError::BadField { verb, field: "size" })?;
    if total > MAX_DECLARED {
        return Err(WireError::OutOfRange { verb, field: "size", range: "at most 67108864 bytes" });
    }
    Ok(total)
}

/// The server's messages that carry a content to a page, one after the other: one for a small content, else a start,
/// parts and an end. The page's own limit on the whole is the caller's to keep.
#[derive(Debug, Clone)]
pub struct ClipboardMessages {
    mime: String,
    bytes: Arc<[u8]>,
    /// Most raw bytes of a message.
    part: usize,
    at: usize,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    First,
    Part,
    Nothing,
}

impl ClipboardMessages {
    /// Messages of at most `part` raw bytes, at most [`CLIPBOARD_CHUNK_BYTES`], rounded down so that each part but the last
    /// is base64 without padding.
    #[must_use]
    pub fn new(mime: String, bytes: Arc<[u8]>, part: usize) -> Self {
        let part = part.min(CLIPBOARD_CHUNK_BYTES) / 3 * 3;
        Self { mime, bytes, part: part.max(3), at: 0, next: Next::First }
    }
}

impl Iterator for ClipboardMessages {
    type Item = ServerMessage;

    fn next(&mut self) -> Option<ServerMessage> {
        match self.next {
            Next::First if self.bytes.len() <= self.part => {
                self.next = Next::Nothing;
                let base64 = STANDARD.encode(&self.bytes);
                let mime = std::mem::take(&mut self.mime);
                Some(match mime.as_str() {
                    "text/plain" => ServerMessage::ClipboardText { base64 },
                    _ => ServerMessage::ClipboardBinary { mime, base64 },
                })
            }
            Next::First => {
                self.next = Next::Part;
                let mime = std::mem::take(&mut self.mime);
                Some(ServerMessage::ClipboardStart { mime, total: self.bytes.len() as u64 })
            }
            Next::Part if self.at < self.bytes.len() => {
                let end = self.bytes.len().min(self.at + self.part);
                let base64 = STANDARD.encode(&self.bytes[self.at..end]);
                self.at = end;
                Some(ServerMessage::ClipboardData { base64 })
            }
            Next::Part => {
                self.next = Next::Nothing;
                Some(ServerMessage::ClipboardFinish)
            }
            Next::Nothing => None,
        }
    }
}
