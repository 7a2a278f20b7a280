//! The clipboard between the desktop and the pages that may use it.
//!
//! What one side copied goes to the other when it changes, and to nobody who has it already: not to the page that it came
//! from, and not again when a clipboard manager of the desktop takes it over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Action, ClientId, Refusal, Session};
use crate::roles::{VerbClass, Verdict, verdict};
use crate::wire::{ClipboardMessage, RoleName, WireError};

/// Largest content that is taken from either side, in bytes.
pub const MAX_CLIPBOARD_CONTENT: usize = 32 * 1024 * 1024;
/// Bytes that may have come of contents from all pages together.
const MAX_UNDER_WAY: usize = 2 * MAX_CLIPBOARD_CONTENT;
/// A page that sends no part for so long does not send the rest.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(30);

/// The MIME type of text.
const TEXT: &str = "text/plain";
/// What else is exchanged, best first (2.1.0's list).
const BINARY: [&str; 6] =
    ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/svg+xml", "text/uri-list"];

/// Pages differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What was copied, in one format.
#[derive(Clone, PartialEq, Eq)]
pub struct ClipboardContent {
    /// MIME type; texts are `text/plain`.
    pub mime: String,
    /// The bytes; of a text, UTF-8 whose lines end with LF.
    pub bytes: Arc<[u8]>,
    /// It is a password or the like: pages neither show nor keep it.
    pub secret: bool,
}

impl ClipboardContent {
    /// Which of a content's formats is exchanged: text before pictures, because applications that copy text often offer a
    /// picture of it, too. `None` when none of them is.
    pub fn best(formats: &[String], binary: bool) -> Option<&str> {
        let known = std::iter::once(TEXT).chain(BINARY.into_iter().filter(|_| binary));
        known.into_iter().find_map(|known| formats.iter().find(|format| *format == known)).map(String::as_str)
    }

    /// Whether both are the same to whoever pastes them.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.mime == other.mime && self.bytes == other.bytes
    }

    /// Whether it is something else than text.
    pub fn is_binary(&self) -> bool {
        self.mime != TEXT
    }
}

impl fmt::Debug for ClipboardContent {
    // What people copy stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret {
            true => write!(f, "a secret as {}", self.mime),
            false => write!(f, "{} bytes of {}", self.bytes.len(), self.mime),
        }
    }
}

/// What the session knows of the clipboard.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// What is on it, where that is known.
    content: Option<ClipboardContent>,
    /// Contents that come in parts, one of each page.
    uploads: BTreeMap<ClientId, Upload>,
    /// What was said last by [`Action::WatchClipboard`].
    watched: Option<Watch>,
}

/// How far the desktop's clipboard is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Nobody would be told.
    Off,
    /// Texts only.
    Text,
    /// Texts, pictures and lists of files.
    Everything,
}

#[derive(Debug)]
struct Upload {
    id: String,
    mime: &'static str,
    total: u64,
    bytes: Vec<u8>,
    /// When its newest part came.
    moved: Instant,
}

impl Board {
    /// Drops what pages gave up to send.
    pub(super) fn expire(&mut self, now: Instant) {
        self.uploads.retain(|_, upload| now < upload.moved + UPLOAD_PATIENCE);
    }

    /// When [`Self::expire`] can drop something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.uploads.values().map(|upload| upload.moved + UPLOAD_PATIENCE).min()
    }
}

impl Session {
    /// A message about the clipboard that its sender may send.
    pub(super) fn clipboard(
        &mut self,
        now: Instant,
        client: ClientId,
        message: ClipboardMessage<'_>,
        out: &mut Vec<Action>,
    ) {
        use ClipboardMessage as M;
        let outcome = match message {
            M::Read => return self.reply(client, "cr", out),
            M::Request => return self.reply(client, "REQUEST_CLIPBOARD", out),
            M::Text { base64 } => self.write(client, "cw", TEXT, base64, out),
            M::Binary { mime, base64 } => self.write(client, "cb", mime, base64, out),
            M::Start { id, mime, total } => self.begin_upload(now, client, id, mime, total),
            M::Data { id, base64 } => self.continue_upload(now, client, id, base64),
            M::End { id } => self.end_upload(client, id, out),
        };
        if let Err(refusal) = outcome {
            self.board.uploads.remove(&client);
            self.refuse(client, refusal, out);
        }
    }

