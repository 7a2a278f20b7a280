//! The thread that owns everything of libpulse, and the way to it.

use std::{
    cell::Cell,
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::fd::AsRawFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use libpulse_binding::mainloop::{
    api::Mainloop as Api,
    events::io::{FlagSet, IoEvent},
    standard::Mainloop,
};
use selkies_plugin_sdk::{Error, Result, abi};

use crate::server::Server;

/// Orders that may wait for a thread that libpulse keeps; more are lost.
const MAX_ORDERS: usize = 1024;
/// Longer than any answer of the thread takes.
const LIMIT: Duration = Duration::from_millis(1900);

/// What an instance does on the thread.
pub(crate) trait Work: Sized {
    /// What it can be told.
    type Order: Send + 'static;

    /// Does what it is told.
    fn obey(&mut self, server: &mut Server, order: Self::Order);

    /// Something happened. An error ends the thread.
    fn tend(&mut self, server: &mut Server) -> Result<()>;

    /// A stream runs: a server that says nothing must be asked whether it is still there.
    fn runs(&self) -> bool;

    /// The thread ends, for this reason if it is not the host's wish.
    fn end(&mut self, server: &mut Server, reason: Option<&Error>);
}

/// The thread. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Engine<O> {
    orders: Option<SyncSender<O>>,
    bell: Bell,
    thread: Option<JoinHandle<()>>,
}

/// Rouses the thread out of libpulse's poll.
#[derive(Clone, Debug)]
struct Bell {
    writer: Arc<PipeWriter>,
    rung: Arc<AtomicBool>,
}

impl Bell {
    fn ring(&self) {
        // At most one byte is in the pipe: it never blocks.
        if !self.rung.swap(true, Ordering::SeqCst) {
            let _ = (&*self.writer).write_all(&[1]);
        }
    }
}

impl<O: Send + 'static> Engine<O> {
    /// Connects on a new thread; `make` gives what works there.
    pub(crate) fn start<W: Work<Order = O>>(
        address: Option<String>,
        make: impl FnOnce(&mut Server) -> Result<W> + Send + 'static,
    ) -> Result<Self> {
        let lacking = |error: std::io::Error| {
            Error::retry(format!("no thread for libpulse: {error}")).with_detail(abi::DETAIL_OUT_OF_RESOURCES)
        };
        let (reader, writer) = pipe().map_err(lacking)?;
        let bell = Bell { writer: Arc::new(writer), rung: Arc::default() };
        let (orders, receiver) = sync_channel(MAX_ORDERS);
        let (ready, outcome) = sync_channel(1);
        let rung = bell.rung.clone();
        let body = move || run(address, make, reader, &rung, &receiver, &ready);
        let thread = Builder::new().name("pulse".into()).spawn(body).map_err(lacking)?;
        let engine = Self { orders: Some(orders), bell, thread: Some(thread) };
        // The thread has limits of its own for each step.
        let outcome = outcome.recv_timeout(LIMIT + Duration::from_secs(2));
        outcome.map_err(|_| late("to connect"))?.map(|()| engine)
    }

    /// Tells the thread something. What a thread that has ended is told is lost.
    pub(crate) fn tell(&self, order: O) {
        if let Some(orders) = &self.orders {
            let _ = orders.try_send(order);
        }
        self.bell.ring();
    }

    /// Tells the thread something that it answers.
    pub(crate) fn ask<T>(&self, what: &str, order: impl FnOnce(SyncSender<Result<T>>) -> O) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        self.tell(order(answer));
        match answered.recv_timeout(LIMIT) {
            Ok(answer) => answer,
            Err(_) if self.thread.as_ref().is_none_or(JoinHandle::is_finished) => {
                Err(Error::device_lost("the sound server is gone").with_detail(abi::DETAIL_IO))
            }
            Err(_) => Err(late(what)),
        }
    }
}

fn late(what: &str) -> Error {
    Error::device_lost(format!("the sound server takes too long {what}")).with_detail(abi::DETAIL_TIMEOUT)
}

impl<O> Drop for Engine<O> {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.bell.ring();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of libpulse panicked");
        }
    }
}

/// The thread's life.
fn run<W: Work>(
    address: Option<String>,
    make: impl FnOnce(&mut Server) -> Result<W>,
    reader: PipeReader,
    rung: &Arc<AtomicBool>,
    orders: &Receiver<W::Order>,
    ready: &SyncSender<Result<()>>,
) {
    let begun = begin(address, make, reader, rung.clone());
    let (mut server, mut work, bell, heard) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    let reason = loop {
        match serve(&mut server, &mut work, orders, &heard) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    work.end(&mut server, reason.as_ref());
    drop((work, bell, server));
}

/// The last one is true once the bell was heard, until orders are looked at.
type Begun<W> = (Server, W, IoEvent<<Mainloop as Api>::MI>, Rc<Cell<bool>>);

fn begin<W>(
    address: Option<String>,
    make: impl FnOnce(&mut Server) -> Result<W>,
    reader: PipeReader,
    rung: Arc<AtomicBool>,
) -> Result<Begun<W>> {
    let mainloop = Mainloop::new().ok_or_else(|| Error::fatal("libpulse has no memory"))?;
    let mut server = Server::connect(mainloop, address.as_deref())?;
    let fd = reader.as_raw_fd();
    let mut reader = reader;
    let heard = Rc::new(Cell::new(false));
    let hears = heard.clone();
    let on_ring = Box::new(move |_, _, _| {
        hears.set(true);
        // Before the byte is taken: whoever rings from now on is heard by the next turn.
        let mut byte = [0; 1];
        if rung.load(Ordering::SeqCst) && reader.read(&mut byte).is_ok() {
            rung.store(false, Ordering::SeqCst);
        }
    });
    let bell = server.mainloop().new_io_event(fd, FlagSet::INPUT, on_ring);
    let bell = bell.ok_or_else(|| Error::fatal("libpulse takes no event"))?;
    let work = make(&mut server)?;
    Ok((server, work, bell, heard))
}

/// One turn; false when the host has ended the instance.
fn serve<W: Work>(
    server: &mut Server,
    work: &mut W,
    orders: &Receiver<W::Order>,
    heard: &Cell<bool>,
) -> Result<bool> {
    // Rung within a turn of the work itself, it does not end this one.
    if !heard.get() {
        server.turn(work.runs().then(|| server.due()))?;
    }
    heard.set(false);
    loop {
        match orders.try_recv() {
            Ok(order) => work.obey(server, order),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return Ok(false),
        }
    }
    server.alive()?;
    work.tend(server)?;
    if work.runs() {
        server.look_after()?;
    }
    Ok(true)
}
