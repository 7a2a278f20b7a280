//! The thread that answers programs' force feedback, and what it shares with the host's.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};
use selkies_gamepad_support::Rumbles;
use selkies_plugin_sdk::{GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, Wake};

use crate::device::Device;

/// The devices and who waits for what.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
    rumbles: Rumbles,
    /// Makes the thread look at the devices anew.
    bell: OwnedFd,
}

#[derive(Debug, Default)]
struct State {
    devices: [Option<Device>; 4],
    ended: bool,
}

impl Server {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let server = Arc::new(Self { state: Mutex::default(), rumbles: Rumbles::default(), bell });
        let thread = std::thread::Builder::new().name("gamepad-kernel".into()).spawn({
            let server = server.clone();
            move || server.run()
        })?;
        Ok((server, thread))
    }

    /// Makes a device at rest; the same one that is there already stays.
    pub(crate) fn plug(&self, slot: u8, identity: GamepadIdentity) -> io::Result<()> {
        let mut state = self.state();
        let Some(place) = state.devices.get_mut(usize::from(slot)) else { return Ok(()) };
        match place {
            Some(device) if *device.identity() == identity => device.play([GamepadChange::Rest])?,
            _ => {
                *place = None;
                *place = Some(Device::new(identity)?);
            }
        }
        drop(state);
        self.ring();
        Ok(())
    }

    /// Ends a device; the kernel releases what is held.
    pub(crate) fn unplug(&self, slot: u8) {
        let mut state = self.state();
        let device = state.devices.get_mut(usize::from(slot)).and_then(Option::take);
        drop(state);
        drop(device);
        self.ring();
    }

    /// Applies events.
    pub(crate) fn play(&self, events: &[GamepadEvent]) -> io::Result<()> {
        let mut state = self.state();
        for event in events {
            if let Some(Some(device)) = state.devices.get_mut(usize::from(event.slot)) {
                device.play([event.change])?;
            }
        }
        Ok(())
    }

    /// The next rumble; `None` after `timeout` or a wake.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Option<GamepadRumble> {
        self.rumbles.wait(timeout)
    }

    /// Makes the thread end and removes every device.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let devices = std::mem::take(&mut state.devices);
        drop(state);
        drop(devices);
        self.ring();
    }

    fn run(&self) {
        while let Some((patience, handles)) = self.serve() {
            let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
            fds.extend(handles.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
            let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
            match poll(&mut fds, patience.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "force feedback is not heard any more");
                    return;
                }
            }
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
    }

    /// Does what is possible; answers how long there is time to the next deadline and what is to be polled, or `None` at the
    /// end.
    #[allow(clippy::type_complexity)] // what `poll` takes
    fn serve(&self) -> Option<(Option<Duration>, Vec<Arc<OwnedFd>>)> {
        let now = Instant::now();
        let mut state = self.state();
        if state.ended {
            return None;
        }
        let devices = &mut state.devices;
        for (slot, place) in (0..).zip(devices.iter_mut()) {
            let Some(device) = place else { continue };
            if let Err(error) = device.hear(now) {
                tracing::warn!(%error, slot, "a gamepad of the kernel is gone");
                *place = None;
                continue;
            }
            if let Some(motors) = device.mix(now) {
                let (strong, weak, duration_ms) = (motors.strong, motors.weak, motors.duration_ms);
                self.rumbles.put(GamepadRumble { slot, strong, weak, duration_ms });
            }
        }
        let present = || devices.iter().flatten();
        let deadline = present().filter_map(|device| device.deadline(now)).min();
        let handles = present().map(Device::handle).collect();
        drop(state);
        Some((deadline.map(|until| until.saturating_duration_since(now)), handles))
    }

    fn ring(&self) {
        // Only a counter that is full refuses, and then the thread looks anyway.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
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
