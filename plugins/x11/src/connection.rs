//! A connection to an X server, and the wait on it that another thread can end.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use x11rb::{
    connection::{Connection as _, RequestConnection as _, SequenceNumber},
    protocol::{Event, xproto::ConnectionExt as _, xproto::Screen, xproto::Window},
    rust_connection::RustConnection,
};

use crate::error::{Result, X11Error};

/// Largest display number: its TCP port is 6000 more, and x11rb 0.14 adds that without looking.
const MAX_DISPLAY: u32 = u16::MAX as u32 - 6000;

/// One connection. Each capture, cursor, display and input has its own, so that none waits for another.
#[derive(Debug)]
pub struct Connection {
    x: RustConnection,
    screen: usize,
    waker: Waker,
}

/// Ends the current or the next wait on a [`Connection`], from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

/// What ended [`Connection::ready`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The server sent something, or closed the connection.
    Server,
    /// The waker was used.
    Woken,
    /// The time passed.
    TimedOut,
}

impl Waker {
    fn new() -> Result<Self> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(|fd| Self(Arc::new(fd)))
            .map_err(X11Error::system("an eventfd"))
    }

    /// Ends the current or the next wait. Does not block.
    pub fn wake(&self) {
        // The only failure of this write is a full counter, and then the wait is ended already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// True when it was used since it was last asked.
    pub(crate) fn taken(&self) -> bool {
        let mut counter = [0; 8];
        rustix::io::read(&self.0, &mut counter).is_ok()
    }
}

impl Connection {
    /// Connects to `display`, or to `$DISPLAY` when it is `None` or empty.
    ///
    /// # Errors
    /// [`X11Error::NoDisplay`], [`X11Error::Refused`] or [`X11Error::System`].
    pub fn open(display: Option<&str>) -> Result<Self> {
        let name = match display.filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => {
                std::env::var("DISPLAY").ok().filter(|name| !name.is_empty()).ok_or(X11Error::NoDisplay)?
            }
        };
        if number(&name).is_some_and(|number| number > MAX_DISPLAY) {
            let reason = format!("display numbers end at {MAX_DISPLAY}");
            return Err(X11Error::Refused { display: name, reason });
        }
        let (x, screen) =
            RustConnection::connect(Some(&name)).map_err(|error| X11Error::connect(&name, &error))?;
        Ok(Self { x, screen, waker: Waker::new()? })
    }

    /// The x11rb connection, for requests.
    #[must_use]
    pub fn x(&self) -> &RustConnection {
        &self.x
    }

    /// The screen that the display's name chose, as the server described it at the start.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        // `connect` refuses a screen number that the server does not have.
        &self.x.setup().roots[self.screen]
    }

    /// The root window of the screen.
    #[must_use]
    pub fn root(&self) -> Window {
        self.screen().root
    }

    /// Whether a window, or another resource, was made over this connection.
    pub(crate) fn owns(&self, resource: Window) -> bool {
        let setup = self.x.setup();
        resource & !setup.resource_id_mask == setup.resource_id_base
    }

    /// Width and height of the root window now.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn root_size(&self) -> Result<(u32, u32)> {
        let geometry = self.x.get_geometry(self.root())?.reply()?;
        Ok((geometry.width.into(), geometry.height.into()))
    }

    /// What ends a wait on this connection.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Refuses a server without the extension `name`; `needed` is the version for the text.
    pub(crate) fn require(&self, name: &'static str, needed: &'static str) -> Result<()> {
        match self.x.extension_information(name)? {
            Some(_) => Ok(()),
            None => Err(X11Error::MissingExtension { name, needed }),
        }
    }

    /// The next event that is there already, with the number of the last request that the server had seen then.
    /// Errors of unchecked requests are dropped: all of them concern things that are gone already.
    pub(crate) fn next_event(&self) -> Result<Option<(Event, SequenceNumber)>> {
        loop {
            match self.x.poll_for_event_with_sequence()? {
                Some((Event::Error(_), _)) => {}
                other => return Ok(other),
            }
        }
    }

    /// Sleeps until the server sends something, the waker is used or `deadline` (`None`: never) passes.
    /// The caller has read every event before, for those that x11rb holds do not end the sleep.
    pub(crate) fn ready(&self, deadline: Option<Instant>) -> Result<Ready> {
        self.x.flush()?;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(|left| Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            });
            let mut fds =
                [PollFd::new(self.x.stream(), PollFlags::IN), PollFd::new(&*self.waker.0, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(Ready::TimedOut),
                Ok(_) if !fds[1].revents().is_empty() => {
                    self.waker.taken();
                    return Ok(Ready::Woken);
                }
                Ok(_) => return Ok(Ready::Server),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(X11Error::system("poll")(errno)),
            }
        }
    }
}

/// The display number in a name like `host:1.0`.
fn number(name: &str) -> Option<u32> {
    name.rsplit_once(':')?.1.split('.').next()?.parse().ok()
}

/// The end of a wait of `timeout` that starts now; `None` when it has none.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
