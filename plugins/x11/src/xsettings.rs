//! What running programs are told of the scale: XSETTINGS.
//!
//! A thread with a connection of its own holds the manager's selection where nobody does and no desktop's own daemon is to
//! be expected, and has the daemon that holds it take the values over otherwise. It sleeps until the scale, the manager, the
//! window manager or the resources are others.
//!
//! Source: XSETTINGS specification 0.5 (freedesktop.org); ICCCM 2, section 2.8.

mod daemon;
mod format;
mod manager;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
};

use schemars::JsonSchema;
use serde::Deserialize;
use tracing::{debug, warn};

use crate::{
    connection::{Connection, Waker},
    error::{Result, X11Error},
};
use manager::Manager;

/// When this plugin tells running programs the scale by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// Where nobody does, and a window manager runs that belongs to no desktop with a daemon for that: such daemons do not
    /// start where somebody was faster.
    #[default]
    Auto,
    /// Where nobody does.
    Always,
    /// Never.
    Never,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Dots per inch.
    pub(crate) dpi: u32,
    /// Edge of the pointer's image, pixels.
    pub(crate) cursor: u32,
}

#[derive(Debug, Default)]
struct Desk {
    scale: Mutex<Option<Scale>>,
    stopped: AtomicBool,
}

impl Desk {
    fn scale(&self) -> MutexGuard<'_, Option<Scale>> {
        self.scale.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells programs the scale until it is dropped; then those that this plugin told by itself have their defaults again.
#[derive(Debug)]
pub(crate) struct Announcer {
    desk: Arc<Desk>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Announcer {
    /// Starts its thread.
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`X11Error::System`].
    pub(crate) fn start(display: Option<&str>, ownership: Ownership) -> Result<Self> {
        let connection = Connection::open(display)?;
        let (desk, waker) = (Arc::<Desk>::default(), connection.waker());
        let mut manager = Manager::new(connection, ownership)?;
        let shared = desk.clone();
        let run = move || {
            while !shared.stopped.load(Ordering::SeqCst) {
                let scale = *shared.scale();
                if let Err(error) = manager.attend(scale) {
                    match error.is_lost() {
                        true => debug!(%error, "no programs to tell the scale"),
                        false => warn!(%error, "programs are not told the scale any more"),
                    }
                    return;
                }
            }
        };
        let thread = Builder::new().name("x11-settings".into()).spawn(run);
        let thread = thread.map_err(|source| X11Error::System { what: "a thread", source })?;
        Ok(Self { desk, waker, thread: Some(thread) })
    }

    /// Tells this from now on. Does not block.
    pub(crate) fn tell(&self, scale: Scale) {
        *self.desk.scale() = Some(scale);
        self.waker.wake();
    }

    /// True when its display is gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.desk.stopped.store(true, Ordering::SeqCst);
        self.waker.wake();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            warn!("the thread that tells programs the scale ended by a panic");
        }
    }
}
