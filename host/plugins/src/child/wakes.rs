//! Ending the wait of an instance in a child from any thread of the host.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown,
        socketpair,
    },
};

use crate::Waker;

/// The host's side: an event that only the host has, and the end of a socket that ends the wait in the child.
///
/// Not one event for both: its flags would be the child's, too, and a child that fills it and lets writes to it block would
/// hold whoever wakes it. What wakes is the event; the thread that waits for the child's answer passes it on.
#[derive(Debug)]
pub(crate) struct RemoteWake {
    event: OwnedFd,
    socket: OwnedFd,
}

/// How waiting for an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// There is a message, or the end. What the rest of its way may take.
    Answered(Duration),
    /// There is nothing after all that time.
    Late(Duration),
}

impl RemoteWake {
    /// The host's side, and what the child is given.
    pub(crate) fn new() -> io::Result<(Arc<Self>, OwnedFd)> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Arc::new(Self { event, socket }), theirs))
    }

    /// Ends the current or next wait. Never blocks.
    pub(crate) fn wake(&self) {
        // Fails only where the event is signalled as often as can be counted.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Takes the wake back from the event and gives it to the child.
    fn pass_on(&self) {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        // A child that is gone is noticed elsewhere, and one whose socket is full has been woken many times.
        let _ = send(&self.socket, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// Waits until something is in `channel`: for `timeout` (`None`: without a limit) and what any call may take. A wake
    /// ends the first of the two.
    pub(super) fn answer(
        &self,
        channel: BorrowedFd<'_>,
        timeout: Option<Duration>,
        grace: Duration,
    ) -> Waited {
        let begin = Instant::now();
        // A longer wait than can be counted has no end.
        let mut end = timeout.and_then(|timeout| begin.checked_add(timeout.checked_add(grace)?));
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds =
                [PollFd::from_borrowed_fd(channel, PollFlags::IN), PollFd::new(&self.event, PollFlags::IN)];
            let polled = poll(&mut fds, limit.as_ref());
            let [answered, woken] = fds.map(|fd| !fd.revents().is_empty());
            // A wake that is met together with an answer ends the next wait.
            if answered || polled.is_err_and(|error| error != Errno::INTR) {
                return Waited::Answered(left.unwrap_or(grace));
            }
            if woken {
                self.pass_on();
                let soon = Instant::now() + grace;
                end = Some(end.map_or(soon, |end| end.min(soon)));
            } else if left.is_some_and(|left| left.is_zero()) {
                return Waited::Late(begin.elapsed());
            }
        }
    }
}

/// The child's side: a thread that wakes the instance when the host says so. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct WakeThread {
    socket: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl WakeThread {
    pub(super) fn start(socket: OwnedFd, waker: Waker) -> io::Result<Self> {
        let socket = Arc::new(socket);
        let heard = Arc::clone(&socket);
        let thread = thread::Builder::new().name("wakes".into()).spawn(move || {
            loop {
                match poll(&mut [PollFd::new(&*heard, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                }
                match hear(heard.as_fd()) {
                    Some(0) => {}
                    Some(_) => waker.wake(),
                    None => return,
                }
            }
        })?;
        Ok(Self { socket, thread: Some(thread) })
    }
}

/// How many wakes there are, one counted for several; `None` at the end.
fn hear(socket: BorrowedFd<'_>) -> Option<usize> {
    let mut wakes = 0;
    loop {
        match recv(socket, &mut [0; 64], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return None,
            Ok((_, count)) => wakes += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Some(wakes),
            Err(_) => return None,
        }
    }
}

impl Drop for WakeThread {
    fn drop(&mut self) {
        // The thread finds the end.
        let _ = shutdown(&*self.socket, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::channel::Channel;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const LONG: Duration = Duration::from_secs(60);

    fn answered(waited: Waited) -> bool {
        matches!(waited, Waited::Answered(_))
    }

    #[test]
    fn a_wake_that_an_answer_overtook_is_not_held_against_the_next_wait() -> Outcome {
        let (host, child) = Channel::pair()?;
        let (wake, theirs) = RemoteWake::new()?;
        // The child answers by itself in the moment in which it is woken.
        wake.wake();
        child.send(b"answer", &[])?;
        assert!(answered(wake.answer(host.as_fd(), None, LONG)));
        host.receive(&mut Vec::new(), None)?;
        hear(theirs.as_fd()).ok_or("closed")?;
        // Its next wait is woken as well, so that it can answer in time.
        let next = thread::spawn(move || {
            let woken =
                poll(&mut [PollFd::new(&theirs, PollFlags::IN)], Timespec::try_from(LONG).ok().as_ref());
            child.send(b"woken", &[]).map(|()| woken == Ok(1))
        });
        let waited = wake.answer(host.as_fd(), Some(4 * LONG), 2 * LONG);
        assert!(answered(waited), "{waited:?}");
        assert!(next.join().map_err(|_| "panicked")??, "nothing woke the child");
        Ok(())
    }

    #[test]
    fn waking_never_waits_for_the_child() -> Outcome {
        let (host, _child) = Channel::pair()?;
        let (wake, theirs) = RemoteWake::new()?;
        // What it does to its end is its own.
        rustix::fs::fcntl_setfl(&theirs, rustix::fs::OFlags::empty())?;
        for _ in 0..100_000 {
            wake.wake();
            wake.pass_on();
        }
        drop(theirs);
        wake.pass_on();
        wake.wake();
        let waited = wake.answer(host.as_fd(), None, Duration::ZERO);
        assert!(matches!(waited, Waited::Late(_)), "{waited:?}");
        Ok(())
    }

    #[test]
    fn no_timeout_is_too_long() -> Outcome {
        let (host, child) = Channel::pair()?;
        let (wake, _theirs) = RemoteWake::new()?;
        child.send(b"answer", &[])?;
        assert!(answered(wake.answer(host.as_fd(), Some(Duration::MAX), LONG)));
        Ok(())
    }
}
