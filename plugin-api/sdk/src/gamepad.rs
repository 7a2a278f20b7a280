//! Gamepads: game controllers that programs of the desktop see.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, Wake, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// An axis, as in Linux' `struct input_absinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GamepadAxis {
    /// The evdev code, `ABS_*`.
    pub code: u16,
    /// Least value.
    pub minimum: i32,
    /// Greatest value, above the least.
    pub maximum: i32,
    /// The value when nobody touches it, within the range.
    pub rest: i32,
    /// Noise that is to be ignored.
    pub fuzz: i32,
    /// Values around the rest that count as rest.
    pub flat: i32,
    /// Units per millimetre or radian; 0 when unknown.
    pub resolution: i32,
}

/// What a gamepad is to programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GamepadIdentity {
    /// At most [`abi::MAX_GAMEPAD_NAME`] bytes, without a NUL.
    pub name: String,
    /// The bus, `BUS_*` of Linux.
    pub bus: u16,
    /// USB vendor.
    pub vendor: u16,
    /// USB product.
    pub product: u16,
    /// Version.
    pub version: u16,
    /// Evdev codes (`BTN_*`) in the order of their indices; each once.
    pub buttons: Vec<u16>,
    /// Axes in the order of their indices; each code once.
    pub axes: Vec<GamepadAxis>,
    /// What drives it can rumble.
    pub rumbles: bool,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GamepadChange {
    /// A button.
    Button {
        /// In the identity's list.
        index: u16,
        /// Pressed or released.
        pressed: bool,
    },
    /// An axis.
    Axis {
        /// In the identity's list.
        index: u16,
        /// Where to; a plugin clamps it to the range.
        value: i32,
    },
    /// Every button is released and every axis goes to its rest.
    Rest,
}

/// One change of one gamepad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GamepadEvent {
    /// 0 to 3.
    pub slot: u8,
    /// What changes.
    pub change: GamepadChange,
}

/// What a program lets a gamepad do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GamepadRumble {
    /// 0 to 3.
    pub slot: u8,
    /// The heavy motor.
    pub strong: u16,
    /// The light motor; both 0: stop.
    pub weak: u16,
    /// Milliseconds.
    pub duration_ms: u32,
}

/// A way by which programs see gamepads.
pub trait Gamepad: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Opens it, with no gamepad plugged. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on; where the machine has no such way the text says what is missing.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Plugs a gamepad, at rest, into a slot (0 to 3); one that is there already is replaced. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn plug(&mut self, slot: u8, identity: GamepadIdentity) -> Result<()>;

    /// Brings a slot's gamepad to rest and unplugs it; nothing when there is none. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn unplug(&mut self, slot: u8) -> Result<()>;

    /// Applies events in order and hands them to programs before it returns. Those of an empty slot, and of buttons and
    /// axes that its gamepad does not have, are left out. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn inject(&mut self, events: &[GamepadEvent]) -> Result<()>;

    /// Blocks until a program lets a gamepad rumble, `timeout` passed (`None`: no limit) or the waker was called; the last
    /// two answer `None`. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>>;
}

type GamepadSlot<T> = Slot<T, Arc<dyn Wake>>;

/// Builds the table of a way by which programs see gamepads.
#[derive(Debug)]
pub struct GamepadTable<T>(PhantomData<T>);

impl<T: Gamepad> GamepadTable<T> {
    /// The table.
    pub const TABLE: &'static abi::GamepadV1 = &abi::GamepadV1 {
        struct_size: size32::<abi::GamepadV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        plug: Some(plug::<T>),
        unplug: Some(unplug::<T>),
        inject: Some(inject::<T>),
        wait: Some(wait::<T>),
        wake: Some(wake::<T>),
    };
}

