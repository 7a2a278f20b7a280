//! Input: keyboard, pointer and text into the desktop.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, abi,
    guard::{self, size32},
    slot::Slot,
};

/// A pointer button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Button {
    /// Left.
    Left,
    /// Middle.
    Middle,
    /// Right.
    Right,
    /// Back.
    Back,
    /// Forward.
    Forward,
}

/// One input event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputEvent<'a> {
    /// A key by X keysym. A press of one that is down is the user's repeat; where the desktop repeats by itself, it is
    /// nothing.
    Keysym {
        /// The keysym.
        keysym: u32,
        /// Pressed or released.
        pressed: bool,
    },
    /// A key by evdev code.
    Keycode {
        /// The evdev code.
        code: u32,
        /// Pressed or released.
        pressed: bool,
    },
    /// The pointer moves to a pixel of the display.
    PointerAbsolute {
        /// Column.
        x: i32,
        /// Row.
        y: i32,
    },
    /// The pointer moves by device units.
    PointerRelative {
        /// To the right.
        dx: i32,
        /// Down.
        dy: i32,
    },
    /// A button.
    Button {
        /// Which.
        button: Button,
        /// Pressed or released.
        pressed: bool,
    },
    /// The wheel turns, in 1/120 of a notch.
    Scroll {
        /// To the right.
        dx: i32,
        /// Down.
        dy: i32,
    },
    /// A text is typed.
    Text(&'a str),
    /// Everything that this instance holds is released.
    ReleaseAll,
    /// A touch point.
    Touch {
        /// Its number.
        point: u32,
        /// Column.
        x: i32,
        /// Row.
        y: i32,
        /// 1 down, 2 moved, 0 up.
        phase: u32,
    },
}

/// The kinds of events that a plugin understands: a mask of `1 << INPUT_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputKinds(pub u64);

impl InputKinds {
    /// The mask for these `INPUT_*` kinds.
    #[must_use]
    pub const fn of(kinds: &[u32]) -> Self {
        let mut mask = 0;
        let mut index = 0;
        while index < kinds.len() {
            mask |= 1 << kinds[index];
            index += 1;
        }
        Self(mask)
    }
}

/// A device that injects input.
pub trait Input: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Opens the device. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// The kinds that it understands; asked for once, after `create`.
    fn kinds(&self) -> InputKinds;

    /// Injects events in order and flushes them before it returns. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn inject(&mut self, events: &[InputEvent<'_>]) -> Result<()>;
}

/// Builds the table of an input device.
#[derive(Debug)]
pub struct InputTable<T>(PhantomData<T>);

impl<T: Input> InputTable<T> {
    /// The table.
    pub const TABLE: &'static abi::InputV1 = &abi::InputV1 {
        struct_size: size32::<abi::InputV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        kinds: Some(kinds::<T>),
        inject: Some(inject::<T>),
    };
}

unsafe extern "C" fn create<T: Input>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        Slot::<T, InputKinds>::create(host, config, out, |host, config| {
            let input = T::create(host, config)?;
            let kinds = input.kinds();
            Ok((input, kinds))
        })
    }
}

unsafe extern "C" fn destroy<T: Input>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { Slot::<T, InputKinds>::destroy(instance) }
}

unsafe extern "C" fn kinds<T: Input>(instance: *mut abi::Instance) -> u64 {
    let mut mask = 0;
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        Slot::<T, InputKinds>::with_shared(instance, |kinds, _| {
            mask = kinds.0;
            Ok(abi::OK)
        });
    }
    mask
}

/// Most events of one call.
const MAX_EVENTS: usize = 4096;

unsafe extern "C" fn inject<T: Input>(
    instance: *mut abi::Instance,
    events: *const abi::InputEvent,
    count: u32,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; the events live for the call.
    unsafe {
        Slot::<T, InputKinds>::with(instance, |input, _| {
            let raw = guard::array(events, count, MAX_EVENTS, "events")?;
            let mut events = Vec::with_capacity(raw.len());
            for event in raw {
                events.push(parse(guard::sized(event, "event")?)?);
            }
            input.inject(&events)?;
            Ok(abi::OK)
        })
    }
}

/// # Safety
/// The event's text is borrowed for `'a`.
unsafe fn parse(raw: &abi::InputEvent) -> Result<InputEvent<'_>> {
    let pressed = raw.value != 0;
    Ok(match raw.kind {
        abi::INPUT_KEYSYM => InputEvent::Keysym { keysym: raw.code, pressed },
        abi::INPUT_KEYCODE => InputEvent::Keycode { code: raw.code, pressed },
        abi::INPUT_POINTER_ABSOLUTE => InputEvent::PointerAbsolute { x: raw.x, y: raw.y },
        abi::INPUT_POINTER_RELATIVE => InputEvent::PointerRelative { dx: raw.x, dy: raw.y },
        abi::INPUT_BUTTON => InputEvent::Button { button: button(raw.code)?, pressed },
        abi::INPUT_SCROLL => InputEvent::Scroll { dx: raw.x, dy: raw.y },
        abi::INPUT_TEXT if raw.text.len > abi::MAX_INPUT_TEXT => {
            return Err(Error::invalid(format!(
                "a text of {} bytes, {} allowed",
                raw.text.len,
                abi::MAX_INPUT_TEXT
            )));
        }
        // SAFETY: the caller vouches for the text.
        abi::INPUT_TEXT => InputEvent::Text(unsafe { guard::text(raw.text) }?),
        abi::INPUT_RELEASE_ALL => InputEvent::ReleaseAll,
        abi::INPUT_TOUCH => InputEvent::Touch { point: raw.code, x: raw.x, y: raw.y, phase: raw.value },
        kind => return Err(Error::invalid(format!("input kind {kind} is not known"))),
    })
}

fn button(code: u32) -> Result<Button> {
    Ok(match code {
        abi::BUTTON_LEFT => Button::Left,
        abi::BUTTON_MIDDLE => Button::Middle,
        abi::BUTTON_RIGHT => Button::Right,
        abi::BUTTON_BACK => Button::Back,
        abi::BUTTON_FORWARD => Button::Forward,
        code => return Err(Error::invalid(format!("button {code} is not known"))),
    })
}
