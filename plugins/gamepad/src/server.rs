//! The thread that serves the sockets, and what it shares with the host's.

use std::{
    io,
    os::fd::AsFd,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::event::{PollFd, PollFlags};
use selkies_gamepad_support::{Bell, Rumbles};
use selkies_plugin_sdk::{GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, Wake};

use crate::{seat::Seat, wire::Moment};

/// The slots and who waits for what.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
    rumbles: Rumbles,
    /// Makes the thread look at the sockets anew.
    bell: Bell,
    folder: PathBuf,
    open: bool,
    start: Instant,
}

#[derive(Debug, Default)]
struct State {
    seats: [Option<Seat>; 4],
    ended: bool,
}

impl Server {
    /// Starts the thread.
    pub(crate) fn start(folder: PathBuf, open: bool) -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let bell = Bell::new()?;
        let server = Arc::new(Self {
            state: Mutex::default(),
            rumbles: Rumbles::default(),
            bell,
            folder,
            open,
            start: Instant::now(),
        });
        let thread = std::thread::Builder::new().name("gamepad-sockets".into()).spawn({
            let server = server.clone();
            move || server.run()
        })?;
        Ok((server, thread))
    }

    /// Puts a gamepad at rest into a slot. Programs that have the same one open keep it.
    pub(crate) fn seat(&self, slot: u8, identity: GamepadIdentity) -> Result<(), String> {
        let mut state = self.state();
        let seats = &mut state.seats;
        let Some(place) = seats.get_mut(usize::from(slot)) else {
            return Err(format!("there is no slot {slot}"));
        };
        match place {
            Some(seat) if *seat.identity() == identity => {
                seat.play(GamepadChange::Rest, self.moment());
            }
            _ => {
                *place = None;
                *place = Some(Seat::new(&self.folder, slot, identity, self.open)?);
            }
        }
        drop(state);
        self.bell.ring();
        Ok(())
    }

    /// Ends a slot: its sockets go, programs see the end.
    pub(crate) fn clear(&self, slot: u8) {
        let mut state = self.state();
        let seat = state.seats.get_mut(usize::from(slot)).and_then(Option::take);
        drop(state);
        drop(seat);
        self.bell.ring();
    }

    /// Applies events.
    pub(crate) fn play(&self, events: &[GamepadEvent]) {
        let at = self.moment();
        let mut state = self.state();
        let seats = &mut state.seats;
        for event in events {
            if let Some(Some(seat)) = seats.get_mut(usize::from(event.slot)) {
                seat.play(event.change, at);
            }
        }
        let behind = seats.iter().flatten().flat_map(Seat::ports).flat_map(|port| &port.clients);
        let behind = behind.filter(|client| client.is_behind()).count();
        drop(state);
        if behind > 0 {
            self.bell.ring();
        }
    }

    /// The next rumble; `None` after `timeout` or a wake.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Option<GamepadRumble> {
        self.rumbles.wait(timeout)
    }

    /// Makes the thread end and removes every socket.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let seats = std::mem::take(&mut state.seats);
        drop(state);
        drop(seats);
        self.bell.ring();
    }

    fn run(&self) {
        while let Some(patience) = self.serve() {
            let (listeners, streams) = self.handles();
            let accepts = listeners.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN));
            let reads = streams.iter().map(|(fd, behind)| {
                let out = if *behind { PollFlags::OUT } else { PollFlags::empty() };
                PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN | out)
            });
            if let Err(error) = self.bell.wait(accepts.chain(reads), patience) {
                tracing::error!(%error, "the gamepads' sockets are not served any more");
                return;
            }
        }
    }

    /// Does what is possible; answers how long there is time to the next deadline, or `None` at the end.
    fn serve(&self) -> Option<Option<Duration>> {
        let (at, now) = (self.moment(), Instant::now());
        let mut state = self.state();
        if state.ended {
            return None;
        }
        let seats = &mut state.seats;
        for seat in seats.iter_mut().flatten() {
            if let Some(rumble) = seat.serve(at, now) {
                self.rumbles.put(rumble);
            }
        }
        let deadline = seats.iter().flatten().filter_map(|seat| seat.deadline(now)).min();
        drop(state);
        Some(deadline.map(|until| until.saturating_duration_since(now)))
    }

    /// What is to be polled; connections with whether place is awaited, too.
    #[allow(clippy::type_complexity)] // two lists of what `poll` takes
    fn handles(
        &self,
    ) -> (Vec<Arc<std::os::unix::net::UnixListener>>, Vec<(Arc<std::os::unix::net::UnixStream>, bool)>) {
        let state = self.state();
        let ports = || state.seats.iter().flatten().flat_map(Seat::ports);
        let listeners =
            ports().filter(|port| !port.is_resting()).map(|port| port.listener.handle()).collect();
        let clients = ports().flat_map(|port| &port.clients);
        let streams = clients.map(|client| (client.handle(), client.is_behind())).collect();
        (listeners, streams)
    }

    fn moment(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            seconds: i64::try_from(since.as_secs()).unwrap_or_default(),
            micros: i64::from(since.subsec_micros()),
            // Programs compare them with each other; they wrap as the kernel's do.
            millis: self.start.elapsed().as_millis() as u32,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Server {
    fn wake(&self) {
        self.rumbles.wake();
    }
}
