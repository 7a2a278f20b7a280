//! Keysyms: which mean the same, and which are characters.

use xkeysym::Keysym;

/// `NoSymbol`.
pub(super) const NONE: u32 = 0;

/// One keysym for all that mean the same character: `EuroSign` (0x20ac) and Unicode 0x010020ac are one. Keysyms that
/// are keys rather than characters (0xfe00 to 0xffff: Return, the keypad, modifiers) stay as they are.
pub(super) fn canonical(keysym: u32) -> u32 {
    if is_key(keysym) {
        return keysym;
    }
    Keysym::new(keysym).key_char().map_or(keysym, of_char)
}

/// The keysym that types a character, [`NONE`] when nothing does (control characters but Return, Tab and the like).
pub(super) fn of_char(character: char) -> u32 {
    match character {
        '\n' | '\r' => xkeysym::key::Return,
        '\t' => xkeysym::key::Tab,
        '\u{8}' => xkeysym::key::BackSpace,
        '\u{1b}' => xkeysym::key::Escape,
        '\u{7f}' => xkeysym::key::Delete,
        character if character.is_control() => NONE,
        character => Keysym::from_char(character).raw(),
    }
}

/// What Caps Lock makes of a keysym where the key itself does not know Caps Lock: applications capitalise it.
pub(super) fn capital(keysym: u32) -> u32 {
    if is_key(keysym) {
        return keysym;
    }
    let Some(character) = Keysym::new(keysym).key_char() else { return keysym };
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if upper != character => of_char(upper),
        _ => keysym,
    }
}

/// True for a key of the keypad that types or moves depending on Num Lock.
pub(super) fn is_keypad(keysym: u32) -> bool {
    (xkeysym::key::KP_Space..=xkeysym::key::KP_9).contains(&keysym)
}

/// True for keysyms that are chosen with modifiers: characters, dead keys and the keypad. All others (Tab, F1, Shift_L,
/// Left) are keys as such, and the modifiers held with them are the user's.
pub(super) fn is_chosen_by_level(keysym: u32) -> bool {
    let dead = (xkeysym::key::dead_grave..=xkeysym::key::dead_longsolidusoverlay).contains(&keysym);
    is_keypad(keysym) || dead || !(is_key(keysym) || (0x1008_0000..=0x1008_ffff).contains(&keysym))
}

fn is_key(keysym: u32) -> bool {
    (0xfe00..=0xffff).contains(&keysym)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_character_are_one() {
        assert_eq!(canonical(0x20ac), canonical(0x0100_20ac));
        assert_eq!(canonical(0x0100_00e4), 0xe4);
        assert_ne!(canonical(xkeysym::key::KP_1), canonical(u32::from(b'1')));
        assert_eq!(canonical(xkeysym::key::Return), xkeysym::key::Return);
    }

    #[test]
    fn characters_and_accents_are_chosen_by_level_and_other_keys_are_not() {
        for keysym in [0x61, 0x0100_20ac, xkeysym::key::dead_acute, xkeysym::key::KP_1] {
            assert!(is_chosen_by_level(keysym), "{keysym:#x}");
        }
        for keysym in [xkeysym::key::Tab, xkeysym::key::F1, xkeysym::key::ISO_Level3_Shift, 0x1008_ff13] {
            assert!(!is_chosen_by_level(keysym), "{keysym:#x}");
        }
    }

    #[test]
    fn capitals_are_of_single_letters() {
        assert_eq!(capital(u32::from(b'a')), u32::from(b'A'));
        assert_eq!(capital(0xe4), 0xc4);
        // The capital of sharp s is two letters: Caps Lock leaves it.
        assert_eq!(capital(0xdf), 0xdf);
        assert_eq!(capital(xkeysym::key::Tab), xkeysym::key::Tab);
    }
}
