//! A thread that serves descriptors, and is called to look at what it serves anew.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};

/// Wakes a thread that waits for descriptors. Any thread may ring.
#[derive(Debug)]
pub struct Bell {
    counter: OwnedFd,
}

impl Bell {
    /// Nobody has rung.
    ///
    /// # Errors
    /// When the system has no descriptor for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { counter: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Ends a wait, or the next one.
    pub fn ring(&self) {
        // Only a counter that is full refuses, and then the thread looks anyway.
        let _ = rustix::io::write(&self.counter, &1u64.to_ne_bytes());
    }

    /// Waits until somebody rings, one of the descriptors is ready, or the time is over.
    ///
    /// # Errors
    /// What `poll` refuses.
    pub fn wait<'a>(
        &'a self,
        descriptors: impl IntoIterator<Item = PollFd<'a>>,
        patience: Option<Duration>,
    ) -> io::Result<()> {
        let mut all = vec![PollFd::new(&self.counter, PollFlags::IN)];
        all.extend(descriptors);
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut all, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = rustix::io::read(&self.counter, &mut [0; 8]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_ring_ends_one_wait() {
        let bell = Bell::new().expect("a descriptor");
        bell.ring();
        bell.ring();
        bell.wait([], None).expect("it waits");
        let (began, short) = (Instant::now(), Duration::from_millis(20));
        bell.wait([], Some(short)).expect("it waits");
        assert!(began.elapsed() >= short, "it was heard already");
        std::thread::scope(|scope| {
            scope.spawn(|| bell.ring());
            bell.wait([], None).expect("it waits");
        });
    }
}
