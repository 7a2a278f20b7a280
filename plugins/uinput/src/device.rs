//! One device of the kernel, and the effects that programs upload to it.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, sync::Arc, time::Instant};

use evdev::{
    AbsInfo, AbsoluteAxisCode, AttributeSet, BusType, EventSummary, FFEffectCode, FFEffectKind, InputEvent,
    InputId, KeyCode, UInputCode, UinputAbsSetup, uinput::VirtualDevice,
};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use selkies_gamepad_support::{Mixer, Motors, Record};
use selkies_plugin_sdk::{GamepadChange, GamepadIdentity};

/// `EV_KEY` and `EV_ABS` of linux/input-event-codes.h.
const EV_KEY: u16 = 1;
const EV_ABS: u16 = 3;

/// Effects that programs may upload, as Linux' drivers of such gamepads have.
const EFFECTS: u32 = 16;
/// What the kernel calls all programs together.
const EVERYBODY: u64 = 0;

/// An effect that a program uploaded.
#[derive(Clone, Copy, Debug)]
struct Effect {
    strong: u16,
    weak: u16,
    length_ms: u16,
    delay_ms: u16,
}

/// A gamepad.
#[derive(Debug)]
pub(crate) struct Device {
    device: VirtualDevice,
    /// The same, for polling without the lock.
    handle: Arc<OwnedFd>,
    identity: GamepadIdentity,
    effects: BTreeMap<u16, Effect>,
    mixer: Mixer,
}

impl Device {
    /// Makes it; programs see it from now on.
    pub(crate) fn new(identity: GamepadIdentity) -> io::Result<Self> {
        let keys: AttributeSet<KeyCode> = identity.buttons.iter().map(|&code| KeyCode(code)).collect();
        // uinput names have 80 bytes with their end; the crate panics beyond 78.
        let name = &identity.name[..identity.name.floor_char_boundary(78)];
        let id = InputId::new(BusType(identity.bus), identity.vendor, identity.product, identity.version);
        let mut builder = VirtualDevice::builder()?.name(name).input_id(id).with_keys(&keys)?;
        for axis in &identity.axes {
            let info =
                AbsInfo::new(axis.rest, axis.minimum, axis.maximum, axis.fuzz, axis.flat, axis.resolution);
            builder = builder.with_absolute_axis(&UinputAbsSetup::new(AbsoluteAxisCode(axis.code), info))?;
        }
        if identity.rumbles {
            let effects = [
                FFEffectCode::FF_RUMBLE,
                FFEffectCode::FF_PERIODIC,
                FFEffectCode::FF_SQUARE,
                FFEffectCode::FF_TRIANGLE,
                FFEffectCode::FF_SINE,
                FFEffectCode::FF_GAIN,
            ];
            builder = builder.with_ff(&AttributeSet::from_iter(effects))?.with_ff_effects_max(EFFECTS);
        }
        let device = builder.build()?;
        fcntl_setfl(&device, fcntl_getfl(&device)? | OFlags::NONBLOCK)?;
        let handle = Arc::new(rustix::io::fcntl_dupfd_cloexec(&device, 0)?);
        Ok(Self { device, handle, identity, effects: BTreeMap::new(), mixer: Mixer::default() })
    }

    pub(crate) fn identity(&self) -> &GamepadIdentity {
        &self.identity
    }

    pub(crate) fn handle(&self) -> Arc<OwnedFd> {
        self.handle.clone()
    }

    /// Applies changes; the kernel leaves out what is as it was.
    pub(crate) fn play(&mut self, changes: impl IntoIterator<Item = GamepadChange>) -> io::Result<()> {
        for change in changes {
            let events = events(&self.identity, change);
            if !events.is_empty() {
                self.device.emit(&events)?;
            }
        }
        Ok(())
    }

