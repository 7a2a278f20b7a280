//! `selkies.clipboard/1`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{
    Clipboard, ClipboardChange, ClipboardFormats, ClipboardOffer, ClipboardRequest, Host, Result, Wake,
};

use super::{Config, shared};
use crate::clipboard;

/// CLIPBOARD and PRIMARY as a clipboard plugin.
#[derive(Debug)]
pub struct X11Clipboard {
    host: Host,
    board: clipboard::Clipboard,
}

impl X11Clipboard {
    /// The moment of a time of the host.
    fn until(&self, deadline_ns: u64) -> Instant {
        let now = Instant::now();
        let left = Duration::from_nanos(deadline_ns.saturating_sub(self.host.now_ns()));
        now.checked_add(left).unwrap_or(now)
    }
}

impl Clipboard for X11Clipboard {
    type Config = Config;

    fn create(host: Host, config: Config) -> Result<Self> {
        Ok(Self { host, board: clipboard::Clipboard::open(config.display())? })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        shared(self.board.waker())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>> {
        Ok(self.board.wait(timeout)?)
    }

    fn formats(&mut self, request: &ClipboardRequest) -> Result<Option<ClipboardFormats>> {
        let until = self.until(request.deadline_ns);
        Ok(self.board.formats(request.selection, request.serial, until)?)
    }

    fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>> {
        let until = self.until(request.deadline_ns);
        let ClipboardRequest { selection, serial, mime, limit, .. } = request;
        Ok(self.board.read(*selection, *serial, mime, *limit, until)?)
    }

    fn offer(&mut self, offer: &ClipboardOffer<'_>) -> Result<()> {
        Ok(self.board.offer(offer)?)
    }
}
