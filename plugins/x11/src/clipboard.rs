//! The clipboard, by X selections (ICCCM 2, section 2) and XFixes.
//!
//! One window owns what is offered and receives what is read. Everything happens on the caller's thread: whoever waits
//! here also answers the applications that paste.

mod atoms;
mod fetch;
mod formats;
mod leftover;
mod offer;
mod service;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{ClipboardChange, ClipboardOffer, Selection};
use x11rb::{
    CURRENT_TIME, NONE,
    connection::{Connection as _, RequestConnection as _, SequenceNumber},
    protocol::{
        Event,
        xfixes::{ConnectionExt as _, SelectionEventMask, SelectionNotifyEvent as OwnerNotify},
        xproto::{
            Atom, ConnectionExt as _, PropMode, Property, PropertyNotifyEvent, SelectionNotifyEvent,
            Timestamp, Window,
        },
    },
    wrapper::ConnectionExt as _,
};

use crate::{
    connection::{Connection, Ready, Waker, deadline},
    error::{Result, X11Error},
};
use atoms::Atoms;
use leftover::Readers;
use offer::Offer;
use service::Service;

/// Most bytes of a property that is written at once; more goes in parts (ICCCM, "INCR").
const PART: usize = 256 * 1024;

/// CLIPBOARD and PRIMARY of an X server. Dropping it ends what it offers.
#[derive(Debug)]
pub struct Clipboard {
    connection: Connection,
    window: Window,
    atoms: Atoms,
    sides: [Side; 2],
    service: Service,
    /// The newest serial that was given out.
    serial: u64,
    /// From which owners are asked.
    readers: Readers,
}

/// One selection.
#[derive(Debug)]
struct Side {
    selection: Selection,
    atom: Atom,
    owner: Owner,
    /// The request that made it ours; what was noticed before is older.
    taken_at: SequenceNumber,
    serial: u64,
    /// It is another one than was told.
    changed: bool,
    /// Formats of the present content, and under which name the owner has them; empty when they were not asked for.
    targets: Vec<(String, Atom)>,
}

/// Whose it is.
#[derive(Clone, Debug)]
enum Owner {
    Nobody,
    Other,
    Ours { offer: Arc<Offer>, since: Timestamp },
}

/// What [`Clipboard::next`] met.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// An owner answered a request of ours.
    Answer(SelectionNotifyEvent),
    /// A property of the window that is asked from was written.
    Written(PropertyNotifyEvent),
    /// A selection has another owner.
    Owner,
    /// An answer that nobody wants any more is over.
    Settled,
    Woken,
    TimedOut,
}