    /// Reads what programs ask for; the kernel holds them until they are answered.
    pub(crate) fn hear(&mut self, now: Instant) -> io::Result<()> {
        let events: Vec<InputEvent> = match self.device.fetch_events() {
            Ok(events) => events.collect(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        for event in events {
            match event.destructure() {
                EventSummary::UInput(event, UInputCode::UI_FF_UPLOAD, _) => {
                    let upload = self.device.process_ff_upload(event)?;
                    let (id, effect) = (upload.effect_id(), upload.effect());
                    // The program goes on.
                    drop(upload);
                    let (length_ms, delay_ms) = (effect.replay.length, effect.replay.delay);
                    let (strong, weak) = motors(effect.kind);
                    if let Ok(id) = u16::try_from(id) {
                        self.effects.insert(id, Effect { strong, weak, length_ms, delay_ms });
                    }
                }
                EventSummary::UInput(event, UInputCode::UI_FF_ERASE, _) => {
                    let erased = self.device.process_ff_erase(event)?.effect_id();
                    if let Ok(effect) = u16::try_from(erased) {
                        self.effects.remove(&effect);
                        self.mixer.take(EVERYBODY, Record::Stop { effect }, now);
                    }
                }
                EventSummary::ForceFeedback(_, FFEffectCode::FF_GAIN, gain) => {
                    self.mixer.take(EVERYBODY, Record::Gain(clamped(gain)), now);
                }
                EventSummary::ForceFeedback(_, FFEffectCode(effect), count) => {
                    if let Some(&Effect { strong, weak, length_ms, delay_ms }) = self.effects.get(&effect) {
                        let count = clamped(count);
                        let play = Record::Play { effect, strong, weak, length_ms, delay_ms, count };
                        self.mixer.take(EVERYBODY, play, now);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the motors are to do now, if that is new.
    pub(crate) fn mix(&mut self, now: Instant) -> Option<Motors> {
        self.mixer.mix(now)
    }

    /// When there may be something to tell without an event.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.mixer.deadline(now)
    }
}

fn clamped(value: i32) -> u16 {
    u16::try_from(value.clamp(0, i32::from(u16::MAX))).unwrap_or(u16::MAX)
}

/// Heavy and light motor of an effect; waves are for both, as the kernel has it for such devices (ff-memless.c).
fn motors(kind: FFEffectKind) -> (u16, u16) {
    match kind {
        FFEffectKind::Rumble { strong_magnitude, weak_magnitude } => (strong_magnitude, weak_magnitude),
        FFEffectKind::Periodic { magnitude, .. } => {
            let both = magnitude.unsigned_abs().saturating_mul(2);
            (both, both)
        }
        _ => (0, 0),
    }
}

/// A change in the words of the kernel.
fn events(identity: &GamepadIdentity, change: GamepadChange) -> Vec<InputEvent> {
    let key = |code: &u16, pressed| InputEvent::new(EV_KEY, *code, i32::from(pressed));
    match change {
        GamepadChange::Button { index, pressed } => {
            identity.buttons.get(usize::from(index)).map(|code| key(code, pressed)).into_iter().collect()
        }
        GamepadChange::Axis { index, value } => {
            let axis = identity.axes.get(usize::from(index));
            axis.map(|axis| InputEvent::new(EV_ABS, axis.code, value.clamp(axis.minimum, axis.maximum)))
                .into_iter()
                .collect()
        }
        GamepadChange::Rest => {
            let released = identity.buttons.iter().map(|code| key(code, false));
            let rested = identity.axes.iter().map(|axis| InputEvent::new(EV_ABS, axis.code, axis.rest));
            released.chain(rested).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use selkies_plugin_sdk::GamepadAxis;

    use super::*;

    #[test]
    fn changes_are_what_the_kernel_calls_them() {
        let axis =
            GamepadAxis { code: 2, minimum: -9, maximum: 9, rest: -9, fuzz: 0, flat: 0, resolution: 0 };
        let identity = GamepadIdentity {
            name: "pad".into(),
            bus: 3,
            vendor: 1,
            product: 2,
            version: 3,
            buttons: vec![0x130],
            axes: vec![axis],
            rumbles: true,
        };
        let words = |change| -> Vec<_> {
            let events = events(&identity, change);
            events.iter().map(|event| (event.event_type().0, event.code(), event.value())).collect()
        };
        assert_eq!(words(GamepadChange::Button { index: 0, pressed: true }), [(1, 0x130, 1)]);
        assert_eq!(words(GamepadChange::Button { index: 1, pressed: true }), []);
        assert_eq!(words(GamepadChange::Axis { index: 0, value: 70 }), [(3, 2, 9)]);
        assert_eq!(words(GamepadChange::Rest), [(1, 0x130, 0), (3, 2, -9)]);
        assert_eq!([clamped(-1), clamped(7), clamped(70_000)], [0, 7, 65_535]);
    }

    #[test]
    fn waves_are_for_both_motors() {
        let rumble = FFEffectKind::Rumble { strong_magnitude: 3, weak_magnitude: 4 };
        assert_eq!(motors(rumble), (3, 4));
        let envelope = evdev::FFEnvelope { attack_length: 0, attack_level: 0, fade_length: 0, fade_level: 0 };
        let wave = |magnitude| FFEffectKind::Periodic {
            waveform: evdev::FFWaveform::Sine,
            period: 9,
            magnitude,
            offset: 0,
            phase: 0,
            envelope,
        };
        assert_eq!([motors(wave(-100)), motors(wave(i16::MIN))], [(200, 200), (65_535, 65_535)]);
        assert_eq!(motors(FFEffectKind::Damper), (0, 0));
    }
}
