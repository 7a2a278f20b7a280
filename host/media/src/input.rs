//! The input thread: what clients do, in order, into the plugins that understand it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use selkies_plugin_abi as abi;
use selkies_plugin_host::{
    HostServices, InputAction, InputEvent as Injected, InputInstance, PluginError, now_ns,
};
use selkies_session::{Button, InputEvent, fallback::BackOff, latency::Recorder};
use tracing::{debug, warn};

use crate::{Backend, gate::Gate, slot::Slot};

/// Units of one notch of the wheel in the ABI.
const NOTCH: i32 = 120;
/// Pixels of a touchpad's scroll that count as one notch, as in libinput's conversion for legacy clients.
const FINGER_NOTCH: f64 = 15.0;
/// Pauses before a lost device is opened again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Most bytes of one typed text, the ABI's limit.
const MAX_TEXT: usize = abi::MAX_INPUT_TEXT;

/// One plugin and its device.
struct Device<'a> {
    slot: &'a Slot,
    seen: u64,
    backend: Backend,
    open: Option<InputInstance>,
    retry_at: Option<Instant>,
    pauses: BackOff,
    gate: &'a Gate,
}

/// What the session wants done for one message of a client.
#[derive(Debug)]
pub(crate) struct Batch {
    /// When the host had the message.
    pub(crate) heard: Instant,
    pub(crate) events: Vec<InputEvent>,
}

/// Injects until the sender is gone, and records into `times` how long each message took until its events were flushed.
///
/// `dropped` says that events were lost since the last batch: everything held is released then, because a release may
/// have been among them. `settle` is called before each batch: what came before it elsewhere takes effect there.
pub(crate) fn run(
    slots: &[Arc<Slot>],
    services: &HostServices,
    batches: &Receiver<Batch>,
    dropped: &AtomicBool,
    gate: &Gate,
    settle: &dyn Fn(),
    mut times: Recorder,
) {
    let pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let device =
        |slot| Device { slot, seen: 0, backend: slot.get(), open: None, retry_at: None, pauses, gate };
    let mut devices: Vec<_> = slots.iter().map(|slot| device(slot)).collect();
    for device in &mut devices {
        device.ready(services);
    }
    let mut keys = Keys::default();
    while let Ok(first) = batches.recv() {
        let mut heard = Vec::new();
        let mut actions = Vec::new();
        // What piled up while the device was busy goes in one call.
        for Batch { heard: at, events } in std::iter::once(first).chain(batches.try_iter()) {
            if !events.is_empty() {
                heard.push(at);
            }
            actions.extend(events.into_iter().flat_map(|event| keys.actions(event)));
        }
        actions.extend(dropped.swap(false, Ordering::SeqCst).then_some(InputAction::ReleaseAll));
        let received_ns = now_ns();
        let actions: Vec<Injected> =
            actions.into_iter().map(|action| Injected { action, received_ns }).collect();
        settle();
        dispatch(&mut devices, services, &actions);
        let now = Instant::now();
        heard.into_iter().for_each(|at| times.record(now, now.saturating_duration_since(at)));
    }
}

/// Gives each run of events to the first device that understands their kind.
fn dispatch(devices: &mut [Device<'_>], services: &HostServices, actions: &[Injected]) {
    for device in devices.iter_mut() {
        device.ready(services);
    }
    let understands = |device: &Device<'_>, event: &Injected| {
        device.open.as_ref().is_some_and(|open| open.kinds() & mask(event) != 0)
    };
    let mut rest = actions;
    while let Some(first) = rest.first() {
        let at = devices.iter().position(|device| understands(device, first));
        let same = |event: &&Injected| devices.iter().position(|device| understands(device, event)) == at;
        let count = rest.iter().take_while(same).count();
        let (run, others) = rest.split_at(count);
        match at {
            Some(at) => devices[at].inject(services, run),
            None => debug!(count, "no input plugin understands these events"),
        }
        rest = others;
    }
}

