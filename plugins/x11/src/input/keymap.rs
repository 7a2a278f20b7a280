//! The keyboard's map as XKB has it: which key types a keysym, with which modifiers.
//!
//! XKB protocol, chapters 12 and 15: a key has groups, a group has a type, the type says which modifiers choose which
//! level. A plan is found by trying the states that a key knows and asking what an application would see.

use std::collections::HashMap;

use x11rb::protocol::{
    xkb::{GetMapReply, KeyType},
    xproto::Keycode,
};

use super::keysym::{self, canonical};

/// Shift, as a bit of a modifier mask.
pub(super) const SHIFT: u8 = 1;
/// Caps Lock.
pub(super) const LOCK: u8 = 2;
/// Control.
pub(super) const CONTROL: u8 = 4;

/// Modifiers and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) mods: u8,
    pub(super) group: u8,
}

/// A key and the state in which it types what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) keycode: Keycode,
    pub(super) state: State,
}

#[derive(Debug, Default)]
struct Key {
    group_info: u8,
    width: u8,
    types: [u8; 4],
    symbols: Vec<u32>,
}

/// The map.
#[derive(Debug, Default)]
pub(super) struct Keymap {
    types: Vec<KeyType>,
    keys: HashMap<Keycode, Key>,
    /// Keys by canonical keysym, each once, in the order of levels and keycodes.
    by_keysym: HashMap<u32, Vec<Keycode>>,
    /// Real modifiers of keys.
    modifiers: HashMap<Keycode, u8>,
    /// A key that holds each modifier while it is down.
    holders: [Option<Keycode>; 8],
    /// Modifiers that a key locks (Caps Lock, Num Lock); XKB can set them without a key.
    locks: u8,
    unused: Vec<Keycode>,
}

impl Keymap {
    pub(super) fn new(reply: GetMapReply) -> Self {
        let mut map = Self { types: reply.map.types_rtrn.unwrap_or_default(), ..Self::default() };
        for entry in reply.map.modmap_rtrn.unwrap_or_default() {
            map.modifiers.insert(entry.keycode, u16::from(entry.mods) as u8);
        }
        let mut places: HashMap<u32, Vec<(usize, Keycode)>> = HashMap::new();
        for (keycode, key) in
            (reply.first_key_sym..=reply.max_key_code).zip(reply.map.syms_rtrn.unwrap_or_default())
        {
            if key.syms.iter().all(|symbol| *symbol == keysym::NONE) {
                // Keycode 8 is evdev's code 0, which Wayland's X server and libinput call no key.
                if !map.modifiers.contains_key(&keycode) && keycode > 8 {
                    map.unused.push(keycode);
                }
                continue;
            }
            for (place, symbol) in key.syms.iter().enumerate().filter(|(_, symbol)| **symbol != keysym::NONE)
            {
                places.entry(canonical(*symbol)).or_default().push((place, keycode));
            }
            let (group_info, width, types, symbols) = (key.group_info, key.width, key.kt_index, key.syms);
            map.keys.insert(keycode, Key { group_info, width, types, symbols });
        }
        for (symbol, mut list) in places {
            list.sort_unstable();
            let mut keycodes: Vec<Keycode> = Vec::with_capacity(list.len());
            for (_, keycode) in list {
                if !keycodes.contains(&keycode) {
                    keycodes.push(keycode);
                }
            }
            map.by_keysym.insert(symbol, keycodes);
        }
        map.find_holders();
        map
    }

    fn find_holders(&mut self) {
        use xkeysym::key;
        const HELD: [u32; 4] = [key::Shift_L, key::Shift_R, key::ISO_Level3_Shift, key::ISO_Level5_Shift];
        let mut sorted: Vec<(Keycode, u8)> = self.modifiers.iter().map(|(key, mods)| (*key, *mods)).collect();
        sorted.sort_unstable();
        for (keycode, mods) in sorted {
            let first =
                self.keys.get(&keycode).and_then(|key| key.symbols.first()).copied().unwrap_or_default();
            if [key::Caps_Lock, key::Shift_Lock, key::Num_Lock].contains(&first) {
                self.locks |= mods;
            }
            if HELD.contains(&first) && mods.count_ones() == 1 {
                self.holders[mods.trailing_zeros() as usize].get_or_insert(keycode);
            }
        }
    }

    /// Keys without any symbol.
    pub(super) fn unused(&self) -> &[Keycode] {
        &self.unused
    }

    /// The first symbol of a key, [`keysym::NONE`] when it has none.
    pub(super) fn first_symbol(&self, keycode: Keycode) -> u32 {
        self.keys.get(&keycode).and_then(|key| key.symbols.first()).copied().unwrap_or(keysym::NONE)
    }

    /// True when some level of the key has this keysym.
    pub(super) fn has(&self, keycode: Keycode, keysym: u32) -> bool {
        let wanted = canonical(keysym);
        self.keys
            .get(&keycode)
            .is_some_and(|key| key.symbols.iter().any(|symbol| canonical(*symbol) == wanted))
    }

    /// The real modifiers of a key.
    pub(super) fn modifiers_of(&self, keycode: Keycode) -> u8 {
        self.modifiers.get(&keycode).copied().unwrap_or(0)
    }

    /// The key that holds one modifier (a single bit) while it is down.
    pub(super) fn holder(&self, bit: u8) -> Option<Keycode> {
        self.holders.get(bit.trailing_zeros() as usize).copied().flatten()
    }

