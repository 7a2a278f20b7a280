//! What is not used any more ends on a thread of its own: a plugin that hangs in `destroy` must not hold the picture.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread::Builder,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// How long an encoder may take to end before it counts as hung: what plugins are promised (LIF-003), and longer than the
/// deadline of one in a child, whose end is told in its own way.
pub(crate) const UNENDED: Duration = Duration::from_secs(10);

/// Instances that are ending, and of each an `Owner`: whose it was. One that hangs in this process keeps its thread, and
/// the frames that it has, until the process ends: a thread inside a library cannot be ended from outside. It is blamed
/// like any other fault, so that at most as many are lost as faults lead to quarantine.
#[derive(Debug)]
pub(crate) struct Farewells<Owner> {
    endings: Mutex<Vec<Ending<Owner>>>,
    limit: Duration,
}

#[derive(Debug)]
struct Ending<Owner> {
    /// Until it was told that this one hangs.
    owner: Option<Owner>,
    began: Instant,
    /// Disconnected when it is over.
    over: Receiver<()>,
}

impl<Owner> Ending<Owner> {
    fn is_over(&self) -> bool {
        self.over.try_recv() == Err(TryRecvError::Disconnected)
    }
}

impl<Owner> Farewells<Owner> {
    /// For what ends within `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { endings: Mutex::default(), limit }
    }

    /// Drops `what` elsewhere; here, where the system gives no thread. Any thread may part with something.
    pub(crate) fn part(&self, what: impl Send + 'static, owner: Owner) {
        let (held, over) = bounded::<()>(0);
        let ending = Builder::new().name("instance-end".into()).spawn(move || {
            drop(what);
            drop(held);
        });
        if ending.is_ok() {
            let mut endings = self.endings();
            endings.retain(|ending| !ending.is_over());
            endings.push(Ending { owner: Some(owner), began: Instant::now(), over });
        }
    }

    /// Whose instances have not ended in time; each is told once.
    pub(crate) fn overdue(&self) -> Vec<Owner> {
        let mut endings = self.endings();
        // Asked all the time: mostly there is nothing to look at.
        if endings.is_empty() {
            return Vec::new();
        }
        endings.retain(|ending| !ending.is_over());
        let late = endings.iter_mut().filter(|ending| ending.began.elapsed() >= self.limit);
        late.filter_map(|ending| ending.owner.take()).collect()
    }

    /// When the next one is overdue that has not ended yet.
    pub(crate) fn due(&self) -> Option<Instant> {
        let endings = self.endings();
        let waited = endings.iter().filter(|ending| ending.owner.is_some() && !ending.is_over());
        waited.map(|ending| ending.began + self.limit).min()
    }

    /// Waits until everything has ended, `time` at most. False when something has not.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let limit = Instant::now() + time;
        let endings = std::mem::take(&mut *self.endings());
        // Nobody sends: it ends when the thread has let go.
        let ended = |ending: &Ending<Owner>| {
            ending.over.recv_deadline(limit).is_err_and(|error| error.is_disconnected())
        };
        endings.iter().all(ended)
    }

    fn endings(&self) -> MutexGuard<'_, Vec<Ending<Owner>>> {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner)
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

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_ends_slowly_is_waited_for_and_what_hangs_is_not() {
        let (finish, slow) = bounded(1);
        let farewells = Farewells::new(LONG);
        farewells.part(Slow(slow.clone()), ());
        finish.send(()).expect("it listens");
        assert!(farewells.wait(LONG));
        let farewells = Farewells::new(LONG);
        farewells.part(Slow(slow), ());
        assert!(!farewells.wait(Duration::from_millis(20)));
        drop(finish);
    }

    #[test]
    fn what_does_not_end_in_time_is_told_once_and_what_did_is_not() {
        let (finish, slow) = bounded(1);
        let farewells = Farewells::new(Duration::ZERO);
        assert_eq!((farewells.overdue(), farewells.due()), (vec![], None));
        farewells.part(Slow(slow), "slow");
        assert!(farewells.due().is_some_and(|due| due <= Instant::now()));
        assert_eq!(farewells.overdue(), ["slow"]);
        assert_eq!((farewells.overdue(), farewells.due()), (vec![], None));
        drop(finish);
        assert!(farewells.wait(LONG));

        let (finish, slow) = bounded(1);
        let farewells = Farewells::new(LONG);
        farewells.part(Slow(slow), "in time");
        assert!(farewells.due().is_some() && farewells.overdue().is_empty());
        drop(finish);
        let limit = Instant::now() + LONG;
        while farewells.due().is_some() {
            assert!(Instant::now() < limit, "it has not ended");
            std::thread::yield_now();
        }
        assert!(farewells.overdue().is_empty());
    }
}