impl Clipboard {
    /// Connects to `display` (`None`: `$DISPLAY`).
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`X11Error::MissingExtension`].
    pub fn open(display: Option<&str>) -> Result<Self> {
        let connection = Connection::open(display)?;
        connection.require("XFIXES", "2.0")?;
        let x = connection.x();
        x.xfixes_query_version(5, 0)?.reply()?;
        let atoms = Atoms::new(x)?.reply()?;
        let window = leftover::window(x, connection.root())?;
        let readers = Readers::new(x, connection.root())?;
        let mut sides =
            [Side::new(Selection::Clipboard, atoms.CLIPBOARD), Side::new(Selection::Primary, atoms.PRIMARY)];
        let every = SelectionEventMask::SET_SELECTION_OWNER
            | SelectionEventMask::SELECTION_WINDOW_DESTROY
            | SelectionEventMask::SELECTION_CLIENT_CLOSE;
        for side in &mut sides {
            x.xfixes_select_selection_input(window, side.atom, every)?.check()?;
            if x.get_selection_owner(side.atom)?.reply()?.owner != NONE {
                side.owner = Owner::Other;
                (side.serial, side.changed) = (1, true);
            }
        }
        let part = PART.min(x.maximum_request_bytes().saturating_sub(64)) & !3;
        let service = Service::new(window, part);
        Ok(Self { connection, window, atoms, sides, service, serial: 1, readers })
    }

    /// Ends a wait.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.connection.waker()
    }

    /// Sleeps until a selection has another content than was told, `timeout` passed (`None`: no limit) or the waker was
    /// used; the last two answer `None`. Applications that paste are answered meanwhile.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>> {
        let deadline = deadline(timeout);
        loop {
            self.drain()?;
            if let Some(side) = self.sides.iter_mut().find(|side| side.changed) {
                side.changed = false;
                let filled = matches!(side.owner, Owner::Other);
                return Ok(Some(ClipboardChange { selection: side.selection, filled, serial: side.serial }));
            }
            match self.next(deadline)? {
                Next::Woken | Next::TimedOut => return Ok(None),
                Next::Owner | Next::Settled | Next::Answer(_) | Next::Written(_) => {}
            }
        }
    }

    /// Makes one content that of a selection; without items nothing is offered there any more.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`]; [`X11Error::Unsupported`] when another application took it at the same moment.
    pub fn offer(&mut self, offer: &ClipboardOffer<'_>) -> Result<()> {
        self.drain()?;
        let at = side_of(offer.selection);
        let x = self.connection.x();
        if offer.items.is_empty() {
            if matches!(self.sides[at].owner, Owner::Ours { .. }) {
                let cookie = x.set_selection_owner(NONE, self.sides[at].atom, CURRENT_TIME)?;
                self.sides[at].taken_at = cookie.sequence_number();
                self.sides[at].owner = Owner::Nobody;
                x.flush()?;
            }
            return Ok(());
        }
        let offer = Arc::new(Offer::new(x, &self.atoms, offer)?);
        let since = self.time()?;
        let (x, side) = (self.connection.x(), &mut self.sides[at]);
        let cookie = x.set_selection_owner(self.window, side.atom, since)?;
        let asked = cookie.sequence_number();
        cookie.check()?;
        if x.get_selection_owner(side.atom)?.reply()?.owner != self.window {
            // Whether it came before or after the request, what it copied is news.
            return Err(X11Error::Unsupported("another application took the selection just now".into()));
        }
        side.taken_at = asked;
        side.owner = Owner::Ours { offer, since };
        (side.changed, side.targets) = (false, Vec::new());
        Ok(())
    }

    /// The server's time now.
    fn time(&mut self) -> Result<Timestamp> {
        let (x, own) = (self.connection.x(), self.atoms.SELKIES_TIME);
        x.change_property8(PropMode::REPLACE, self.window, own, self.atoms.STRING, &[])?;
        // Once this is answered, the notice is there.
        x.sync()?;
        let mut now = CURRENT_TIME;
        while let Some((event, sequence)) = self.connection.next_event()? {
            match event {
                Event::PropertyNotify(notice) if notice.window == self.window && notice.atom == own => {
                    now = notice.time;
                }
                other => drop(self.take(&other, sequence)?),
            }
        }
        Ok(now)
    }

    /// Takes every event that is there already, where nothing is awaited.
    fn drain(&mut self) -> Result<()> {
        while let Some((event, sequence)) = self.connection.next_event()? {
            self.take(&event, sequence)?;
        }
        Ok(())
    }

    /// Sleeps until something happens that a caller may wait for.
    fn next(&mut self, until: Option<Instant>) -> Result<Next> {
        loop {
            while let Some((event, sequence)) = self.connection.next_event()? {
                if let Some(next) = self.take(&event, sequence)? {
                    return Ok(next);
                }
            }
            if self.connection.waker().taken() {
                return Ok(Next::Woken);
            }
            let due = self.service.expire(self.connection.x(), Instant::now())?;
            let first = until.into_iter().chain(due).min();
            match self.connection.ready(first)? {
                Ready::Woken => return Ok(Next::Woken),
                Ready::TimedOut if until.is_some_and(|until| until <= Instant::now()) => {
                    return Ok(Next::TimedOut);
                }
                Ready::Server | Ready::TimedOut => {}
            }
        }
    }

    /// Handles an event; answers what a caller may wait for.
    fn take(&mut self, event: &Event, sequence: SequenceNumber) -> Result<Option<Next>> {
        match event {
            Event::XfixesSelectionNotify(notice) => Ok(self.owner_changed(notice, sequence)),
            // No window of ours pastes. Whoever names one would have its properties written, and what is heard of it changed.
            Event::SelectionRequest(request) if self.connection.owns(request.requestor) => Ok(None),
            Event::SelectionRequest(request) => {
                let side = self.sides.iter().find(|side| side.atom == request.selection);
                let owner = side.map_or(&Owner::Nobody, |side| &side.owner);
                self.service.request(self.connection.x(), &self.atoms, owner, request)?;
                Ok(None)
            }
            Event::SelectionNotify(answer) if answer.requestor == self.readers.current() => {
                Ok(Some(Next::Answer(*answer)))
            }
            Event::SelectionNotify(answer) if answer.property == NONE => {
                self.readers.refused(answer.requestor);
                Ok(None)
            }
            Event::PropertyNotify(notice) if notice.state == Property::NEW_VALUE => {
                if notice.window == self.readers.current() {
                    return Ok(Some(Next::Written(*notice)));
                }
                let (x, incr) = (self.connection.x(), self.atoms.INCR);
                let settled = self.readers.written(x, notice.window, notice.atom, incr)?;
                Ok(settled.then_some(Next::Settled))
            }
            Event::PropertyNotify(notice) if notice.state == Property::DELETE => {
                self.service.taken(self.connection.x(), notice.window, notice.atom)?;
                Ok(None)
            }
            Event::DestroyNotify(gone) => {
                self.service.forget(gone.window);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn owner_changed(&mut self, notice: &OwnerNotify, sequence: SequenceNumber) -> Option<Next> {
        let side = self.sides.iter_mut().find(|side| side.atom == notice.selection)?;
        // What happened before we took it is over, and that we took it is known.
        if sequence < side.taken_at || notice.owner == self.window {
            return None;
        }
        let owner = if notice.owner == NONE { Owner::Nobody } else { Owner::Other };
        if matches!((&owner, &side.owner), (Owner::Nobody, Owner::Nobody)) {
            return None;
        }
        self.serial += 1;
        (side.owner, side.serial, side.changed) = (owner, self.serial, true);
        side.targets.clear();
        Some(Next::Owner)
    }
}

impl Side {
    fn new(selection: Selection, atom: Atom) -> Self {
        let owner = Owner::Nobody;
        Self { selection, atom, owner, taken_at: 0, serial: 0, changed: false, targets: Vec::new() }
    }
}

fn side_of(selection: Selection) -> usize {
    match selection {
        Selection::Clipboard => 0,
        Selection::Primary => 1,
    }
}
