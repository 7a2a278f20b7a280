//! `selkies.clipboard/1`.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, ClipboardV1, MAX_CLIPBOARD_BYTES, MAX_CLIPBOARD_FORMATS};
use serde::{Deserialize, Serialize};

use super::core::{Core, required, sized_table};
use super::wake::{WakeGate, Waker};
use super::{Origin, PluginError, capture};
use crate::child::{
    Blob, Remote, RemoteWake, spilled,
    wire::{Create, Reply, Task},
};
use crate::services::{Role, now_ns};
use here::Here;

mod here;

/// Which of a desktop's clipboards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClipboardSelection {
    /// What copying fills and pasting takes.
    Clipboard,
    /// What was marked last.
    Primary,
}

impl ClipboardSelection {
    fn number(self) -> u32 {
        match self {
            Self::Clipboard => abi::SELECTION_CLIPBOARD,
            Self::Primary => abi::SELECTION_PRIMARY,
        }
    }
}

/// A selection got another content, or lost its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipboardChange {
    /// Which.
    pub selection: ClipboardSelection,
    /// There is a content.
    pub filled: bool,
    /// Names the content.
    pub serial: u64,
}

/// What is wanted of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipboardRequest {
    /// Whose content.
    pub selection: ClipboardSelection,
    /// The serial with which it was reported.
    pub serial: u64,
    /// The format to be read, as [`ClipboardInstance::formats`] named it; empty there.
    pub mime: String,
    /// Most bytes that are wanted, at most 64 MiB.
    pub limit: usize,
    /// When the answer is given up, nanoseconds of `CLOCK_MONOTONIC`.
    pub deadline_ns: u64,
}

/// What there is of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipboardFormats {
    /// Its MIME types, best first.
    pub mimes: Vec<String>,
    /// It is a password or the like.
    pub secret: bool,
}

/// A content in one format.
#[derive(Clone, Copy, Debug)]
pub struct ClipboardItem<'a> {
    /// MIME type, at most 128 bytes; `text/plain` is UTF-8 whose lines end with LF.
    pub mime: &'a str,
    /// The content, at most 64 MiB, and 128 MiB in all formats together.
    pub data: &'a [u8],
}

/// A desktop's clipboard.
#[derive(Debug)]
pub struct ClipboardInstance {
    arm: Arm,
}

/// Where it runs.
#[derive(Debug)]
enum Arm {
    Here(Here),
    Child { remote: Box<Remote>, wake: Arc<RemoteWake> },
}

