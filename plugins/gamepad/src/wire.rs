//! What goes over the sockets.
//!
//! A connection begins with [`CONFIG_BYTES`] bytes from here, Selkies' `js_config_t`; the interposer answers one byte, the
//! size of a `long` in its process. From then on go, in the byte order of this machine, `struct js_event` or `struct
//! input_event`. What a program lets the gamepad do comes on the socket of its event device, in records of
//! [`RECORD_BYTES`] bytes (Selkies 2.1.0, input_handler.py, FF_RECORD_FMT):
//!
//! | bytes | is |
//! |---|---|
//! | 0 | 1 an effect plays, 2 it ends, 3 how strong all are |
//! | 2, 3 | number of the effect |
//! | 4, 5 | the heavy motor, 0 to 65535 |
//! | 6, 7 | the light motor |
//! | 8, 9 | milliseconds; 0: until it is ended |
//! | 10, 11 | milliseconds before it begins |
//! | 12, 13 | how often it plays; of 3: the strength, 65535 for all |

use selkies_gamepad_support::Record;
use selkies_plugin_sdk::GamepadIdentity;

/// Bytes of `js_config_t`.
pub const CONFIG_BYTES: usize = 1360;
/// Bytes of a record from the interposer.
pub const RECORD_BYTES: usize = 16;

/// `EV_SYN`, `EV_KEY` and `EV_ABS` of linux/input-event-codes.h.
const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const EV_ABS: u16 = 3;

/// `JS_EVENT_BUTTON`, `JS_EVENT_AXIS` and `JS_EVENT_INIT` of linux/joystick.h.
const JS_BUTTON: u8 = 1;
const JS_AXIS: u8 = 2;
const JS_INIT: u8 = 0x80;

/// Greatest value of an axis of a joystick, as the kernel's joydev scales.
const JS_GREATEST: i64 = 32767;

/// `js_config_t` of a gamepad: `char name[255]; u16 vendor, product, version, num_btns, num_axes; u16 btn_map[512];
/// u8 axes_map[64]`, as C lays it out.
pub(crate) fn config(identity: &GamepadIdentity) -> Vec<u8> {
    let mut bytes = vec![0; CONFIG_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let name = &identity.name.as_bytes()[..identity.name.len().min(254)];
    put(0, name);
    let count = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
    let (buttons, axes) = (&identity.buttons, &identity.axes);
    let numbers = [
        identity.vendor,
        identity.product,
        identity.version,
        count(buttons.len().min(512)),
        count(axes.len().min(64)),
    ];
    for (at, number) in (256..).step_by(2).zip(numbers) {
        put(at, &number.to_ne_bytes());
    }
    for (at, code) in (266..1290).step_by(2).zip(buttons) {
        put(at, &code.to_ne_bytes());
    }
    for (at, axis) in (1290..1354).zip(axes) {
        put(at, &[axis.code.to_ne_bytes()[usize::from(cfg!(target_endian = "big"))]]);
    }
    bytes
}

/// Which events a connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `struct js_event`, 8 bytes.
    Joystick,
    /// `struct input_event` of a 64-bit program, 24 bytes.
    Event64,
    /// `struct input_event` of a 32-bit program, 16 bytes.
    Event32,
}

/// A change, with all that either form wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Button { number: u8, code: u16, pressed: bool },
    Axis { number: u8, code: u16, value: i32, range: (i32, i32) },
}

/// When something happened: since 1970 and since some start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) micros: i64,
    pub(crate) millis: u32,
}

/// Appends a change, of the state that a program begins with (`initial`) or of now.
pub(crate) fn append(form: Form, change: Change, initial: bool, at: Moment, out: &mut Vec<u8>) {
    match form {
        Form::Joystick => {
            let (value, kind, number) = match change {
                Change::Button { number, pressed, .. } => (i16::from(pressed), JS_BUTTON, number),
                Change::Axis { number, value, range, .. } => (scaled(value, range), JS_AXIS, number),
            };
            out.extend(at.millis.to_ne_bytes());
            out.extend(value.to_ne_bytes());
            out.extend([kind | if initial { JS_INIT } else { 0 }, number]);
        }
        Form::Event64 | Form::Event32 => {
            let (kind, code, value) = match change {
                Change::Button { code, pressed, .. } => (EV_KEY, code, pressed.into()),
                Change::Axis { code, value, .. } => (EV_ABS, code, value),
            };
            input_event(form, kind, code, value, at, out);
            input_event(form, EV_SYN, 0, 0, at, out);
        }
    }
}

fn input_event(form: Form, kind: u16, code: u16, value: i32, at: Moment, out: &mut Vec<u8>) {
    if form == Form::Event32 {
        // As the kernel does for 32-bit programs, beyond 2038, too: the lower bits.
        out.extend((at.seconds as u32).to_ne_bytes());
        out.extend((at.micros as u32).to_ne_bytes());
    } else {
        out.extend(at.seconds.to_ne_bytes());
        out.extend(at.micros.to_ne_bytes());
    }
    out.extend(kind.to_ne_bytes());
    out.extend(code.to_ne_bytes());
    out.extend(value.to_ne_bytes());
}

/// A value in the range of all axes of joysticks, -32767 to 32767.
fn scaled(value: i32, (least, greatest): (i32, i32)) -> i16 {
    let span = (i64::from(greatest) - i64::from(least)).max(1);
    let from_least = i64::from(value.clamp(least, greatest)) - i64::from(least);
    let scaled = from_least * 2 * JS_GREATEST / span - JS_GREATEST;
    i16::try_from(scaled).unwrap_or(0)
}

/// What a record says; `None` for what is no record.
pub(crate) fn record(bytes: [u8; RECORD_BYTES]) -> Option<Record> {
    let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    Some(match bytes[0] {
        1 => Record::Play {
            effect: short(2),
            strong: short(4),
            weak: short(6),
            length_ms: short(8),
            delay_ms: short(10),
            count: short(12),
        },
        2 => Record::Stop { effect: short(2) },
        3 => Record::Gain(short(12)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_joysticks_go_to_the_ends_of_their_range() {
        let sticks = (-32767, 32767);
        assert_eq!([-32767, -1, 0, 1, 32767].map(|v| scaled(v, sticks)), [-32767, -1, 0, 1, 32767]);
        assert_eq!([-1, 0, 1].map(|v| scaled(v, (-1, 1))), [-32767, 0, 32767]);
        assert_eq!([0, 255].map(|v| scaled(v, (0, 255))), [-32767, 32767]);
        assert_eq!(scaled(i32::MAX, (i32::MIN, i32::MAX)), 32767);
    }

    #[test]
    fn records_of_other_kinds_are_none() {
        let mut bytes = [0; RECORD_BYTES];
        for (at, value) in [(2, 7u16), (4, 1), (6, 2), (8, 3), (10, 4), (12, 5)] {
            bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
        }
        let parsed = [0, 1, 2, 3, 4].map(|kind| {
            bytes[0] = kind;
            record(bytes)
        });
        let play = Record::Play { effect: 7, strong: 1, weak: 2, length_ms: 3, delay_ms: 4, count: 5 };
        let wanted = [None, Some(play), Some(Record::Stop { effect: 7 }), Some(Record::Gain(5)), None];
        assert_eq!(parsed, wanted);
    }
}
