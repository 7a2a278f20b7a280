//! From the W3C's standard gamepad to the pad that programs see, a Microsoft X-Box 360 pad.

use selkies_plugin_host::{GamepadAxis, GamepadChange, GamepadIdentity};

/// Greatest value of sticks and triggers.
const GREATEST: i32 = 32767;
/// From here on a button that has a range counts as pressed.
const PRESSED: f64 = 0.5;

/// Axes of the pad.
const TRIGGER_LEFT: u16 = 2;
const TRIGGER_RIGHT: u16 = 5;
const HAT_X: u16 = 6;
const HAT_Y: u16 = 7;

/// Buttons 12 to 15 of the standard: up, down, left, right.
const FIRST_OF_CROSS: u8 = 12;

/// What the pad is. Selkies' interposer and games know it by these numbers; codes of linux/input-event-codes.h.
pub(super) fn identity() -> GamepadIdentity {
    let stick = |code| GamepadAxis {
        code,
        minimum: -GREATEST,
        maximum: GREATEST,
        rest: 0,
        fuzz: 16,
        flat: 128,
        resolution: 1,
    };
    let trigger = |code| GamepadAxis { rest: -GREATEST, ..stick(code) };
    let hat = |code| GamepadAxis { minimum: -1, maximum: 1, fuzz: 0, flat: 0, ..stick(code) };
    GamepadIdentity {
        name: "Microsoft X-Box 360 pad".into(),
        bus: 3,
        vendor: 0x045e,
        product: 0x028e,
        version: 0x0114,
        // A B X Y TL TR SELECT START MODE THUMBL THUMBR
        buttons: vec![0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13a, 0x13b, 0x13c, 0x13d, 0x13e],
        // X Y Z RX RY RZ HAT0X HAT0Y
        axes: vec![stick(0), stick(1), trigger(2), stick(3), stick(4), trigger(5), hat(16), hat(17)],
        rumbles: true,
    }
}

/// A pad's cross, of which two buttons make an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cross([bool; 4]);

impl Cross {
    /// A button of the standard, 0 to 1, as a change of the pad; `None` for one that the pad does not have.
    pub(super) fn button(&mut self, index: u8, value: f64) -> Option<GamepadChange> {
        let pressed = value >= PRESSED;
        let button = |index| Some(GamepadChange::Button { index, pressed });
        match index {
            0..=5 => button(index.into()),
            6 => Some(GamepadChange::Axis { index: TRIGGER_LEFT, value: trigger(value) }),
            7 => Some(GamepadChange::Axis { index: TRIGGER_RIGHT, value: trigger(value) }),
            8 | 9 => button(u16::from(index) - 2),
            10 | 11 => button(u16::from(index) - 1),
            12..=15 => {
                self.0[usize::from(index - FIRST_OF_CROSS)] = pressed;
                let [up, down, left, right] = self.0.map(i32::from);
                Some(if index < 14 {
                    GamepadChange::Axis { index: HAT_Y, value: down - up }
                } else {
                    GamepadChange::Axis { index: HAT_X, value: right - left }
                })
            }
            16 => button(8),
            _ => None,
        }
    }
}

/// An axis of the standard, -1 to 1: the two sticks.
pub(super) fn axis(index: u8, value: f64) -> Option<GamepadChange> {
    let index = match index {
        0 | 1 => index.into(),
        2 | 3 => u16::from(index) + 1,
        _ => return None,
    };
    Some(GamepadChange::Axis { index, value: scaled(value) })
}

/// A trigger goes from one end of its axis to the other.
fn trigger(value: f64) -> i32 {
    scaled(value * 2.0 - 1.0)
}

fn scaled(value: f64) -> i32 {
    // What is no number is rest; the cast saturates.
    (if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) } * f64::from(GREATEST)).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button(index: u16, pressed: bool) -> Option<GamepadChange> {
        Some(GamepadChange::Button { index, pressed })
    }

    fn at(index: u16, value: i32) -> Option<GamepadChange> {
        Some(GamepadChange::Axis { index, value })
    }

    #[test]
    fn every_button_of_the_standard_has_its_place() {
        let mut cross = Cross::default();
        let mut press = |index| cross.button(index, 1.0);
        let places =
            [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (8, 6), (9, 7), (10, 9), (11, 10), (16, 8)];
        for (standard, place) in places {
            assert_eq!(press(standard), button(place, true), "{standard}");
        }
        assert_eq!([press(6), press(7)], [at(2, 32767), at(5, 32767)]);
        assert_eq!([press(17), press(127)], [None, None]);
        assert_eq!(cross.button(4, 0.49), button(4, false));
        assert_eq!(cross.button(6, 0.0), at(2, -32767));
        assert_eq!(cross.button(7, 0.5), at(5, 0));
        assert_eq!(identity().buttons.len(), 11);
    }

    #[test]
    fn opposite_directions_of_the_cross_cancel() {
        let mut cross = Cross::default();
        assert_eq!(cross.button(12, 1.0), at(7, -1));
        assert_eq!(cross.button(13, 1.0), at(7, 0));
        assert_eq!(cross.button(12, 0.0), at(7, 1));
        assert_eq!(cross.button(15, 1.0), at(6, 1));
        assert_eq!(cross.button(14, 1.0), at(6, 0));
    }

    #[test]
    fn sticks_are_scaled_and_nonsense_is_rest() {
        assert_eq!([axis(0, -1.0), axis(1, 1.0), axis(2, 0.5)], [at(0, -32767), at(1, 32767), at(3, 16384)]);
        assert_eq!(axis(3, f64::NAN), at(4, 0));
        assert_eq!(axis(3, 7.0), at(4, 32767));
        assert_eq!(axis(4, 1.0), None);
    }
}
