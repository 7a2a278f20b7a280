//! Unused keys that are given symbols which the layout lacks.

use std::time::{Duration, Instant};

use x11rb::protocol::xproto::Keycode;

use super::keymap::Keymap;

/// Most keys that are used so.
const LIMIT: usize = 32;
/// How long a key keeps its symbol after it was pressed: applications look the symbol up when they get to the event.
const SETTLE: Duration = Duration::from_millis(40);
/// How much longer for each key that was bound with it: each makes applications read the whole map anew, before they get
/// to the events.
const READING: Duration = Duration::from_millis(8);

#[derive(Debug)]
struct Slot {
    keycode: Keycode,
    /// 0 until it is bound.
    keysym: u32,
    used: Option<Instant>,
    /// How long it keeps its symbol after that.
    settle: Duration,
}

/// The unused keys, with what they are bound to.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slots: Vec<Slot>,
}

impl Scratch {
    /// Takes over a new map: keys that somebody else gave a meaning are no longer ours, unused ones become so.
    pub(super) fn adopt(&mut self, map: &Keymap) {
        self.slots.retain_mut(|slot| {
            let symbol = map.first_symbol(slot.keycode);
            if symbol == super::keysym::NONE {
                slot.keysym = super::keysym::NONE;
            }
            slot.keysym == symbol
        });
        for &keycode in map.unused().iter().rev() {
            if self.slots.len() >= LIMIT {
                break;
            }
            if !self.slots.iter().any(|slot| slot.keycode == keycode) {
                self.slots.push(Slot { keycode, keysym: super::keysym::NONE, used: None, settle: SETTLE });
            }
        }
    }

    /// The keys to bind `keysyms` to: fresh ones, then those not pressed for longest, never one that is
    /// `held`. Fewer than asked for when the keys run out. The time is how long to wait before they may be bound.
    pub(super) fn take(
        &mut self,
        keysyms: &[u32],
        held: impl Fn(Keycode) -> bool,
        now: Instant,
    ) -> (Vec<(Keycode, u32)>, Duration) {
        let mut free: Vec<&mut Slot> = self.slots.iter_mut().filter(|slot| !held(slot.keycode)).collect();
        free.sort_by_key(|slot| slot.used);
        let settle = SETTLE + READING * free.len().min(keysyms.len()) as u32;
        let mut ready = now;
        let mut taken = Vec::new();
        for (slot, keysym) in free.into_iter().zip(keysyms) {
            ready = slot.used.map_or(ready, |used| ready.max(used + slot.settle));
            slot.settle = settle;
            slot.keysym = *keysym;
            slot.used = Some(ready);
            taken.push((slot.keycode, *keysym));
        }
        (taken, ready - now)
    }

    /// A key was pressed; if it is one of these, it stays as it is for longest.
    pub(super) fn touch(&mut self, keycode: Keycode, now: Instant) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.keycode == keycode) {
            slot.used = Some(now);
        }
    }

    /// The keys that are bound.
    pub(super) fn bound(&self) -> impl Iterator<Item = Keycode> {
        self.slots.iter().filter(|slot| slot.keysym != super::keysym::NONE).map(|slot| slot.keycode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(keycodes: &[Keycode]) -> Scratch {
        let slot = |keycode: &Keycode| Slot { keycode: *keycode, keysym: 0, used: None, settle: SETTLE };
        Scratch { slots: keycodes.iter().map(slot).collect() }
    }

    #[test]
    fn the_least_recently_pressed_key_is_bound_anew_after_it_settled() {
        let start = Instant::now();
        let mut scratch = with(&[200, 201]);
        assert_eq!(scratch.take(&[1, 2], |_| false, start), (vec![(200, 1), (201, 2)], Duration::ZERO));
        scratch.touch(200, start + SETTLE / 2);
        let later = start + SETTLE / 4;
        assert_eq!(scratch.take(&[3], |_| false, later), (vec![(201, 3)], SETTLE / 4 * 3 + 2 * READING));
    }

    #[test]
    fn held_keys_are_never_bound_anew() {
        let start = Instant::now();
        let mut scratch = with(&[200, 201]);
        assert_eq!(scratch.take(&[1, 2], |keycode| keycode == 200, start).0, [(201, 1)]);
        assert_eq!(scratch.take(&[1], |_| true, start).0, []);
    }
}
