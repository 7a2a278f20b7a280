//! Which client holds what, so that nothing stays pressed when it goes.
//!
//! Two clients may hold the same key or button; it is released when the last of them lets go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Button, ClientId, InputEvent};
use crate::wire::{GamepadMessage, PointerMessage};

/// A held key or pad whose heartbeats stopped for this long is released (2.1.0: key_stale_window). Pages beat every
/// 100 ms, hidden ones once a second.
const STALE: Duration = Duration::from_secs(2);
/// Most keys one client may hold.
const MAX_KEYS: usize = 64;

/// Mask bits of `m` that are wheel clicks when the scroll field is not 0, and their direction: 2.1.0 has 3 for down and 4
/// for up (input_handler.py:5884), which is not the order of X buttons 4 and 5.
const WHEEL: [(u16, i32, i32); 4] = [(1 << 3, 0, 1), (1 << 4, 0, -1), (1 << 6, -1, 0), (1 << 7, 1, 0)];
/// Mask bits of `m` that are buttons; the last two only when the scroll field is 0.
const BUTTONS: [(u16, Button); 5] = [
    (1 << 0, Button::Left),
    (1 << 1, Button::Middle),
    (1 << 2, Button::Right),
    (1 << 3, Button::Back),
    (1 << 4, Button::Forward),
];

#[derive(Debug, Default)]
struct Pointer {
    mask: u16,
    seq: Option<u64>,
}

#[derive(Debug)]
struct Pad {
    client: ClientId,
    beat: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct HeldInput {
    keys: BTreeMap<(ClientId, u32), Instant>,
    /// Clients that send heartbeats; the keys of one that never does are released only when it goes.
    beating: BTreeSet<ClientId>,
    buttons: BTreeSet<(Button, ClientId)>,
    pointers: BTreeMap<ClientId, Pointer>,
    pads: BTreeMap<u8, Pad>,
}

impl HeldInput {
    pub(super) fn key_down(&mut self, now: Instant, client: ClientId, keysym: u32) -> Vec<InputEvent> {
        if let Some(at) = self.keys.get_mut(&(client, keysym)) {
            *at = now;
            return vec![InputEvent::KeyRepeat { keysym }];
        }
        if self.keys_of(client).len() >= MAX_KEYS {
            return Vec::new();
        }
        let held = self.is_key_held(keysym);
        self.keys.insert((client, keysym), now);
        if held { Vec::new() } else { vec![InputEvent::Key { keysym, down: true }] }
    }

    pub(super) fn key_up(&mut self, client: ClientId, keysym: u32) -> Vec<InputEvent> {
        let released = self.keys.remove(&(client, keysym)).is_some() && !self.is_key_held(keysym);
        if released { vec![InputEvent::Key { keysym, down: false }] } else { Vec::new() }
    }

    /// `kr`: this client's keys, and when nobody else holds one, whatever the input plugin may still have down.
    pub(super) fn key_reset(&mut self, client: ClientId) -> Vec<InputEvent> {
        let mut events = self.release_keys(client);
        if self.keys.is_empty() {
            events.push(InputEvent::ResetKeyboard);
        }
        events
    }

    pub(super) fn heartbeat(&mut self, now: Instant, client: ClientId, keysyms: &[u32]) {
        self.beating.insert(client);
        for &keysym in keysyms {
            if let Some(at) = self.keys.get_mut(&(client, keysym)) {
                *at = now;
            }
        }
    }

    pub(super) fn pointer(
        &mut self,
        client: ClientId,
        message: PointerMessage,
        display: Option<(u32, u32)>,
    ) -> Vec<InputEvent> {
        let state = self.pointers.entry(client).or_default();
        let late = message.seq.is_some_and(|seq| state.seq.is_some_and(|last| seq <= last));
        if late && !message.relative {
            // An absolute position older than the last one is no way back.
            return Vec::new();
        }
        let mut events = Vec::new();
        if message.relative {
            if (message.x, message.y) != (0, 0) {
                events.push(InputEvent::PointerBy { dx: message.x, dy: message.y });
            }
        } else {
            let within = |value: i32, size: Option<u32>| {
                let value = u32::try_from(value).unwrap_or(0);
                size.map_or(value, |size| value.min(size.saturating_sub(1)))
            };
            let (x, y) = (within(message.x, display.map(|d| d.0)), within(message.y, display.map(|d| d.1)));
            events.push(InputEvent::PointerTo { x, y });
        }
        let clicks = i32::from(message.scroll);
        let risen = message.mask & !state.mask;
        if clicks > 0 {
            for (_, dx, dy) in
                WHEEL.iter().filter(|(bit, ..)| risen & bit != 0 || (late && message.mask & bit != 0))
            {
                events.push(InputEvent::Wheel { dx: dx * clicks, dy: dy * clicks });
            }
        }
        if late {
            // Its buttons are older than those already applied.
            return events;
        }
        let fallen = state.mask & !message.mask;
        state.mask = message.mask;
        state.seq = message.seq.or(state.seq);
        for (bit, button) in BUTTONS {
            let wheel = clicks > 0 && WHEEL.iter().any(|w| w.0 == bit);
            if risen & bit != 0 && !wheel {
                let held = self.is_button_held(button);
                self.buttons.insert((button, client));
                if !held {
                    events.push(InputEvent::Button { button, down: true });
                }
            } else if fallen & bit != 0
                && self.buttons.remove(&(button, client))
                && !self.is_button_held(button)
            {
                events.push(InputEvent::Button { button, down: false });
            }
        }
        events
    }