unsafe extern "C" fn create<T: Gamepad>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        GamepadSlot::<T>::create(host, config, out, |host, config| {
            let pads = T::create(host, config)?;
            let waker = pads.waker();
            Ok((pads, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: Gamepad>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { GamepadSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn plug<T: Gamepad>(
    instance: *mut abi::Instance,
    slot: u32,
    identity: *const abi::GamepadIdentity,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; the identity lives for the call.
    unsafe {
        GamepadSlot::<T>::with(instance, |pads, _| {
            let identity = parse_identity(guard::sized(identity, "identity")?)?;
            pads.plug(place(slot)?, identity).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn unplug<T: Gamepad>(instance: *mut abi::Instance, slot: u32) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table.
    unsafe { GamepadSlot::<T>::with(instance, |pads, _| pads.unplug(place(slot)?).map(|()| abi::OK)) }
}

/// Most events of one call.
const MAX_EVENTS: usize = 4096;

unsafe extern "C" fn inject<T: Gamepad>(
    instance: *mut abi::Instance,
    events: *const abi::GamepadEvent,
    count: u32,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; the events live for the call.
    unsafe {
        GamepadSlot::<T>::with(instance, |pads, _| {
            let raw = guard::array(events, count, MAX_EVENTS, "events")?;
            let mut events = Vec::with_capacity(raw.len());
            for event in raw {
                events.push(parse(guard::sized(event, "event")?)?);
            }
            pads.inject(&events).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn wait<T: Gamepad>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::GamepadRumble,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; `out` is its to receive the answer.
    unsafe {
        GamepadSlot::<T>::with(instance, |pads, _| {
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let Some(rumble) = pads.wait(timeout)? else { return Ok(abi::NOTHING) };
            Ok(out.give(abi::GamepadRumble {
                struct_size: size32::<abi::GamepadRumble>(),
                slot: rumble.slot.into(),
                strong: rumble.strong.into(),
                weak: rumble.weak.into(),
                duration_ms: rumble.duration_ms,
                reserved32: 0,
                reserved: [0; 2],
            }))
        })
    }
}

unsafe extern "C" fn wake<T: Gamepad>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        GamepadSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}

fn place(slot: u32) -> Result<u8> {
    match u8::try_from(slot) {
        Ok(place) if slot < abi::MAX_GAMEPADS => Ok(place),
        _ => Err(Error::invalid(format!("slot {slot} does not exist, there are {}", abi::MAX_GAMEPADS))),
    }
}

fn short(value: u32, what: &str) -> Result<u16> {
    u16::try_from(value).map_err(|_| Error::invalid(format!("{what} {value} is over 65535")))
}

/// # Safety
/// The identity's name and lists are readable for the call.
unsafe fn parse_identity(raw: &abi::GamepadIdentity) -> Result<GamepadIdentity> {
    if raw.name.len > abi::MAX_GAMEPAD_NAME {
        return Err(Error::invalid(format!("a name of {} bytes is too long", raw.name.len)));
    }
    // SAFETY: the caller vouches for the name.
    let name = unsafe { guard::text(raw.name) }?;
    if name.contains('\0') {
        return Err(Error::invalid("the name has a NUL"));
    }
    // SAFETY: the caller vouches for the lists.
    let (buttons, axes) = unsafe {
        (
            guard::array(raw.buttons, raw.button_count, abi::MAX_GAMEPAD_BUTTONS, "buttons")?,
            guard::array(raw.axes, raw.axis_count, abi::MAX_GAMEPAD_AXES, "axes")?,
        )
    };
    Ok(GamepadIdentity {
        name: name.to_owned(),
        bus: short(raw.bus, "bus")?,
        vendor: short(raw.vendor, "vendor")?,
        product: short(raw.product, "product")?,
        version: short(raw.version, "version")?,
        buttons: buttons.to_vec(),
        axes: axes.iter().map(parse_axis).collect::<Result<_>>()?,
        rumbles: raw.flags & abi::GAMEPAD_RUMBLES != 0,
    })
}

fn parse_axis(raw: &abi::GamepadAxis) -> Result<GamepadAxis> {
    let &abi::GamepadAxis { code, minimum, maximum, rest, fuzz, flat, resolution, .. } = raw;
    if minimum >= maximum || !(minimum..=maximum).contains(&rest) {
        return Err(Error::invalid(format!(
            "axis {code} goes from {minimum} to {maximum} and rests at {rest}"
        )));
    }
    Ok(GamepadAxis { code: short(code, "axis")?, minimum, maximum, rest, fuzz, flat, resolution })
}

fn parse(raw: &abi::GamepadEvent) -> Result<GamepadEvent> {
    let change = match raw.kind {
        abi::GAMEPAD_BUTTON => {
            GamepadChange::Button { index: short(raw.index, "button")?, pressed: raw.value != 0 }
        }
        abi::GAMEPAD_AXIS => GamepadChange::Axis { index: short(raw.index, "axis")?, value: raw.value },
        abi::GAMEPAD_REST => GamepadChange::Rest,
        kind => return Err(Error::invalid(format!("gamepad event {kind} is not known"))),
    };
    Ok(GamepadEvent { slot: place(raw.slot)?, change })
}