impl ClipboardInstance {
    /// Opens the clipboard. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        const CREATE: &str = "clipboard.create";
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let (wake, event) = capture::wake(origin, child, CREATE)?;
            let event = [event.as_fd()];
            let mut remote = Remote::create(services, child, config, Create::Clipboard, &event, CREATE)?;
            remote.hears_up_to(MAX_CLIPBOARD_BYTES + ROOM);
            return Ok(Self { arm: Arm::Child { remote: Box::new(remote), wake } });
        }
        let plugin = origin.plugin.id();
        let table: &ClipboardV1 = origin.plugin.table("clipboard")?;
        sized_table::<ClipboardV1>(plugin, "clipboard", table.struct_size)?;
        let create = required(plugin, CREATE, table.create)?;
        let destroy = required(plugin, "clipboard.destroy", table.destroy)?;
        let wait = required(plugin, WAIT, table.wait)?;
        let formats = required(plugin, FORMATS, table.formats)?;
        let read = required(plugin, READ, table.read)?;
        let offer = required(plugin, OFFER, table.offer)?;
        let wake = required(plugin, "clipboard.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, CREATE, create, destroy)?;
        let gate = WakeGate::new(&core, wake);
        Ok(Self { arm: Arm::Here(Here { gate, core, wait, formats, read, offer }) })
    }

    /// Blocks until a selection has another content than the one reported last, `timeout` passed (`None`: no limit) or a
    /// waker was used; the last two answer `None`. What this instance offers is not reported. Applications are given
    /// what was offered while this waits. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child { remote, wake } => {
                match remote.wait(WAIT, |timeout_ns| Task::ClipboardWait { timeout_ns }, timeout, wake)? {
                    Reply::ClipboardChange(change) => Ok(change),
                    _ => Err(remote.wrong_reply(WAIT)),
                }
            }
        }
    }

    /// What there is of a content; `None` when a waker was used. Blocks up to the deadline. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn formats(&mut self, request: &ClipboardRequest) -> Result<Option<ClipboardFormats>, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.formats(request),
            Arm::Child { remote, wake } => {
                let task = |_| Task::ClipboardFormats(request.clone());
                match remote.wait(FORMATS, task, Some(time_left(request)), wake)? {
                    Reply::ClipboardFormats(None) => Ok(None),
                    Reply::ClipboardFormats(Some(found)) if are_formats(&found.mimes) => Ok(Some(found)),
                    _ => Err(remote.wrong_reply(FORMATS)),
                }
            }
        }
    }

    /// A content in one format; `None` when a waker was used. Blocks up to the deadline. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract: more than the limit, no bytes, or texts that are not UTF-8.
    pub fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.read(request),
            Arm::Child { remote, wake } => {
                let task = |_| Task::ClipboardRead(request.clone());
                match remote.wait(READ, task, Some(time_left(request)), wake)? {
                    Reply::ClipboardBytes(None) => Ok(None),
                    Reply::ClipboardBytes(Some(Blob(bytes))) if wrong(request, &bytes).is_none() => {
                        Ok(Some(bytes))
                    }
                    _ => Err(remote.wrong_reply(READ)),
                }
            }
        }
    }

    /// Makes one content, in several formats, that of a selection; without items nothing is offered any more.
    /// `[control]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn offer(
        &mut self,
        selection: ClipboardSelection,
        items: &[ClipboardItem<'_>],
    ) -> Result<(), PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.offer(selection, items),
            Arm::Child { remote, .. } => {
                let bytes: Vec<u8> = items.iter().flat_map(|item| item.data).copied().collect();
                let file = spilled(&bytes)
                    .map_err(|error| PluginError::shortage(remote.account(), OFFER, error.to_string()))?;
                let sizes = items.iter().map(|item| (item.mime.to_owned(), item.data.len())).collect();
                remote.send(OFFER, Task::ClipboardOffer { selection, items: sizes }, &[file.as_fd()])?;
                let deadline = remote.link().deadlines().call;
                match remote.answer(OFFER, deadline, &mut crate::child::deaf)?.reply {
                    Reply::Done => Ok(()),
                    _ => Err(remote.wrong_reply(OFFER)),
                }
            }
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        match &self.arm {
            Arm::Here(here) => here.gate.waker(),
            Arm::Child { wake, .. } => Waker::of_child(wake),
        }
    }
}

const WAIT: &str = "clipboard.wait";
const FORMATS: &str = "clipboard.formats";
const READ: &str = "clipboard.read";
const OFFER: &str = "clipboard.offer";

/// What an answer of a child has beside the content.
const ROOM: usize = 64 << 10;

fn time_left(request: &ClipboardRequest) -> Duration {
    Duration::from_nanos(request.deadline_ns.saturating_sub(now_ns()))
}

fn is_mime(text: &str) -> bool {
    (1..=abi::MAX_CLIPBOARD_MIME).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

fn are_formats(found: &[String]) -> bool {
    found.len() <= MAX_CLIPBOARD_FORMATS as usize && found.iter().all(|mime| is_mime(mime))
}

/// Why these bytes are no answer to the request.
fn wrong(request: &ClipboardRequest, bytes: &[u8]) -> Option<String> {
    if bytes.len() > request.limit {
        return Some(format!("{} bytes came, {} were asked for", bytes.len(), request.limit));
    }
    (request.mime == "text/plain" && std::str::from_utf8(bytes).is_err())
        .then(|| "a text is not UTF-8".into())
}
