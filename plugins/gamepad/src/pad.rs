//! What a gamepad is and how it stands.

use selkies_plugin_sdk::{GamepadChange, GamepadIdentity};

use crate::wire::Change;

/// A gamepad with the state of its buttons and axes.
#[derive(Debug)]
pub(crate) struct Pad {
    identity: GamepadIdentity,
    buttons: Vec<bool>,
    axes: Vec<i32>,
}

impl Pad {
    /// A gamepad at rest.
    pub(crate) fn new(identity: GamepadIdentity) -> Self {
        let axes = identity.axes.iter().map(|axis| axis.rest).collect();
        Self { buttons: vec![false; identity.buttons.len()], axes, identity }
    }

    pub(crate) fn identity(&self) -> &GamepadIdentity {
        &self.identity
    }

    /// Applies a change. Answers what is different now, as the kernel reports nothing that stays as it was.
    pub(crate) fn apply(&mut self, change: GamepadChange) -> Vec<Change> {
        match change {
            GamepadChange::Button { index, pressed } => {
                self.button(index.into(), pressed).into_iter().collect()
            }
            GamepadChange::Axis { index, value } => self.axis(index.into(), value).into_iter().collect(),
            GamepadChange::Rest => {
                let mut changes: Vec<_> =
                    (0..self.buttons.len()).filter_map(|index| self.button(index, false)).collect();
                let rests: Vec<_> = self.identity.axes.iter().map(|axis| axis.rest).enumerate().collect();
                changes.extend(rests.into_iter().filter_map(|(index, rest)| self.axis(index, rest)));
                changes
            }
        }
    }

    /// Everything as it is.
    pub(crate) fn state(&self) -> Vec<Change> {
        let buttons = (0..self.buttons.len()).filter_map(|index| self.button_change(index));
        buttons.chain((0..self.axes.len()).filter_map(|index| self.axis_change(index))).collect()
    }

    fn button(&mut self, index: usize, pressed: bool) -> Option<Change> {
        let before = std::mem::replace(self.buttons.get_mut(index)?, pressed);
        (before != pressed).then(|| self.button_change(index)).flatten()
    }

    fn axis(&mut self, index: usize, value: i32) -> Option<Change> {
        let range = self.identity.axes.get(index)?;
        let value = value.clamp(range.minimum, range.maximum);
        let before = std::mem::replace(self.axes.get_mut(index)?, value);
        (before != value).then(|| self.axis_change(index)).flatten()
    }

    fn button_change(&self, index: usize) -> Option<Change> {
        let (&pressed, &code) = self.buttons.get(index).zip(self.identity.buttons.get(index))?;
        // Joysticks number their buttons with one byte.
        Some(Change::Button { number: u8::try_from(index).ok()?, code, pressed })
    }

    fn axis_change(&self, index: usize) -> Option<Change> {
        let (&value, axis) = self.axes.get(index).zip(self.identity.axes.get(index))?;
        let range = (axis.minimum, axis.maximum);
        Some(Change::Axis { number: u8::try_from(index).ok()?, code: axis.code, value, range })
    }
}
