//! Where the session's thread leaves what players do, and the gamepad thread finds it.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use selkies_plugin_host::Waker;
use selkies_session::{InputEvent, wire::GamepadMessage};

/// Events that may wait for a device that is busy; what players do beyond is left out, and their pads go to rest.
const MAX_WAITING: usize = 4096;

/// The way to the gamepad thread. Any thread may use it.
#[derive(Debug, Default)]
pub(crate) struct GamepadDesk {
    tray: Mutex<Tray>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Tray {
    events: Vec<InputEvent>,
    ended: bool,
    /// The plugins are to be looked at.
    look: bool,
    /// Ends the thread's wait in the plugin, while it has one open.
    waker: Option<Waker>,
}

/// What there is to do.
pub(crate) enum Work {
    /// These events, perhaps none.
    Events(Vec<InputEvent>),
    /// Nothing more will come.
    End,
}

impl GamepadDesk {
    /// Leaves events. Does not block.
    pub(crate) fn leave(&self, events: impl IntoIterator<Item = InputEvent>) {
        let mut tray = self.tray();
        tray.events.extend(events);
        if tray.events.len() > MAX_WAITING {
            // Who is there stays known.
            tray.events.retain(is_coming_or_going);
            tray.events.truncate(MAX_WAITING);
            tray.events.extend((0..4).map(|slot| InputEvent::GamepadNeutral { slot }));
        }
        self.rouse(tray);
    }

    /// Has the thread look at the plugins anew.
    pub(crate) fn look(&self) {
        let mut tray = self.tray();
        tray.look = true;
        self.rouse(tray);
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        let mut tray = self.tray();
        tray.ended = true;
        self.rouse(tray);
    }

    /// The plugin in which the thread will wait, if any. What was left before ends the first wait.
    pub(crate) fn waits_in(&self, waker: Option<Waker>) {
        let mut tray = self.tray();
        tray.waker = waker;
        if !tray.events.is_empty() || tray.ended || tray.look {
            self.rouse(tray);
        }
    }

    /// What is there now.
    pub(crate) fn take(&self) -> Work {
        Self::work(&mut self.tray())
    }

    /// Waits, outside of a plugin, until there is something to do or the time has come.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Work {
        let mut tray = self.tray();
        while tray.events.is_empty() && !tray.ended && !tray.look {
            let Some(until) = until else {
                tray = self.changed.wait(tray).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tray = self.changed.wait_timeout(tray, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Self::work(&mut tray)
    }

    fn work(tray: &mut Tray) -> Work {
        tray.look = false;
        if tray.ended { Work::End } else { Work::Events(std::mem::take(&mut tray.events)) }
    }

    fn rouse(&self, tray: MutexGuard<'_, Tray>) {
        let waker = tray.waker.clone();
        drop(tray);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_coming_or_going(event: &InputEvent) -> bool {
    matches!(event, InputEvent::Gamepad(GamepadMessage::Connect { .. } | GamepadMessage::Disconnect { .. }))
}

/// True for what goes to gamepads.
pub(crate) fn is_gamepad(event: &InputEvent) -> bool {
    matches!(event, InputEvent::Gamepad(_) | InputEvent::GamepadNeutral { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button(value: f64) -> InputEvent {
        InputEvent::Gamepad(GamepadMessage::Button { slot: 1, index: 0, value })
    }

    #[test]
    fn what_is_too_much_is_left_out_and_pads_go_to_rest() {
        let desk = GamepadDesk::default();
        let connect = InputEvent::Gamepad(GamepadMessage::Connect {
            slot: 1,
            name: String::new(),
            axes: 4,
            buttons: 17,
        });
        desk.leave([connect.clone()]);
        desk.leave(std::iter::repeat_n(button(1.0), MAX_WAITING));
        let Work::Events(events) = desk.take() else { panic!("it goes on") };
        assert_eq!((events.len(), &events[0]), (5, &connect));
        assert_eq!(events[4], InputEvent::GamepadNeutral { slot: 3 });
        desk.leave([button(0.0)]);
        let Work::Events(events) = desk.wait(None) else { panic!("it goes on") };
        assert_eq!(events, [button(0.0)]);
        desk.stop();
        assert!(matches!(desk.wait(None), Work::End));
    }
}