    /// The desktop's clipboard has this content now; `None` for one that is not known, or nothing.
    pub(super) fn clipboard_changed(&mut self, content: Option<ClipboardContent>, out: &mut Vec<Action>) {
        let fits = |content: &ClipboardContent| {
            content.bytes.len() <= MAX_CLIPBOARD_CONTENT && (!content.is_binary() || self.binary_clipboard)
        };
        let Some(content) = content.filter(fits) else {
            self.board.content = None;
            return;
        };
        // Told once more by whoever took it over.
        if self.board.content.as_ref().is_some_and(|known| known.is_copy_of(&content)) {
            return;
        }
        self.board.content = Some(content.clone());
        self.tell_clipboard(None, content, out);
    }

    /// Pages may come or go, gain or lose the right: says how far the clipboard is to be followed from now on.
    pub(super) fn watch_clipboard(&mut self, out: &mut Vec<Action>) {
        let wanted = self.policy.clipboard_out && self.clients.keys().any(|&client| self.may_paste(client));
        let watch = match (wanted, self.binary_clipboard) {
            (false, _) => Watch::Off,
            (true, false) => Watch::Text,
            (true, true) => Watch::Everything,
        };
        if self.board.watched.replace(watch).unwrap_or(Watch::Off) != watch {
            out.push(Action::WatchClipboard(watch));
        }
    }

    /// A page's own wish about pictures and files.
    pub(super) fn wish_binary_clipboard(&mut self, wish: bool, out: &mut Vec<Action>) {
        if !self.policy.clipboard_binary_locked && self.binary_clipboard != wish {
            self.binary_clipboard = wish;
            self.watch_clipboard(out);
        }
    }

    /// A client left: nothing of it is kept.
    pub(super) fn abandon_upload(&mut self, client: ClientId) {
        self.board.uploads.remove(&client);
    }

    /// A client lost the right: what is under way to and from it stops.
    pub(super) fn leave_clipboard(&mut self, client: ClientId, out: &mut Vec<Action>) {
        self.abandon_upload(client);
        out.push(Action::StopClipboard { client });
    }

    /// Whether a client may see what is on the clipboard.
    pub(super) fn may_paste(&self, client: ClientId) -> bool {
        let Some(entry) = self.clients.get(&client) else { return false };
        let admission = &entry.admission;
        // Outranked by another token's mk_control.
        let outranked =
            admission.role == RoleName::Controller && admission.secure && !admission.input_authority;
        let standing = self.standing(client);
        !outranked && standing.is_some_and(|it| verdict(it, VerbClass::Clipboard) == Verdict::Allow)
    }

    fn reply(&self, client: ClientId, verb: &'static str, out: &mut Vec<Action>) {
        // A page asks before its SETTINGS, too; it is told when it has a standing.
        if let Some(content) = self.board.content.clone().filter(|_| self.may_paste(client)) {
            out.push(Action::SendClipboard { to: vec![client], content, reply: Some(verb) });
        }
    }

    fn tell_clipboard(&self, but: Option<ClientId>, content: ClipboardContent, out: &mut Vec<Action>) {
        if !self.policy.clipboard_out {
            return;
        }
        let others = self.clients.keys().copied().filter(|client| Some(*client) != but);
        let to: Vec<_> = others.filter(|&client| self.may_paste(client)).collect();
        if !to.is_empty() {
            out.push(Action::SendClipboard { to, content, reply: None });
        }
    }

    /// A page's content is complete.
    fn adopt(&mut self, client: ClientId, content: ClipboardContent, out: &mut Vec<Action>) {
        // Nothing is not copied, and what is there already need not be taken from whom it belongs to.
        let known = self.board.content.as_ref();
        if content.bytes.is_empty() || known.is_some_and(|known| known.is_copy_of(&content)) {
            return;
        }
        self.board.content = Some(content.clone());
        out.push(Action::OfferClipboard(content.clone()));
        self.tell_clipboard(Some(client), content, out);
    }

