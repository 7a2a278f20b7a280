//! The memory of faults: judged at once by whoever meets one, written into the file by a thread of its own.
//!
//! A video thread that waits for a disk, or for another host's lock, is a picture that stands still. That thread also looks
//! at the file, so that what other hosts of the same user count, and what `plugins clear` forgets, is known here as well.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use selkies_plugin_host::{FaultNote, FaultRecord, Ledger, LibraryIdentity, Moment, Quarantine, Verdict};
use tracing::warn;

/// How often the file is looked at. A look at a file that did not change asks for its date and reads nothing. Folders of
/// other machines tell of changes in no other way.
const LOOK: Duration = Duration::from_secs(1);

/// Is told the id of a plugin that another process cleared. Called on the thread that writes the file.
pub(crate) type Forgiven = Box<dyn Fn(&str) + Send + Sync>;

/// Judges faults by what the file says, as of [`LOOK`] ago at most, and by the faults that are not in it yet.
pub(crate) struct Keeper {
    ledger: Ledger,
    desk: Arc<Mutex<Desk>>,
    forgiven: Arc<OnceLock<Forgiven>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Desk {
    memory: Quarantine,
    /// To the writer; nothing when it has ended. Without a limit: a plugin in quarantine makes no more faults.
    orders: Option<Sender<Order>>,
    /// Faults that are not in the file yet.
    unwritten: usize,
}

#[derive(Debug)]
enum Order {
    Fault {
        plugin: String,
        library: LibraryIdentity,
        note: FaultNote,
        at: Moment,
    },
    /// Everything before this is written.
    Flush(Sender<()>),
}

impl Keeper {
    /// Keeps faults in `ledger`.
    pub(crate) fn new(ledger: Ledger) -> Self {
        let (send, orders) = channel();
        let mut revision = 0;
        let memory = ledger.news(&mut revision).unwrap_or_else(|| ledger.detached());
        let desk = Arc::new(Mutex::new(Desk { memory, orders: Some(send), unwritten: 0 }));
        let forgiven = Arc::<OnceLock<Forgiven>>::default();
        let writer =
            Writer { ledger: ledger.clone(), desk: desk.clone(), forgiven: forgiven.clone(), revision };
        let writer = Builder::new().name("fault-keeper".into()).spawn(move || writer.run(&orders));
        if let Err(error) = &writer {
            warn!("CL051 no thread for the memory of faults: {error}; whoever meets one writes it");
            lock(&desk).orders = None;
        }
        Self { ledger, desk, forgiven, writer: Mutex::new(writer.ok()) }
    }

    /// Whom to tell of plugins that another process cleared; the first one who asks.
    pub(crate) fn on_forgiven(&self, forgiven: Forgiven) {
        // There is one host for a keeper.
        let _ = self.forgiven.set(forgiven);
    }

    /// Counts a fault. Does not wait for the file.
    pub(crate) fn fault(&self, plugin: &str, library: &LibraryIdentity, note: FaultNote) -> Verdict {
        let at = Moment::now();
        let mut desk = lock(&self.desk);
        if desk.orders.is_none() {
            drop(desk);
            return self.ledger.fault(plugin, library, note, at);
        }
        let verdict = desk.memory.fault(plugin, library, note.clone(), at);
        let order =
            Order::Fault { plugin: plugin.to_owned(), library: library.clone(), note: note.clone(), at };
        if desk.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok()) {
            desk.unwritten += 1;
            return verdict;
        }
        // The writer is gone: from now on whoever meets a fault writes it.
        desk.orders = None;
        drop(desk);
        self.ledger.fault(plugin, library, note, at)
    }

    /// Forgets a plugin's faults. May wait for the file.
    pub(crate) fn clear(&self, plugin: &str) {
        self.flush();
        lock(&self.desk).memory.clear(plugin);
        self.ledger.clear(plugin);
    }

    /// The memory itself, which knows of every fault so far. May wait for the file.
    pub(crate) fn ledger(&self) -> Ledger {
        self.flush();
        self.ledger.clone()
    }

    /// Waits until every fault so far is in the file.
    fn flush(&self) {
        let (done, written) = channel();
        let asked =
            lock(&self.desk).orders.as_ref().is_some_and(|orders| orders.send(Order::Flush(done)).is_ok());
        if asked {
            // It ends without a word only if the writer does.
            let _ = written.recv();
        }
    }

