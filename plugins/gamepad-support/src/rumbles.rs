//! What programs let gamepads do, until the host asks: the newest per slot.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{GamepadRumble, Wake};

/// Rumbles that wait for the host, and the host that waits for rumbles. Any thread may call.
#[derive(Debug, Default)]
pub struct Rumbles {
    waiting: Mutex<Waiting>,
    /// One came, or `woken` is set.
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    newest: [Option<GamepadRumble>; 4],
    woken: bool,
}

impl Rumbles {
    /// Takes the place of what waits for the same slot.
    pub fn put(&self, rumble: GamepadRumble) {
        if let Some(place) = self.waiting().newest.get_mut(usize::from(rumble.slot)) {
            *place = Some(rumble);
        }
        self.news.notify_all();
    }

    /// The next one; `None` after `timeout` or a wake, of which one that nobody waits for ends the next wait.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<GamepadRumble> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut waiting = self.waiting();
        loop {
            if let Some(rumble) = waiting.newest.iter_mut().find_map(Option::take) {
                return Some(rumble);
            }
            if std::mem::take(&mut waiting.woken) {
                return None;
            }
            waiting = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return None,
                Some(left) => self.news.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Rumbles {
    fn wake(&self) {
        self.waiting().woken = true;
        self.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rumble(slot: u8, strong: u16) -> GamepadRumble {
        GamepadRumble { slot, strong, weak: 0, duration_ms: 100 }
    }

    #[test]
    fn the_newest_of_each_slot_is_handed_over_before_a_wake() {
        let rumbles = Rumbles::default();
        for (slot, strong) in [(2, 1), (0, 2), (2, 3), (4, 4)] {
            rumbles.put(rumble(slot, strong));
        }
        rumbles.wake();
        assert_eq!(rumbles.wait(None), Some(rumble(0, 2)));
        assert_eq!(rumbles.wait(None), Some(rumble(2, 3)));
        assert_eq!(rumbles.wait(None), None, "it was woken");
        assert_eq!(rumbles.wait(Some(Duration::ZERO)), None, "once");
    }
}
