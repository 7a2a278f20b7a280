//! The clipboard thread: what applications copied goes to the observer, what pages copied to the plugin.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use selkies_plugin_host::{
    ClipboardChange, ClipboardInstance, ClipboardItem, ClipboardRequest, ClipboardSelection, FaultClass,
    HostServices, PluginError, Waker, now_ns,
};
use selkies_session::{ClipboardContent, MAX_CLIPBOARD_CONTENT, Watch, fallback::BackOff};
use tracing::{debug, warn};

use crate::{Backend, Observer, gate::Gate, slot::Slot};

/// Pauses before a lost clipboard is opened again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long an application may take to give what it copied.
const READ_TIME: Duration = Duration::from_secs(20);
/// Longest that input waits for what was copied before it: where a clipboard works, on however busy a machine, and where
/// there is none now.
const INPUT_WAIT: Duration = Duration::from_secs(2);
const INPUT_WAIT_FOR_NONE: Duration = Duration::from_millis(500);

/// What the thread is to do. Any thread may leave orders.
#[derive(Debug, Default)]
pub(crate) struct ClipboardDesk {
    stopped: AtomicBool,
    /// There is an offer that applications do not have yet; so that input need not take the lock.
    unsettled: AtomicBool,
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    waker: Option<Waker>,
    /// The newest content of pages, which is to be offered.
    offer: Option<ClipboardContent>,
    watch: Option<Watch>,
    /// There is something to look at.
    looks: bool,
}

