//! What programs let gamepads do, on its way to the player.

use super::{Action, Session, send};
use crate::wire::{ServerMessage, SystemAction};

impl Session {
    /// Tells the client that drives the pad: `system,{"action":"rumble,<slot>,<heavy>,<light>,<ms>"}`, motors from 0 to 1
    /// (Selkies 2.1.0, input_handler.py, `_relay_rumble`). Nobody drives it: nobody is told.
    pub(super) fn rumble(&self, slot: u8, motors: [u16; 2], duration_ms: u32, out: &mut Vec<Action>) {
        let Some(client) = self.held.player(slot) else { return };
        let [strong, weak] = motors.map(|motor| f64::from(motor) / f64::from(u16::MAX));
        let action = format!("rumble,{slot},{strong:.3},{weak:.3},{duration_ms}");
        send(vec![client], &ServerMessage::System(SystemAction { action }), out);
    }
}
