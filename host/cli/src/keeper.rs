//! The memory of faults: judged at once by whoever meets one, written into the file by a thread of its own.
//!
//! A video thread that waits for a disk, or for another host's lock, is a picture that stands still.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, JoinHandle},
};

use selkies_plugin_host::{FaultNote, Ledger, LibraryIdentity, Moment, Quarantine, Verdict};
use tracing::warn;

/// Judges faults by what the file said when it was last written. What another host of the same user counted meanwhile counts
/// from the next fault on; so does `plugins clear` that was told to another one.
#[derive(Debug)]
pub(crate) struct Keeper {
    ledger: Ledger,
    desk: Arc<Mutex<Desk>>,
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
        let desk = Desk { memory: ledger.detached(), orders: Some(send), unwritten: 0 };
        let desk = Arc::new(Mutex::new(desk));
        let (store, shared) = (ledger.clone(), desk.clone());
        let writer =
            Builder::new().name("fault-keeper".into()).spawn(move || write(&store, &shared, &orders));
        if let Err(error) = &writer {
            warn!("CL051 no thread for the memory of faults: {error}; whoever meets one writes it");
            lock(&desk).orders = None;
        }
        Self { ledger, desk, writer: Mutex::new(writer.ok()) }
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

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write(ledger: &Ledger, desk: &Mutex<Desk>, orders: &Receiver<Order>) {
    for order in orders {
        match order {
            Order::Fault { plugin, library, note, at } => {
                ledger.fault(&plugin, &library, note, at);
                let file = ledger.detached();
                let mut desk = lock(desk);
                desk.unwritten -= 1;
                if desk.unwritten == 0 {
                    desk.memory = file;
                }
            }
            // Whoever asked may have gone.
            Order::Flush(done) => drop(done.send(())),
        }
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

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
}