/// `1 << INPUT_*` of an event.
fn mask(event: &Injected) -> u64 {
    let kind = match event.action {
        InputAction::Keysym { .. } => abi::INPUT_KEYSYM,
        InputAction::Keycode { .. } => abi::INPUT_KEYCODE,
        InputAction::PointerAbsolute { .. } => abi::INPUT_POINTER_ABSOLUTE,
        InputAction::PointerRelative { .. } => abi::INPUT_POINTER_RELATIVE,
        InputAction::Button { .. } => abi::INPUT_BUTTON,
        InputAction::Scroll { .. } => abi::INPUT_SCROLL,
        InputAction::Text(_) => abi::INPUT_TEXT,
        InputAction::ReleaseAll => abi::INPUT_RELEASE_ALL,
        InputAction::Touch { .. } => abi::INPUT_TOUCH,
    };
    1 << kind
}

impl Device<'_> {
    fn ready(&mut self, services: &HostServices) {
        if self.slot.renewed(&mut self.seen) {
            // What works is left alone when its plugin is let in again: keys are held through it.
            if !self.slot.holds(&self.backend) {
                (self.backend, self.open) = (self.slot.get(), None);
            }
            self.retry_at = None;
            self.pauses.worked();
        }
        let waits = self.retry_at.is_some_and(|at| at > Instant::now());
        if self.open.is_some() || waits || self.gate.bars(self.backend.plugin.id()) {
            return;
        }
        match self.create(services) {
            Ok(input) => (self.open, self.retry_at) = (Some(input), None),
            Err(error) => {
                if self.retry_at.is_none() {
                    warn!(%error, "input does not work");
                }
                self.gate.report_from(self.slot, &error, "input", &self.backend);
                self.retry_at = Some(Instant::now() + self.pauses.failed());
            }
        }
    }

    fn create(&self, services: &HostServices) -> Result<InputInstance, PluginError> {
        InputInstance::create(&self.backend.origin(services))
    }

    /// Injects events; a device that was lost meanwhile is opened again and gets them once more. A plugin that fails twice
    /// over the same events made one fault, not two.
    fn inject(&mut self, services: &HostServices, events: &[Injected]) {
        for attempt in 0..2 {
            let Some(input) = self.open.as_mut() else { return };
            let Err(error) = input.inject(events) else {
                self.pauses.worked();
                return;
            };
            if !error.is_final() {
                warn!(%error, "input was not injected");
                return;
            }
            warn!(%error, "the input device was lost");
            self.open = None;
            if attempt == 0 {
                self.gate.report_from(self.slot, &error, "input", &self.backend);
            } else {
                self.gate.mention(&error, "input", &self.backend);
            }
            self.ready(services);
        }
    }
}

/// What is left of events that came before: the keys that are pressed, and parts of a wheel's step.
#[derive(Debug, Default)]
struct Keys {
    held: BTreeSet<u32>,
    across: Rest,
    along: Rest,
}

/// What one direction of a touchpad has scrolled beyond whole units of the ABI.
#[derive(Debug, Default)]
struct Rest(f64);

impl Rest {
    /// Whole units after `pixels` more.
    fn scroll(&mut self, pixels: f64) -> i32 {
        let sum = self.0 + pixels / FINGER_NOTCH * f64::from(NOTCH);
        self.0 = sum.fract();
        // The cast saturates.
        sum.trunc() as i32
    }
}