    /// Writes what is left and ends the writer. Later faults are written by whoever meets them.
    pub(crate) fn finish(&self) {
        drop(lock(&self.desk).orders.take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            warn!("the memory of faults ended by a panic");
        }
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the thread of a [`Keeper`] works with.
struct Writer {
    ledger: Ledger,
    desk: Arc<Mutex<Desk>>,
    forgiven: Arc<OnceLock<Forgiven>>,
    /// Of the records that the desk has.
    revision: u64,
}

impl Writer {
    /// Until nobody can order any more.
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let (mut written, mut flushed) = (0, None);
            match orders.recv_timeout(LOOK) {
                Ok(Order::Fault { plugin, library, note, at }) => {
                    self.ledger.fault(&plugin, &library, note, at);
                    written = 1;
                }
                Ok(Order::Flush(done)) => flushed = Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.refresh(written);
            // Whoever asked may have gone.
            flushed.map(|done| done.send(()));
        }
    }

    /// Brings the desk up to what the file says, unless there are faults that it does not say yet; `written` faults are
    /// in it since the last time.
    fn refresh(&mut self, written: usize) {
        let before = self.revision;
        let news = self.ledger.news(&mut self.revision);
        let mut desk = lock(&self.desk);
        desk.unwritten -= written;
        let Some(news) = news else { return };
        if desk.unwritten > 0 {
            self.revision = before;
            return;
        }
        let old = std::mem::replace(&mut desk.memory, news);
        let forgiven: Vec<&str> = old
            .entries()
            .filter(|(id, was)| is_forgiven(was, desk.memory.record(id)))
            .map(|(id, _)| id)
            .collect();
        drop(desk);
        if let Some(tell) = self.forgiven.get() {
            forgiven.into_iter().for_each(tell);
        }
    }
}

/// True when these faults were cleared since; `now` may know of newer ones. Those of another library tell nothing.
fn is_forgiven(was: &FaultRecord, now: Option<&FaultRecord>) -> bool {
    now.is_none_or(|now| {
        now.library() == was.library() && was.quarantined().is_some() && now.quarantined().is_none()
    })
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Instant};

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn faults_are_judged_while_another_host_holds_the_file_and_none_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.json");
        let keeper = Keeper::new(Ledger::new(Quarantine::open(&path)));
        let library = LibraryIdentity::of_hash("00");
        let other = File::open(folder.path()).expect("it exists");
        flock(&other, FlockOperation::LockExclusive).expect("nobody has it");
        let (say, said) = channel();
        let verdicts = std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3 {
                    say.send(keeper.fault("acme.enc", &library, FaultNote::default())).expect("heard");
                }
            });
            let limit = Duration::from_secs(4);
            let verdicts: Vec<_> = (0..3).map_while(|_| said.recv_timeout(limit).ok()).collect();
            assert!(Quarantine::open(&path).record("acme.enc").is_none(), "the lock was not taken");
            drop(other);
            verdicts
        });
        assert_eq!(verdicts, [Verdict::Count(1), Verdict::Count(2), Verdict::Quarantined]);
        keeper.finish();
        assert!(
            Quarantine::open(&path).state("acme.enc", &library).is_some_and(|it| it.quarantined().is_some())
        );
        keeper.clear("acme.enc");
        assert!(Quarantine::open(&path).record("acme.enc").is_none());
    }

    /// Waits until something is true, longer than anything takes on the slowest machine.
    fn eventually(what: &str, holds: impl Fn() -> bool) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < limit, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_another_process_clears_or_counts_is_known_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.json");
        let keepers = [(); 2].map(|()| Keeper::new(Ledger::new(Quarantine::open(&path))));
        let (tell, told) = channel();
        keepers[1].on_forgiven(Box::new(move |id| drop(tell.send(id.to_owned()))));
        let library = LibraryIdentity::of_hash("00");
        let fault = |keeper: &Keeper| keeper.fault("acme.enc", &library, FaultNote::default());
        let knows = |keeper: &Keeper, faults: u64| {
            let known = |desk: &Desk| desk.memory.record("acme.enc").map_or(0, FaultRecord::faults);
            eventually("the other host's memory is not known", || known(&lock(&keeper.desk)) == faults);
        };
        assert_eq!(fault(&keepers[0]), Verdict::Count(1));
        knows(&keepers[1], 1);
        assert_eq!(fault(&keepers[1]), Verdict::Count(2));
        knows(&keepers[0], 2);
        assert_eq!(fault(&keepers[0]), Verdict::Quarantined);
        knows(&keepers[1], 3);
        assert!(told.try_recv().is_err(), "nothing was cleared");
        // As `plugins clear` does.
        assert!(Quarantine::open(&path).clear("acme.enc"));
        for keeper in &keepers {
            knows(keeper, 0);
        }
        assert_eq!(told.recv_timeout(Duration::from_secs(60)).as_deref(), Ok("acme.enc"));
        assert_eq!(fault(&keepers[1]), Verdict::Count(1));
    }
}
