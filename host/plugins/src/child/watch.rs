//! The thread that reads what all children print, and reaps those that were slow to die.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};

use super::{lines::Lines, process::Process};

/// Takes the lines of one child. Called on one thread for all children, so it must not block.
pub type LineSink = Box<dyn Fn(&str) + Send + Sync>;

/// Bytes of one child that are read in one second. One that prints more waits for the next second in its `write`:
/// otherwise reading would take a core just to throw the bytes away.
const BYTES_PER_SECOND: usize = 4 << 20;

/// Bytes read at a time, and from one child before the others have their turn.
const PIECE: usize = 32 << 10;

const SECOND: Duration = Duration::from_secs(1);

/// What is asked of the thread.
enum Order {
    /// Read this.
    Watch(Source),
    /// This child is dead: read what it left and forget it. Its pipe may stay open in processes that it started.
    Finish(u64),
    /// Reap this one when it dies.
    Bury(Arc<Process>),
}

/// One child's output.
struct Source {
    key: u64,
    pipe: OwnedFd,
    sink: LineSink,
    lines: Lines,
    /// Begin of the second in which `bytes` were read.
    second: Instant,
    bytes: usize,
}

struct Desk {
    wake: OwnedFd,
    orders: Mutex<(u64, Vec<Order>)>,
}

static DESK: Mutex<Option<Arc<Desk>>> = Mutex::new(None);

/// One child's place at the thread; dropping it ends the reading.
pub(super) struct Watched {
    desk: Arc<Desk>,
    key: u64,
}

/// Reads lines from `pipe`, which must not block, into `sink` from now on.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn watch(pipe: OwnedFd, sink: LineSink) -> io::Result<Watched> {
    let desk = desk()?;
    let key = {
        let mut orders = desk.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.0 += 1;
        let key = orders.0;
        let lines = Lines::new();
        orders.1.push(Order::Watch(Source { key, pipe, sink, lines, second: Instant::now(), bytes: 0 }));
        key
    };
    desk.wake();
    Ok(Watched { desk, key })
}

impl Watched {
    /// Reaps `process` as soon as it is dead.
    pub(super) fn bury(&self, process: Arc<Process>) {
        self.desk.order(Order::Bury(process));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.desk.order(Order::Finish(self.key));
    }
}

impl Desk {
    fn order(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).1.push(order);
        self.wake();
    }

    fn wake(&self) {
        // Fails only when the counter is full, and then the thread is woken already.
        _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn take(&self) -> Vec<Order> {
        _ = rustix::io::read(&self.wake, &mut [0; 8]);
        std::mem::take(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner).1)
    }
}

fn desk() -> io::Result<Arc<Desk>> {
    let mut found = DESK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(desk) = &*found {
        return Ok(Arc::clone(desk));
    }
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let desk = Arc::new(Desk { wake, orders: Mutex::default() });
    let own = Arc::clone(&desk);
    thread::Builder::new().name("plugin-lines".into()).spawn(move || run(&own))?;
    Ok(Arc::clone(found.insert(desk)))
}

fn run(desk: &Desk) {
    let mut sources: Vec<Source> = Vec::new();
    let mut dying: Vec<Arc<Process>> = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        for order in desk.take() {
            match order {
                Order::Watch(source) => sources.push(source),
                Order::Bury(process) => dying.push(process),
                Order::Finish(key) => {
                    if let Some(place) = sources.iter().position(|source| source.key == key) {
                        sources.swap_remove(place).drain(&mut piece);
                    }
                }
            }
        }
        dying.retain(|process| process.ended().is_none());
        sources.retain_mut(|source| source.waits_until().is_some() || source.read(&mut piece));
        sleep(desk, &sources, &dying);
    }
}

/// Waits for an order, for bytes, for a death, or for the end of a second in which somebody printed too much.
fn sleep(desk: &Desk, sources: &[Source], dying: &[Arc<Process>]) {
    let mut until: Option<Instant> = None;
    let mut fds = vec![PollFd::new(&desk.wake, PollFlags::IN)];
    for source in sources {
        match source.waits_until() {
            Some(end) => until = Some(until.map_or(end, |until| until.min(end))),
            None => fds.push(PollFd::new(&source.pipe, PollFlags::IN)),
        }
    }
    fds.extend(dying.iter().map(|process| PollFd::from_borrowed_fd(process.pidfd(), PollFlags::IN)));
    let timeout =
        until.and_then(|until| Timespec::try_from(until.saturating_duration_since(Instant::now())).ok());
    if poll(&mut fds, timeout.as_ref()).is_err_and(|error| error != Errno::INTR) {
        thread::sleep(SECOND); // no memory in the kernel; trying on at once would burn the core
    }
}

impl Source {
    /// The end of the current second, when the child has used it up.
    fn waits_until(&self) -> Option<Instant> {
        let end = self.second + SECOND;
        (self.bytes >= BYTES_PER_SECOND && Instant::now() < end).then_some(end)
    }

    /// Reads one piece if there is one. False at the end.
    fn read(&mut self, piece: &mut [u8]) -> bool {
        let now = Instant::now();
        if now.duration_since(self.second) >= SECOND {
            self.second = now;
            self.bytes = 0;
        }
        match rustix::io::read(self.pipe.as_fd(), &mut *piece) {
            Ok(0) => {}
            Ok(length) => {
                self.bytes += length;
                self.lines.push(piece.get(..length).unwrap_or_default(), now, &*self.sink);
                return true;
            }
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => {}
        }
        self.lines.finish(now, &*self.sink);
        false
    }

    /// Reads what a dead child left, at most what a pipe holds.
    fn drain(mut self, piece: &mut [u8]) {
        const PIPE_BYTES: usize = 1 << 20;
        let mut left = PIPE_BYTES;
        let now = Instant::now();
        while let Ok(length @ 1..) = rustix::io::read(self.pipe.as_fd(), &mut *piece) {
            self.lines.push(piece.get(..length).unwrap_or_default(), now, &*self.sink);
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
        self.lines.finish(now, &*self.sink);
    }
}
