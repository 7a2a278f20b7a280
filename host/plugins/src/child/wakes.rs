//! Ending the wait of an instance in a child from any thread of the host.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::Errno,
};

use crate::Waker;

/// The host's side: one event for the child, one for the thread of the host that waits for its answer.
#[derive(Debug)]
pub(crate) struct RemoteWake {
    theirs: OwnedFd,
    ours: OwnedFd,
}

impl RemoteWake {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Arc::new(Self { theirs: event()?, ours: event()? }))
    }

    /// Ends the current or next wait.
    pub(crate) fn wake(&self) {
        signal(&self.theirs);
        signal(&self.ours);
    }

    /// What the child is given.
    pub(crate) fn theirs(&self) -> BorrowedFd<'_> {
        self.theirs.as_fd()
    }

    /// Readable once a wait is to end.
    pub(super) fn ours(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }
}

/// Fails only where the event is signalled as often as can be counted.
fn signal(event: &OwnedFd) {
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

/// Makes an event unreadable again.
pub(super) fn clear(event: BorrowedFd<'_>) {
    let _ = rustix::io::read(event, &mut [0; 8]);
}

/// The child's side: a thread that wakes the instance when the host signals. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct WakeThread {
    event: Arc<OwnedFd>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WakeThread {
    pub(super) fn start(event: OwnedFd, waker: Waker) -> io::Result<Self> {
        let (event, ended) = (Arc::new(event), Arc::new(AtomicBool::new(false)));
        let (watched, end) = (Arc::clone(&event), Arc::clone(&ended));
        let thread = thread::Builder::new().name("wakes".into()).spawn(move || {
            loop {
                match poll(&mut [PollFd::new(&*watched, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                }
                if end.load(Ordering::Acquire) {
                    return;
                }
                clear(watched.as_fd());
                waker.wake();
            }
        })?;
        Ok(Self { event, ended, thread: Some(thread) })
    }
}

impl Drop for WakeThread {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        signal(&self.event);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
