//! The pointer: motion, buttons and the wheel.

use super::device::Device;
use crate::error::Result;

/// Wheel units of one notch.
const NOTCH: i32 = 120;
/// Most notches of one event; more is a broken client.
const MAX_NOTCHES: i32 = 64;

/// The pointer's buttons that are down, and what is left of a notch.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    /// Bit n: button n.
    down: u16,
    across: Axis,
    along: Axis,
}

/// One direction of the wheel.
#[derive(Debug, Default)]
struct Axis {
    rest: i32,
}

impl Axis {
    /// Whole notches after another `units`; what is left waits for more, unless the wheel turns back.
    fn turn(&mut self, units: i32) -> i32 {
        if units != 0 && self.rest.signum() == -units.signum() {
            self.rest = 0;
        }
        let sum = self.rest.saturating_add(units);
        self.rest = sum % NOTCH;
        (sum / NOTCH).clamp(-MAX_NOTCHES, MAX_NOTCHES)
    }
}

impl Pointer {
    pub(super) fn move_to(&mut self, device: &Device, x: i32, y: i32) -> Result<()> {
        let pixel = |value: i32| value.clamp(0, i16::MAX.into()) as i16;
        device.motion(false, pixel(x), pixel(y))
    }

    pub(super) fn move_by(&mut self, device: &Device, dx: i32, dy: i32) -> Result<()> {
        let units = |value: i32| value.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        device.motion(true, units(dx), units(dy))
    }

    /// Presses or releases a button; a repeated press and a release without a press are nothing.
    pub(super) fn button(&mut self, device: &Device, number: u8, pressed: bool) -> Result<()> {
        let bit = 1 << number;
        if (self.down & bit != 0) == pressed {
            return Ok(());
        }
        self.down ^= bit;
        device.button(number, pressed)
    }

    /// Turns the wheel, in 1/120 of a notch to the right and down. X11 has buttons for it: 4 up, 5 down, 6 left, 7 right.
    pub(super) fn scroll(&mut self, device: &Device, dx: i32, dy: i32) -> Result<()> {
        let down = self.along.turn(dy);
        let right = self.across.turn(dx);
        click(device, if down < 0 { 4 } else { 5 }, down)?;
        click(device, if right < 0 { 6 } else { 7 }, right)
    }

    pub(super) fn release_all(&mut self, device: &Device) -> Result<()> {
        (1..16).try_for_each(|number| self.button(device, number, false))
    }
}

fn click(device: &Device, button: u8, times: i32) -> Result<()> {
    for _ in 0..times.unsigned_abs() {
        device.button(button, true)?;
        device.button(button, false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_notch_add_up_and_a_turn_back_starts_anew() {
        let mut axis = Axis::default();
        assert_eq!((axis.turn(50), axis.turn(50), axis.turn(50)), (0, 0, 1));
        assert_eq!((axis.turn(-90), axis.turn(-30)), (0, -1));
        assert_eq!(axis.turn(360), 3);
        assert_eq!(axis.turn(i32::MAX), MAX_NOTCHES);
        assert_eq!(axis.turn(i32::MIN), -MAX_NOTCHES);
    }
}