impl ClipboardDesk {
    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.look();
    }

    /// Makes the thread look around.
    pub(crate) fn look(&self) {
        self.order(|_| {});
    }

    /// Makes a content that of the desktop.
    pub(crate) fn offer(&self, content: ClipboardContent) {
        self.order(|desk| {
            self.unsettled.store(true, Ordering::SeqCst);
            desk.offer = Some(content);
        });
    }

    /// Follows the desktop's clipboard so far.
    pub(crate) fn watch(&self, watch: Watch) {
        self.order(|desk| desk.watch = Some(watch));
    }

    /// Waits until applications have what was offered before, for a moment at most.
    pub(crate) fn settle(&self) {
        if self.unsettled.load(Ordering::SeqCst) {
            let unsettled = |_: &mut Desk| self.unsettled.load(Ordering::SeqCst);
            let desk = self.desk();
            let longest = if desk.waker.is_some() { INPUT_WAIT } else { INPUT_WAIT_FOR_NONE };
            let waited = self.changed.wait_timeout_while(desk, longest, unsettled);
            let (desk, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            if outcome.timed_out() {
                // A clipboard that does not work now does not make every key late. A newer offer waits for the lock.
                self.unsettled.store(false, Ordering::SeqCst);
            }
            drop(desk);
        }
    }

    fn order(&self, order: impl FnOnce(&mut Desk)) {
        let mut desk = self.desk();
        order(&mut desk);
        desk.looks = true;
        self.changed.notify_all();
        if let Some(waker) = &desk.waker {
            waker.wake();
        }
    }

    /// Sleeps until there is something to look at, `time` at most.
    fn rest(&self, time: Duration) {
        let idle = |desk: &mut Desk| !desk.looks;
        let rested = self.changed.wait_timeout_while(self.desk(), time, idle);
        rested.unwrap_or_else(PoisonError::into_inner).0.looks = false;
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn wakes(&self, waker: Option<Waker>) {
        self.desk().waker = waker;
    }

    fn take(&self) -> (Option<ClipboardContent>, Watch) {
        let mut desk = self.desk();
        desk.looks = false;
        (desk.offer.take(), desk.watch.unwrap_or(Watch::Off))
    }

    /// Applications have what was taken, or will not have it. A newer offer is not settled by that.
    fn settled(&self) {
        let desk = self.desk();
        if desk.offer.is_none() {
            self.unsettled.store(false, Ordering::SeqCst);
        }
        self.changed.notify_all();
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries contents until it is stopped.
pub(crate) fn run(
    slot: &Slot,
    services: &HostServices,
    observer: &Arc<dyn Observer>,
    desk: &ClipboardDesk,
    gate: &Gate,
) {
    let (mut failing, mut seen) = (false, 0);
    let mut pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
    // What pages copied last: offered again by another instance.
    let mut offered = None;
    while !desk.stopped() {
        if slot.renewed(&mut seen) {
            pauses.worked();
        }
        let backend = slot.get();
        if !gate.bars(backend.plugin.id()) {
            let mut watch =
                Session { slot, seen, desk, observer, offered: &mut offered, board: Board::default() };
            match watch.run(&backend, services, &mut failing, &mut pauses) {
                Ok(()) => {
                    seen = watch.seen;
                    continue;
                }
                Err(error) if !desk.stopped() => {
                    gate.report_from(slot, &error, "clipboard", &backend);
                    if !failing {
                        warn!(%error, "no clipboard");
                    }
                    failing = true;
                }
                Err(_) => {}
            }
            desk.wakes(None);
        }
        desk.settled();
        if !desk.stopped() {
            desk.rest(pauses.failed());
        }
    }
}

/// What is known of the desktop's selections.
#[derive(Debug, Default)]
struct Board {
    /// The content of CLIPBOARD that is not ours.
    theirs: Option<ClipboardChange>,
    /// It was read, or cannot be.
    told: bool,
    /// Somebody else has PRIMARY.
    marked: bool,
}

/// One instance's time.
struct Session<'a> {
    slot: &'a Slot,
    seen: u64,
    desk: &'a ClipboardDesk,
    observer: &'a Arc<dyn Observer>,
    offered: &'a mut Option<ClipboardContent>,
    board: Board,
}

impl Session<'_> {
    fn run(
        &mut self,
        backend: &Backend,
        services: &HostServices,
        failing: &mut bool,
        pauses: &mut BackOff,
    ) -> Result<(), PluginError> {
        let mut clipboard = ClipboardInstance::create(&backend.origin(services))?;
        self.desk.wakes(Some(clipboard.waker()));
        *failing = false;
        let mut told = Watch::Off;
        // What is there already is told first, so that what pages copied earlier does not take its place.
        let (mut begun, mut earlier) = (false, self.offered.clone());
        while !self.desk.stopped() && !self.slot.renewed(&mut self.seen) {
            let (offer, watch) = self.desk.take();
            if let Some(offer) = offer {
                let outcome = self.offer(&mut clipboard, &offer);
                // It is not offered again: whoever pastes it meanwhile would be refused what is newer than the key.
                (*self.offered, earlier) = (Some(offer), None);
                self.desk.settled();
                outcome?;
            }
            // Pictures may be wanted now that were not before.
            self.board.told &= told == watch;
            told = watch;
            if !self.board.told && watch != Watch::Off && self.board.theirs.is_some() {
                self.tell(&mut clipboard, watch)?;
                continue;
            }
            let timeout = (!begun).then_some(Duration::ZERO);
            match clipboard.wait(timeout)? {
                Some(change) => self.note(change),
                None if !begun => {
                    begun = true;
                    if let Some(earlier) = earlier.take().filter(|_| self.board.theirs.is_none()) {
                        self.offer(&mut clipboard, &earlier)?;
                    }
                }
                None => {}
            }
            pauses.worked();
        }
        Ok(())
    }

    fn note(&mut self, change: ClipboardChange) {
        match change.selection {
            ClipboardSelection::Primary => self.board.marked = change.filled,
            ClipboardSelection::Clipboard => {
                self.board.theirs = change.filled.then_some(change);
                self.board.told = false;
                // Pages are not to be given what was there before.
                self.observer.clipboard(None);
            }
        }
    }

    /// Offers a content for pasting, and as what was marked last where no application has marked anything: taking that
    /// away would end the marking, and what is pasted could not replace it.
    fn offer(
        &mut self,
        clipboard: &mut ClipboardInstance,
        content: &ClipboardContent,
    ) -> Result<(), PluginError> {
        let items = [ClipboardItem { mime: &content.mime, data: &content.bytes }];
        settle(clipboard.offer(ClipboardSelection::Clipboard, &items))?;
        (self.board.theirs, self.board.told) = (None, true);
        if !self.board.marked && !content.is_binary() {
            settle(clipboard.offer(ClipboardSelection::Primary, &items))?;
        }
        Ok(())
    }

    /// Reads what an application copied and tells it; an order that comes meanwhile is carried out first.
    fn tell(&mut self, clipboard: &mut ClipboardInstance, watch: Watch) -> Result<(), PluginError> {
        let Some(change) = self.board.theirs else { return Ok(()) };
        let began = Instant::now();
        let limit = MAX_CLIPBOARD_CONTENT;
        let deadline_ns = now_ns() + u64::try_from(READ_TIME.as_nanos()).unwrap_or(u64::MAX);
        let ClipboardChange { selection, serial, .. } = change;
        let mut request = ClipboardRequest { selection, serial, mime: String::new(), limit, deadline_ns };
        let Some(formats) = settle(clipboard.formats(&request))? else {
            // An owner that says nothing now is not asked again until it copies again.
            self.board.told = true;
            return Ok(());
        };
        let Some(formats) = formats else { return Ok(()) };
        let secret = formats.secret;
        let Some(mime) = ClipboardContent::best(&formats.mimes, watch == Watch::Everything) else {
            debug!(?formats, "what was copied has no format for pages");
            self.board.told = true;
            return Ok(());
        };
        request.mime = mime.to_owned();
        match settle(clipboard.read(&request))? {
            Some(None) => {}
            None => self.board.told = true,
            Some(Some(bytes)) => {
                self.board.told = true;
                debug!(bytes = bytes.len(), mime, ms = began.elapsed().as_millis(), "an application copied");
                let content = ClipboardContent { mime: mime.to_owned(), bytes: bytes.into(), secret };
                self.observer.clipboard(Some(content).filter(|content| !content.bytes.is_empty()));
            }
        }
        Ok(())
    }
}

/// What one content does not do is no failure of the clipboard: `None`.
fn settle<T>(outcome: Result<T, PluginError>) -> Result<Option<T>, PluginError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class == FaultClass::Retry => {
            debug!(%error, "a content of the clipboard was not carried over");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> ClipboardContent {
        ClipboardContent { mime: "text/plain".into(), bytes: text.as_bytes().into(), secret: false }
    }

    #[test]
    fn input_waits_for_what_was_copied_before_it() {
        let desk = ClipboardDesk::default();
        desk.settle();
        desk.offer(content("one"));
        desk.offer(content("two"));
        std::thread::scope(|scope| {
            let input = scope.spawn(|| {
                desk.settle();
                desk.take().0
            });
            let taken = desk.take().0;
            desk.settled();
            // By then the input thread was let go, and there is nothing left to be offered.
            assert_eq!(input.join().expect("no panic"), None);
            assert_eq!(taken, Some(content("two")));
        });
        assert!(!desk.unsettled.load(Ordering::SeqCst));
    }

    #[test]
    fn an_offer_that_nobody_takes_makes_input_late_once() {
        let desk = ClipboardDesk::default();
        desk.offer(content("one"));
        let began = Instant::now();
        desk.settle();
        assert!(began.elapsed() >= INPUT_WAIT_FOR_NONE);
        assert!(!desk.unsettled.load(Ordering::SeqCst), "the next key does not wait");
    }
}
