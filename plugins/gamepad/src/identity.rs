//! The gamepad that is there while nobody plays.

use selkies_plugin_sdk::{GamepadAxis, GamepadIdentity};

/// The identity that Selkies' interposer shows, a Microsoft X-Box 360 pad: codes of linux/input-event-codes.h.
pub(crate) fn xbox360() -> GamepadIdentity {
    let stick = |code| GamepadAxis {
        code,
        minimum: -32767,
        maximum: 32767,
        rest: 0,
        fuzz: 16,
        flat: 128,
        resolution: 1,
    };
    let trigger = |code| GamepadAxis { rest: -32767, ..stick(code) };
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