impl Keys {
    /// A session's event as plugins get it; nothing for what no input plugin serves.
    fn actions(&mut self, event: InputEvent) -> Vec<InputAction> {
        vec![match event {
            InputEvent::Key { keysym, down } => {
                if down {
                    self.held.insert(keysym);
                } else {
                    self.held.remove(&keysym);
                }
                InputAction::Keysym { keysym, pressed: down }
            }
            // One that went up meanwhile, by a reset, is not brought down again.
            InputEvent::KeyRepeat { keysym } if !self.held.contains(&keysym) => return Vec::new(),
            InputEvent::KeyRepeat { keysym } => InputAction::Keysym { keysym, pressed: true },
            // Keys only: another page may be dragging with a button.
            InputEvent::ResetKeyboard => {
                let held = std::mem::take(&mut self.held).into_iter();
                return held.map(|keysym| InputAction::Keysym { keysym, pressed: false }).collect();
            }
            InputEvent::Text(text) => InputAction::Text(cut(text)),
            InputEvent::PointerTo { x, y } => InputAction::PointerAbsolute { x: signed(x), y: signed(y) },
            InputEvent::PointerBy { dx, dy } => InputAction::PointerRelative { x: dx, y: dy },
            InputEvent::Button { button, down } => {
                InputAction::Button { button: number(button), pressed: down }
            }
            InputEvent::Wheel { dx, dy } => {
                InputAction::Scroll { x: dx.saturating_mul(NOTCH), y: dy.saturating_mul(NOTCH) }
            }
            InputEvent::FingerScroll { dx, dy } => {
                InputAction::Scroll { x: self.across.scroll(dx), y: self.along.scroll(dy) }
            }
            InputEvent::FingerScrollEnd => {
                (self.across, self.along) = (Rest::default(), Rest::default());
                return Vec::new();
            }
            // Gamepads have a thread of their own.
            InputEvent::Gamepad(_) | InputEvent::GamepadNeutral { .. } => return Vec::new(),
        }]
    }
}

fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn number(button: Button) -> u32 {
    match button {
        Button::Left => abi::BUTTON_LEFT,
        Button::Middle => abi::BUTTON_MIDDLE,
        Button::Right => abi::BUTTON_RIGHT,
        Button::Back => abi::BUTTON_BACK,
        Button::Forward => abi::BUTTON_FORWARD,
    }
}

/// Cuts a text to the ABI's limit, between characters.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "ä".repeat(MAX_TEXT);
        let cut = cut(long);
        assert!(cut.len() <= MAX_TEXT && cut.chars().all(|c| c == 'ä'));
    }

    #[test]
    fn wheel_clicks_are_notches() {
        let mut keys = Keys::default();
        let scroll = keys.actions(InputEvent::Wheel { dx: 0, dy: -2 });
        assert_eq!(scroll, [InputAction::Scroll { x: 0, y: -240 }]);
        assert_eq!(keys.actions(InputEvent::FingerScrollEnd), []);
    }

    #[test]
    fn parts_of_a_touchpads_step_add_up() {
        let mut keys = Keys::default();
        let mut sum = 0;
        for _ in 0..100 {
            for action in keys.actions(InputEvent::FingerScroll { dx: 0.0, dy: 0.0625 }) {
                let InputAction::Scroll { y, .. } = action else { panic!("{action:?}") };
                sum += y;
            }
        }
        assert_eq!(sum, 50, "6.25 pixels, of 15 a notch");
        keys.actions(InputEvent::FingerScroll { dx: 0.1, dy: 0.0 });
        keys.actions(InputEvent::FingerScrollEnd);
        assert_eq!((keys.across.0, keys.along.0), (0.0, 0.0), "the next touch starts anew");
    }

    #[test]
    fn a_repeat_is_a_press_of_a_key_that_is_down() {
        let mut keys = Keys::default();
        let press = [InputAction::Keysym { keysym: 64, pressed: true }];
        assert_eq!(keys.actions(InputEvent::Key { keysym: 64, down: true }), press);
        assert_eq!(keys.actions(InputEvent::KeyRepeat { keysym: 64 }), press);
        keys.actions(InputEvent::ResetKeyboard);
        assert_eq!(keys.actions(InputEvent::KeyRepeat { keysym: 64 }), []);
    }

    #[test]
    fn a_reset_releases_the_keys_that_are_held() {
        let mut keys = Keys::default();
        for (keysym, down) in [(97, true), (98, true), (97, false)] {
            keys.actions(InputEvent::Key { keysym, down });
        }
        let released = keys.actions(InputEvent::ResetKeyboard);
        assert_eq!(released, [InputAction::Keysym { keysym: 98, pressed: false }]);
        assert_eq!(keys.actions(InputEvent::ResetKeyboard), []);
    }
}