    pub(super) fn gamepad(
        &mut self,
        now: Instant,
        client: ClientId,
        message: GamepadMessage,
    ) -> Vec<InputEvent> {
        let slot = message.slot();
        match message {
            GamepadMessage::Heartbeat { .. } => {
                if let Some(pad) = self.pads.get_mut(&slot).filter(|pad| pad.client == client) {
                    pad.beat = Some(now);
                }
                return Vec::new();
            }
            // Only who drives it takes it away.
            GamepadMessage::Disconnect { .. }
                if self.pads.get(&slot).is_some_and(|pad| pad.client != client) =>
            {
                return Vec::new();
            }
            GamepadMessage::Disconnect { .. } => {
                self.pads.remove(&slot);
            }
            GamepadMessage::Connect { .. } => {
                self.pads.insert(slot, Pad { client, beat: None });
            }
            GamepadMessage::Button { .. } | GamepadMessage::Axis { .. } => {
                let pad = self.pads.entry(slot).or_insert(Pad { client, beat: None });
                pad.client = client;
                // Activity is as good a sign of life as a heartbeat, from a client that sends them.
                pad.beat = pad.beat.map(|_| now);
            }
        }
        vec![InputEvent::Gamepad(message)]
    }

    /// Who drives a pad.
    pub(super) fn player(&self, slot: u8) -> Option<ClientId> {
        self.pads.get(&slot).map(|pad| pad.client)
    }

    /// Releases all that `client` alone holds, and forgets it.
    pub(super) fn release(&mut self, client: ClientId) -> Vec<InputEvent> {
        let mut events = self.release_keys(client);
        let mine: Vec<Button> = self.buttons.iter().filter(|(_, c)| *c == client).map(|(b, _)| *b).collect();
        for button in mine {
            self.buttons.remove(&(button, client));
            if !self.is_button_held(button) {
                events.push(InputEvent::Button { button, down: false });
            }
        }
        let pads: Vec<u8> =
            self.pads.iter().filter(|(_, p)| p.client == client).map(|(&slot, _)| slot).collect();
        for slot in pads {
            self.pads.remove(&slot);
            events.push(InputEvent::Gamepad(GamepadMessage::Disconnect { slot }));
        }
        self.pointers.remove(&client);
        self.beating.remove(&client);
        events
    }

    /// Releases what has gone stale.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<InputEvent> {
        let stale = |at: Instant| now.saturating_duration_since(at) >= STALE;
        let keys: Vec<(ClientId, u32)> = self
            .keys
            .iter()
            .filter(|((client, _), at)| self.beating.contains(client) && stale(**at))
            .map(|(&key, _)| key)
            .collect();
        let mut events: Vec<InputEvent> =
            keys.into_iter().flat_map(|(c, keysym)| self.key_up(c, keysym)).collect();
        for (&slot, pad) in &mut self.pads {
            if pad.beat.is_some_and(stale) {
                pad.beat = None;
                events.push(InputEvent::GamepadNeutral { slot });
            }
        }
        events
    }

    /// When the next [`HeldInput::sweep`] can release something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let keys =
            self.keys.iter().filter(|((client, _), _)| self.beating.contains(client)).map(|(_, &at)| at);
        let pads = self.pads.values().filter_map(|pad| pad.beat);
        keys.chain(pads).min().map(|at| at + STALE)
    }

    fn release_keys(&mut self, client: ClientId) -> Vec<InputEvent> {
        self.keys_of(client).into_iter().flat_map(|keysym| self.key_up(client, keysym)).collect()
    }

    fn keys_of(&self, client: ClientId) -> Vec<u32> {
        self.keys.range((client, 0)..=(client, u32::MAX)).map(|(&(_, keysym), _)| keysym).collect()
    }

    fn is_key_held(&self, keysym: u32) -> bool {
        self.keys.keys().any(|&(_, held)| held == keysym)
    }

    fn is_button_held(&self, button: Button) -> bool {
        self.buttons.iter().any(|&(held, _)| held == button)
    }
}