    /// Modifiers that are locked rather than held.
    pub(super) fn locks(&self) -> u8 {
        self.locks
    }

    /// A modifier that no key has, or one that hardly any layout uses.
    pub(super) fn spare(&self) -> u8 {
        const MOD3: u8 = 0x20;
        let used = self.modifiers.values().fold(0, |used, mods| used | mods);
        [MOD3, 0x80, 0x40].into_iter().find(|bit| used & bit == 0).unwrap_or(MOD3)
    }

    /// The key for a keysym and the state it needs, nearest to `now`. `None` when no key types it.
    pub(super) fn plan(&self, keysym: u32, now: State) -> Option<Plan> {
        let wanted = canonical(keysym);
        let candidates = self.by_keysym.get(&wanted)?;
        if !keysym::is_chosen_by_level(keysym) {
            let keycode = *candidates.first()?;
            if canonical(self.first_symbol(keycode)) == wanted || self.sees(keycode, now) == wanted {
                return Some(Plan { keycode, state: now });
            }
        }
        let mut best: Option<(u32, Plan)> = None;
        for &keycode in candidates {
            for state in self.states(keycode, now) {
                if self.sees(keycode, state) != wanted || !self.can_reach(now.mods, state.mods) {
                    continue;
                }
                let group = u32::from(state.group != now.group) * 10;
                // Shift on a keypad key selects text in editors; Num Lock does not.
                let keypad_shift =
                    u32::from(keysym::is_keypad(keysym) && state.mods & !now.mods & SHIFT != 0);
                let cost = ((state.mods ^ now.mods).count_ones() + group) * 2 + keypad_shift;
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, Plan { keycode, state }));
                }
            }
        }
        best.map(|(_, plan)| plan)
    }

    /// The states worth trying for a key: each that its types name, in each group, with and without Caps Lock.
    fn states(&self, keycode: Keycode, now: State) -> Vec<State> {
        let groups = self.keys.get(&keycode).map_or(0, |key| key.group_info & 0x0f).min(4);
        let others = (0..groups).filter(|group| *group != now.group);
        let mut states = Vec::new();
        for group in std::iter::once(now.group).chain(others) {
            states.push(State { group, ..now });
            let Some(kind) = self.kind(keycode, group) else { continue };
            let mask = u16::from(kind.mods_mask) as u8;
            let chosen =
                kind.map.iter().filter(|entry| entry.active).map(|entry| u16::from(entry.mods_mask) as u8);
            for mods in std::iter::once(0).chain(chosen) {
                states.push(State { mods: (now.mods & !mask) | mods, group });
                states.push(State { mods: ((now.mods & !mask) | mods) & !LOCK, group });
            }
        }
        states
    }

    /// True when only modifiers change that choose levels and can be changed. Control, Alt and Super are the user's.
    fn can_reach(&self, now: u8, then: u8) -> bool {
        let levels = (0..8).map(|bit| 1u8 << bit).filter(|bit| self.holder(*bit).is_some());
        let movable = levels.fold(self.locks, |mask, bit| mask | bit) & !CONTROL;
        (now ^ then) & !movable == 0
    }

    fn kind(&self, keycode: Keycode, group: u8) -> Option<&KeyType> {
        let key = self.keys.get(&keycode)?;
        self.types.get(usize::from(key.types[usize::from(effective_group(key.group_info, group)?)]))
    }

    /// The canonical keysym that an application gets from a key in a state.
    fn sees(&self, keycode: Keycode, state: State) -> u32 {
        let Some(key) = self.keys.get(&keycode) else { return keysym::NONE };
        let Some(group) = effective_group(key.group_info, state.group) else { return keysym::NONE };
        let Some(kind) = self.kind(keycode, state.group) else { return keysym::NONE };
        let mask = u16::from(kind.mods_mask) as u8;
        let matching = kind
            .map
            .iter()
            .position(|entry| entry.active && u16::from(entry.mods_mask) as u8 == state.mods & mask);
        let level = matching.map_or(0, |index| kind.map[index].level);
        let preserved = matching
            .and_then(|index| kind.preserve.get(index))
            .map_or(0, |preserve| u16::from(preserve.mask) as u8);
        let place = usize::from(group) * usize::from(key.width) + usize::from(level);
        let symbol = key.symbols.get(place).copied().unwrap_or(keysym::NONE);
        let consumed = mask & !preserved;
        let caps = state.mods & LOCK != 0 && consumed & LOCK == 0;
        canonical(if caps { keysym::capital(symbol) } else { symbol })
    }
}

/// The group that a key uses when the keyboard's group is `group` (XKB protocol, 5.3.1: wrap, clamp or redirect).
fn effective_group(group_info: u8, group: u8) -> Option<u8> {
    let count = (group_info & 0x0f).min(4);
    if count == 0 {
        return None;
    }
    Some(match group_info & 0xc0 {
        _ if group < count => group,
        0x40 => count - 1,
        0x80 => Some((group_info >> 4) & 3).filter(|redirected| *redirected < count).unwrap_or(0),
        _ => group % count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_out_of_range_wrap_clamp_or_redirect() {
        assert_eq!(effective_group(0, 0), None);
        assert_eq!(effective_group(2, 1), Some(1));
        assert_eq!(effective_group(2, 3), Some(1));
        assert_eq!(effective_group(0x42, 3), Some(1));
        assert_eq!(effective_group(0x80 | 0x10 | 2, 3), Some(1));
        assert_eq!(effective_group(0x80 | 0x30 | 2, 3), Some(0));
    }
}
