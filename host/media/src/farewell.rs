//! What is not used any more ends on a thread of its own: a plugin that hangs in `destroy` must not hold the picture.

use std::{
    thread::Builder,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Instances that are ending. One that hangs in this process keeps its thread until the process ends: a thread inside a
/// library cannot be ended from outside.
#[derive(Debug)]
pub(crate) struct Farewells {
    /// Each ending thread holds a clone.
    held: Sender<()>,
    over: Receiver<()>,
}

impl Farewells {
    pub(crate) fn new() -> Self {
        let (held, over) = bounded(0);
        Self { held, over }
    }

    /// Drops `what` elsewhere; here, where the system gives no thread.
    pub(crate) fn part(&self, what: impl Send + 'static) {
        let held = self.held.clone();
        let ending = Builder::new().name("instance-end".into()).spawn(move || {
            drop(what);
            drop(held);
        });
        drop(ending);
    }

    /// Waits until everything has ended, `time` at most. False when something has not.
    pub(crate) fn wait(self, time: Duration) -> bool {
        let Self { held, over } = self;
        drop(held);
        let limit = Instant::now() + time;
        // Nobody sends: it ends when the last sender is gone.
        over.recv_deadline(limit).is_err_and(|error| error.is_disconnected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow(Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn what_ends_slowly_is_waited_for_and_what_hangs_is_not() {
        let (finish, slow) = bounded(1);
        let farewells = Farewells::new();
        farewells.part(Slow(slow.clone()));
        finish.send(()).expect("it listens");
        assert!(farewells.wait(Duration::from_secs(10)));
        let farewells = Farewells::new();
        farewells.part(Slow(slow));
        assert!(!farewells.wait(Duration::from_millis(20)));
        drop(finish);
    }
}
