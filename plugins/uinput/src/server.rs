//! The thread that answers programs' force feedback, and what it shares with the host's.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};
use selkies_gamepad_support::{Bell, Rumbles};
use selkies_plugin_sdk::{GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, Wake};

use crate::device::Device;

/// The devices and who waits for what.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
    rumbles: Rumbles,
    /// Makes the thread look at the devices anew.
    bell: Bell,
}

#[derive(Debug, Default)]
struct State {
    devices: [Option<Device>; 4],
    ended: bool,
}

impl Server {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let bell = Bell::new()?;
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
        self.bell.ring();
        Ok(())
    }

    /// Ends a device; the kernel releases what is held.
    pub(crate) fn unplug(&self, slot: u8) {
        let mut state = self.state();
        let device = state.devices.get_mut(usize::from(slot)).and_then(Option::take);
        drop(state);
        drop(device);
        self.bell.ring();
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
        self.bell.ring();
    }

    fn run(&self) {
        while let Some((patience, handles)) = self.serve() {
            let fds = handles.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN));
            if let Err(error) = self.bell.wait(fds, patience) {
                tracing::error!(%error, "force feedback is not heard any more");
                return;
            }
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Server {
    fn wake(&self) {
        self.rumbles.wake();
    }
}