    fn write(
        &mut self,
        client: ClientId,
        verb: &'static str,
        mime: &str,
        base64: &str,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let mime = self.known(verb, mime)?;
        let bytes = decode(verb, base64)?;
        let content = checked(verb, mime, bytes)?;
        self.adopt(client, content, out);
        Ok(())
    }

    fn begin_upload(
        &mut self,
        now: Instant,
        client: ClientId,
        id: &str,
        mime: &str,
        total: u64,
    ) -> Result<(), Refusal> {
        let verb = "cws";
        let mime = self.known(verb, mime)?;
        if total > MAX_CLIPBOARD_CONTENT as u64 {
            let range = "at most 33554432 bytes";
            return Err(WireError::OutOfRange { verb, field: "size", range }.into());
        }
        let upload = Upload { id: id.to_owned(), mime, total, bytes: Vec::new(), moved: now };
        // One of each page: the one before is given up.
        self.board.uploads.insert(client, upload);
        Ok(())
    }

    fn continue_upload(
        &mut self,
        now: Instant,
        client: ClientId,
        id: &str,
        base64: &str,
    ) -> Result<(), Refusal> {
        let verb = "cwd";
        // What was only declared takes no place.
        let all: usize = self.board.uploads.values().map(|upload| upload.bytes.len()).sum();
        let upload = self.upload(verb, client, id)?;
        let part = decode(verb, base64)?;
        let out_of_range = |range| Err(WireError::OutOfRange { verb, field: "size", range }.into());
        if upload.bytes.len() as u64 + part.len() as u64 > upload.total {
            return out_of_range("at most what was declared");
        }
        if all + part.len() > MAX_UNDER_WAY {
            return out_of_range("67108864 bytes from all pages together");
        }
        upload.bytes.extend_from_slice(&part);
        upload.moved = now;
        Ok(())
    }

    fn end_upload(&mut self, client: ClientId, id: &str, out: &mut Vec<Action>) -> Result<(), Refusal> {
        let verb = "cwe";
        self.upload(verb, client, id)?;
        let Some(upload) = self.board.uploads.remove(&client) else { return Ok(()) };
        if upload.bytes.len() as u64 != upload.total {
            return Err(WireError::OutOfRange { verb, field: "size", range: "what was declared" }.into());
        }
        let content = checked(verb, upload.mime, upload.bytes)?;
        self.adopt(client, content, out);
        Ok(())
    }

    /// What a page is sending under this id; the seed's messages name none.
    fn upload(&mut self, verb: &'static str, client: ClientId, id: &str) -> Result<&mut Upload, Refusal> {
        let known = self.board.uploads.get_mut(&client).filter(|upload| upload.id == id);
        known.ok_or(Refusal::Malformed(WireError::BadField { verb, field: "transfer id" }))
    }

    /// The format by its plain name, if it is one that is exchanged.
    fn known(&self, verb: &'static str, mime: &str) -> Result<&'static str, Refusal> {
        let plain = mime.split(';').next().unwrap_or_default().trim();
        if plain.eq_ignore_ascii_case(TEXT) {
            return Ok(TEXT);
        }
        match BINARY.into_iter().find(|known| plain.eq_ignore_ascii_case(known)) {
            None => Err(WireError::BadField { verb, field: "MIME type" }.into()),
            Some(_) if !self.binary_clipboard => Err(Refusal::Disabled(VerbClass::Clipboard)),
            Some(known) => Ok(known),
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

fn decode(verb: &'static str, base64: &str) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(base64).map_err(|_| WireError::BadField { verb, field: "base64" }.into())
}

fn checked(verb: &'static str, mime: &'static str, mut bytes: Vec<u8>) -> Result<ClipboardContent, Refusal> {
    if mime == TEXT {
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Refusal::from(WireError::BadField { verb, field: "UTF-8" }))?;
        // As browsers on Windows have it; applications of the desktop would paste two line ends.
        if text.contains("\r\n") {
            bytes = text.replace("\r\n", "\n").into_bytes();
        }
    }
    Ok(ClipboardContent { mime: mime.to_owned(), bytes: bytes.into(), secret: false })
}
