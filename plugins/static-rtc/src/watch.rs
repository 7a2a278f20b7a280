//! Watches one name in a folder through inotify(7): the file may be written anew, replaced by a rename, or come later.

use std::{
    ffi::OsString,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};
use selkies_plugin_sdk::Wake;

/// How often a folder that is not there is looked for.
const LOOK: Duration = Duration::from_secs(5);

/// Ends waits.
#[derive(Debug)]
struct Doorbell(OwnedFd);

impl Wake for Doorbell {
    fn wake(&self) {
        // Only a counter that is full refuses, and then the wait ends anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// Sees changes of one file.
#[derive(Debug)]
pub(crate) struct Watch {
    folder: PathBuf,
    name: OsString,
    events: OwnedFd,
    bell: Arc<Doorbell>,
    watching: bool,
}

impl Watch {
    /// Watches `path` from now on.
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let name = path.file_name().ok_or("the path names no file")?.to_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |error: Errno| format!("the file cannot be watched: {error}");
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed)?;
        let bell = Arc::new(Doorbell(bell));
        let mut watch = Self { folder: folder.to_owned(), name, events, bell, watching: false };
        watch.look();
        Ok(watch)
    }

    /// What ends waits.
    pub(crate) fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    /// Waits until the file changed (true), `timeout` passed or the waker was used (false).
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, String> {
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = give_up.map(|at| at.saturating_duration_since(Instant::now()));
            // A folder that has come may hold the file already.
            if !self.watching && self.look() {
                return Ok(true);
            }
            let patience = if self.watching { left } else { Some(left.map_or(LOOK, |left| left.min(LOOK))) };
            let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
            let mut fds =
                [PollFd::new(&self.bell.0, PollFlags::IN), PollFd::new(&self.events, PollFlags::IN)];
            match poll(&mut fds, patience.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(format!("the file cannot be watched: {error}")),
            }
            let [rung, changed] = fds.map(|fd| !fd.revents().is_empty());
            if changed && self.drain() {
                return Ok(true);
            }
            if rung {
                let _ = rustix::io::read(&self.bell.0, &mut [0u8; 8]);
                return Ok(false);
            }
            if give_up.is_some_and(|at| at <= Instant::now()) {
                return Ok(false);
            }
        }
    }

    /// Begins to watch the folder; true when it is there.
    fn look(&mut self) -> bool {
        let what = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        self.watching = inotify::add_watch(&self.events, &self.folder, what).is_ok();
        self.watching
    }

    /// Takes all events; true when one is about the file.
    fn drain(&mut self) -> bool {
        let mut space = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut space);
        let (mut changed, mut gone) = (false, false);
        // Events end with `AGAIN`.
        while let Ok(event) = reader.next() {
            let flags = event.events();
            gone |= flags.intersects(ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
            // After an overflow nobody knows what changed.
            changed |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            changed |= event.file_name().is_some_and(|name| name.to_bytes() == self.name.as_bytes());
        }
        if gone {
            self.watching = false;
        }
        changed || gone
    }
}
