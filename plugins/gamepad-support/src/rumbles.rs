//! What programs let gamepads do, until the host asks: the newest per slot.

use selkies_plugin_sdk::GamepadRumble;

/// Rumbles that wait.
#[derive(Debug, Default)]
pub struct Rumbles {
    newest: [Option<GamepadRumble>; 4],
}

impl Rumbles {
    /// Takes the place of what waits for the same slot.
    pub fn put(&mut self, rumble: GamepadRumble) {
        if let Some(place) = self.newest.get_mut(usize::from(rumble.slot)) {
            *place = Some(rumble);
        }
    }

    /// The next one.
    pub fn take(&mut self) -> Option<GamepadRumble> {
        self.newest.iter_mut().find_map(Option::take)
    }
}
