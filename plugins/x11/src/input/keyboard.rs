//! Keys by keysym: which key to press, with which modifiers, and which one to release again.

use std::{collections::HashMap, time::Instant};

use x11rb::protocol::{xkb::GetStateReply, xproto::Keycode};

use super::{
    device::Device,
    keymap::{CONTROL, Keymap, Plan, State},
    keysym,
    scratch::Scratch,
};
use crate::error::{Result, X11Error};

/// X keycodes are evdev codes plus this, on every server that uses the "evdev" key names.
const EVDEV_OFFSET: u32 = 8;
/// Most keysyms that are remembered as down; a keyboard has no more keys.
const MAX_HELD: usize = 256;

/// What holds a key down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Keysym(u32),
    Evdev(u32),
}

/// How a key is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// The server has it down.
    Down(Keycode),
    /// It was typed at once because its modifiers differ from the user's; there is nothing left to release.
    Typed,
}

/// The keyboard.
#[derive(Debug)]
pub(super) struct Keyboard {
    map: Keymap,
    scratch: Scratch,
    held: HashMap<Name, Held>,
}

impl Keyboard {
    pub(super) fn new(device: &Device) -> Result<Self> {
        let mut keyboard = Self { map: Keymap::default(), scratch: Scratch::default(), held: HashMap::new() };
        keyboard.load(device)?;
        Ok(keyboard)
    }

    fn load(&mut self, device: &Device) -> Result<()> {
        self.map = Keymap::new(device.map()?);
        self.scratch.adopt(&self.map);
        Ok(())
    }

    fn refresh(&mut self, device: &Device) -> Result<()> {
        if device.map_changed()? { self.load(device) } else { Ok(()) }
    }

    /// Presses the key of a keysym. A repeated press of a held key is left to the server's own repeat.
    pub(super) fn press(&mut self, device: &Device, keysym: u32) -> Result<()> {
        let name = Name::Keysym(keysym);
        if matches!(self.held.get(&name), Some(Held::Down(_))) {
            return Ok(());
        }
        let state = device.state()?;
        // The state's round trip has brought the news of a changed map, if there is any.
        self.refresh(device)?;
        let now = State { mods: u16::from(state.mods) as u8, group: u8::from(state.group) };
        let plan = self.plan(device, keysym, &[], now)?;
        self.let_go(device, plan.keycode)?;
        let held = if plan.state == now {
            device.key(plan.keycode, true)?;
            Held::Down(plan.keycode)
        } else {
            // Held on, the server would repeat it with the user's modifiers, as another character.
            self.type_with(device, plan, &state)?;
            Held::Typed
        };
        self.scratch.touch(plan.keycode, Instant::now());
        if self.held.len() >= MAX_HELD {
            self.held.retain(|_, held| *held != Held::Typed);
        }
        self.held.insert(name, held);
        Ok(())
    }

    /// Releases the key that the press of this keysym pressed, whatever it would be with the modifiers of now.
    pub(super) fn release(&mut self, device: &Device, keysym: u32) -> Result<()> {
        match self.held.remove(&Name::Keysym(keysym)) {
            Some(Held::Down(keycode)) => device.key(keycode, false),
            Some(Held::Typed) => Ok(()),
            // Pressed as "a", released as "A" because Shift went down between: the same key.
            None => match self.holding(|keycode| self.map.has(keycode, keysym)) {
                Some(keycode) => self.let_go(device, keycode),
                None => Ok(()),
            },
        }
    }

    /// Presses or releases a key by its place on the keyboard.
    pub(super) fn evdev(&mut self, device: &Device, code: u32, pressed: bool) -> Result<()> {
        let keycode = code.checked_add(EVDEV_OFFSET).and_then(|code| Keycode::try_from(code).ok());
        let Some(keycode) = keycode.filter(|_| code > 0) else {
            return Err(X11Error::InvalidArgument(format!("evdev code {code}; X11 has keys for 1 to 247")));
        };
        let name = Name::Evdev(code);
        match (pressed, self.held.contains_key(&name)) {
            (true, false) => {
                self.let_go(device, keycode)?;
                device.key(keycode, true)?;
                self.held.insert(name, Held::Down(keycode));
            }
            (false, true) => {
                self.held.remove(&name);
                device.key(keycode, false)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Types a text, whatever modifiers are down; they are as before afterwards.
    pub(super) fn text(&mut self, device: &Device, text: &str) -> Result<()> {
        let mut outcome = Ok(());
        let keysyms: Vec<u32> =
            text.chars().map(keysym::of_char).filter(|keysym| *keysym != keysym::NONE).collect();
        for (index, keysym) in keysyms.iter().enumerate() {
            match self.character(device, *keysym, &keysyms[index + 1..]) {
                Err(error) if error.is_lost() => return Err(error),
                Err(error) if outcome.is_ok() => outcome = Err(error),
                _ => {}
            }
        }
        outcome
    }

    /// Types one character; `next` are those that come after it.
    fn character(&mut self, device: &Device, keysym: u32, next: &[u32]) -> Result<()> {
        let state = device.state()?;
        self.refresh(device)?;
        // Control, Alt and Super would make a shortcut of it.
        let mods = u16::from(state.mods) as u8;
        let shortcut = (CONTROL..=0x80).filter(|bit| bit.is_power_of_two());
        let shortcut = shortcut.filter(|bit| self.map.holder(*bit).is_none()).fold(0, |mask, bit| mask | bit);
        let now = State { mods: mods & !(shortcut & !self.map.locks()), group: u8::from(state.group) };
        let plan = self.plan(device, keysym, next, now)?;
        self.let_go(device, plan.keycode)?;
        self.type_with(device, plan, &state)?;
        self.scratch.touch(plan.keycode, Instant::now());
        Ok(())
    }

    /// The key and the state for a keysym. A symbol that the layout lacks is put on an unused key, together with those
    /// among `next` that it lacks too.
    fn plan(&mut self, device: &Device, keysym: u32, next: &[u32], now: State) -> Result<Plan> {
        if keysym == keysym::NONE || keysym > 0x1fff_ffff {
            return Err(X11Error::InvalidArgument(format!("{keysym:#x} is not a keysym")));
        }
        if let Some(plan) = self.map.plan(keysym, now) {
            return Ok(plan);
        }
        let mut missing = vec![keysym];
        for other in next {
            if !missing.contains(other) && self.map.plan(*other, now).is_none() {
                missing.push(*other);
            }
        }
        let held = &self.held;
        let is_held = |keycode| held.values().any(|held| *held == Held::Down(keycode));
        let (keys, wait) = self.scratch.take(&missing, is_held, Instant::now());
        if !wait.is_zero() {
            device.flush()?;
            std::thread::sleep(wait);
        }
        keys.iter().try_for_each(|(keycode, keysym)| device.bind(*keycode, *keysym))?;
        // The news of the new map lies in every application's queue before the key does, and after this in ours: it is
        // read before the map is, so that a change by others in between is not missed.
        device.sync()?;
        device.map_changed()?;
        self.load(device)?;
        self.announce(device)?;
        self.map.plan(keysym, now).ok_or_else(|| {
            X11Error::Unsupported(format!(
                "the keyboard layout has no key for keysym {keysym:#x} and no unused key is left; choose a layout that \
                 has it"
            ))
        })
    }

    /// Makes the server tell the modifiers and the group, by locking a modifier for no time. Applications that read a
    /// changed map (libxkbcommon's, such as Qt) read the modifiers with it as they are by then, which is after those of
    /// keys that they have yet to handle; this tells them what is so before these keys.
    fn announce(&self, device: &Device) -> Result<()> {
        let locked = u16::from(device.state()?.locked_mods) as u8;
        let spare = self.map.spare();
        device.lock(spare, !locked & spare)?;
        device.lock(spare, locked & spare)
    }

    /// Types a key in another state than the present one, and comes back to that.
    fn type_with(&self, device: &Device, plan: Plan, present: &GetStateReply) -> Result<()> {
        let mods = u16::from(present.mods) as u8;
        let (add, take) = (plan.state.mods & !mods, mods & !plan.state.mods);
        let locked = u16::from(present.locked_mods) as u8;
        let locks = self.map.locks();
        let affect = (add & locks) | (take & locked);
        let released = if take & !locked != 0 || take & u16::from(present.base_mods) as u8 != 0 {
            let down = device.keys_down()?;
            let is_down = |key: &Keycode| down[usize::from(key / 8)] & (1 << (key % 8)) != 0;
            (8..=255).filter(is_down).filter(|key| self.map.modifiers_of(*key) & take != 0).collect()
        } else {
            Vec::new()
        };
        let bits = (0..8).map(|bit| 1u8 << bit).filter(|bit| add & !locks & bit != 0);
        let pressed: Vec<Keycode> = bits.filter_map(|bit| self.map.holder(bit)).collect();
        let group = plan.state.group != u8::from(present.group);

        if affect != 0 {
            device.lock(affect, add & locks)?;
        }
        if group {
            let offset = i32::from(present.base_group) + i32::from(present.latched_group);
            device.lock_group((i32::from(plan.state.group) - offset).rem_euclid(4) as u8)?;
        }
        released.iter().try_for_each(|key| device.key(*key, false))?;
        pressed.iter().try_for_each(|key| device.key(*key, true))?;
        device.key(plan.keycode, true)?;
        device.key(plan.keycode, false)?;
        pressed.iter().rev().try_for_each(|key| device.key(*key, false))?;
        released.iter().rev().try_for_each(|key| device.key(*key, true))?;
        if group {
            device.lock_group(u8::from(present.locked_group))?;
        }
        if affect != 0 {
            device.lock(affect, locked & affect)?;
        }
        Ok(())
    }

    /// A key that is held and for which `matches` holds.
    fn holding(&self, matches: impl Fn(Keycode) -> bool) -> Option<Keycode> {
        self.held.values().find_map(|held| match held {
            Held::Down(keycode) if matches(*keycode) => Some(*keycode),
            _ => None,
        })
    }

    /// Releases a key that is down under another name, so that it can be pressed anew.
    fn let_go(&mut self, device: &Device, keycode: Keycode) -> Result<()> {
        let count = self.held.len();
        self.held.retain(|_, held| *held != Held::Down(keycode));
        if self.held.len() == count { Ok(()) } else { device.key(keycode, false) }
    }

    /// Releases every key that is held.
    pub(super) fn release_all(&mut self, device: &Device) -> Result<()> {
        self.held.drain().try_for_each(|(_, held)| match held {
            Held::Down(keycode) => device.key(keycode, false),
            Held::Typed => Ok(()),
        })
    }

    /// Takes the symbols from the unused keys again.
    pub(super) fn unbind(&mut self, device: &Device) -> Result<()> {
        self.scratch.bound().try_for_each(|keycode| device.bind(keycode, keysym::NONE))
    }
}
