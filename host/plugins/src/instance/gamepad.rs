//! `selkies.gamepad/1`.

use std::time::Duration;

use selkies_plugin_abi::{
    self as abi, GamepadV1, Instance, MAX_GAMEPAD_AXES, MAX_GAMEPAD_BUTTONS, MAX_GAMEPAD_NAME, MAX_GAMEPADS,
    Status, Str,
};
use serde::{Deserialize, Serialize};

use super::arm::{Arm, Gated};
use super::core::{Core, is_nothing, required, sized_table, timeout_ns};
use super::wake::{WakeGate, Waker};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::child::wire::{Create, Reply, Task};
use crate::services::Role;
use crate::size::{count_field, size_field};

/// Events that cross in one call; longer lists take several.
const BATCH: usize = 256;

/// An axis of a gamepad, as in Linux' `struct input_absinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GamepadIdentity {
    /// At most 254 bytes, without a NUL.
    pub name: String,
    /// The bus, `BUS_*` of Linux.
    pub bus: u16,
    /// USB vendor.
    pub vendor: u16,
    /// USB product.
    pub product: u16,
    /// Version.
    pub version: u16,
    /// Evdev codes (`BTN_*`) in the order of their indices, at most 512.
    pub buttons: Vec<u16>,
    /// Axes in the order of their indices, at most 64.
    pub axes: Vec<GamepadAxis>,
    /// What drives it can rumble.
    pub rumbles: bool,
}

/// One change of a gamepad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GamepadEvent {
    /// Slot, 0 to 3.
    pub slot: u8,
    /// What changes.
    pub change: GamepadChange,
    /// When the host received it, nanoseconds of `CLOCK_MONOTONIC`; 0 when unknown.
    pub received_ns: u64,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        /// Where to.
        value: i32,
    },
    /// Every button is released and every axis goes to its rest.
    Rest,
}

/// What a program lets a gamepad do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GamepadRumble {
    /// Slot, 0 to 3.
    pub slot: u8,
    /// The heavy motor.
    pub strong: u16,
    /// The light motor; both 0: stop.
    pub weak: u16,
    /// Milliseconds.
    pub duration_ms: u32,
}

/// A way by which programs of the desktop see gamepads.
#[derive(Debug)]
pub struct GamepadInstance {
    arm: Arm<Here>,
}

#[derive(Debug)]
struct Here {
    gate: WakeGate,
    core: Core,
    plug: unsafe extern "C" fn(*mut Instance, u32, *const abi::GamepadIdentity) -> Status,
    unplug: unsafe extern "C" fn(*mut Instance, u32) -> Status,
    inject: unsafe extern "C" fn(*mut Instance, *const abi::GamepadEvent, u32) -> Status,
    wait: unsafe extern "C" fn(*mut Instance, u64, *mut abi::GamepadRumble) -> Status,
}

impl GamepadInstance {
    /// Opens the way, with no gamepad plugged. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or this machine no such way.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        if let Some(arm) = Arm::in_child(origin, Create::Gamepad, "gamepad.create")? {
            return Ok(Self { arm });
        }
        let plugin = origin.plugin.id();
        let table: &GamepadV1 = origin.plugin.table("gamepad")?;
        sized_table::<GamepadV1>(plugin, "gamepad", table.struct_size)?;
        let create = required(plugin, "gamepad.create", table.create)?;
        let destroy = required(plugin, "gamepad.destroy", table.destroy)?;
        let plug = required(plugin, "gamepad.plug", table.plug)?;
        let unplug = required(plugin, "gamepad.unplug", table.unplug)?;
        let inject = required(plugin, "gamepad.inject", table.inject)?;
        let wait = required(plugin, "gamepad.wait", table.wait)?;
        let wake = required(plugin, "gamepad.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, "gamepad.create", create, destroy)?;
        let gate = WakeGate::new(&core, wake);
        Ok(Self { arm: Arm::Here(Here { gate, core, plug, unplug, inject, wait }) })
    }

    /// Plugs a gamepad, at rest, into a slot; one that is there already is replaced. `[media]`
    ///
    /// # Errors
    /// What the plugin answers; or an identity or a slot beyond the limits, in which case it was not asked.
    pub fn plug(&mut self, slot: u8, identity: &GamepadIdentity) -> Result<(), PluginError> {
        const PLUG: &str = "gamepad.plug";
        self.judge(PLUG, slot_wrong(slot).or_else(|| identity.wrong()))?;
        match &mut self.arm {
            Arm::Here(here) => here.plug(slot, identity),
            Arm::Child { remote, .. } => remote.tell(PLUG, Task::Plug { slot, identity: identity.clone() }),
        }
    }

    /// Brings a slot's gamepad to rest and unplugs it. `[media]`
    ///
    /// # Errors
    /// What the plugin answers; or a slot beyond the limit.
    pub fn unplug(&mut self, slot: u8) -> Result<(), PluginError> {
        const UNPLUG: &str = "gamepad.unplug";
        self.judge(UNPLUG, slot_wrong(slot))?;
        match &mut self.arm {
            Arm::Here(here) => {
                let status = here.core.call(UNPLUG, |instance| {
                    // SAFETY: a live instance.
                    unsafe { (here.unplug)(instance, slot.into()) }
                });
                status.map(drop)
            }
            Arm::Child { remote, .. } => remote.tell(UNPLUG, Task::Unplug { slot }),
        }
    }

    /// Injects events in order. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, in which case events after the failing batch of 256 were not injected; or a slot beyond the
    /// limit, in which case none were.
    pub fn inject(&mut self, events: &[GamepadEvent]) -> Result<(), PluginError> {
        const INJECT: &str = "gamepad.inject";
        self.judge(INJECT, events.iter().find_map(|event| slot_wrong(event.slot)))?;
        for batch in events.chunks(BATCH) {
            match &mut self.arm {
                Arm::Here(here) => here.inject(batch)?,
                Arm::Child { remote, .. } => remote.tell(INJECT, Task::Play(batch.to_vec()))?,
            }
        }
        Ok(())
    }

    /// Blocks until a program lets a gamepad rumble, `timeout` passed (`None`: no limit) or a waker was used; the last two
    /// answer `None`. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>, PluginError> {
        const WAIT: &str = "gamepad.wait";
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child { remote, wake } => {
                match remote.wait(WAIT, |timeout_ns| Task::GamepadWait { timeout_ns }, timeout, wake)? {
                    Reply::Rumble(None) => Ok(None),
                    Reply::Rumble(Some(rumble)) if slot_wrong(rumble.slot).is_none() => Ok(Some(rumble)),
                    _ => Err(remote.wrong_reply(WAIT)),
                }
            }
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.arm.waker()
    }

    /// The caller's mistake, if there is one.
    fn judge(&self, function: &'static str, wrong: Option<String>) -> Result<(), PluginError> {
        let Some(text) = wrong else { return Ok(()) };
        let account = match &self.arm {
            Arm::Here(here) => here.core.account(),
            Arm::Child { remote, .. } => remote.account(),
        };
        let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
        Err(PluginError::caller(account, function, class, detail, &text))
    }
}

fn slot_wrong(slot: u8) -> Option<String> {
    (u32::from(slot) >= MAX_GAMEPADS).then(|| format!("slot {slot} does not exist, there are {MAX_GAMEPADS}"))
}

impl GamepadIdentity {
    /// Which limit it breaks.
    fn wrong(&self) -> Option<String> {
        if self.name.len() > MAX_GAMEPAD_NAME || self.name.contains('\0') {
            return Some(format!("the name is longer than {MAX_GAMEPAD_NAME} bytes or has a NUL"));
        }
        if self.buttons.len() > MAX_GAMEPAD_BUTTONS || self.axes.len() > MAX_GAMEPAD_AXES {
            return Some(format!("{} buttons, {} axes", self.buttons.len(), self.axes.len()));
        }
        let bad = |a: &&GamepadAxis| a.minimum >= a.maximum || !(a.minimum..=a.maximum).contains(&a.rest);
        self.axes.iter().find(bad).map(|axis| format!("an axis has no range: {axis:?}"))
    }
}

impl GamepadEvent {
    fn to_abi(self) -> abi::GamepadEvent {
        let (kind, index, value) = match self.change {
            GamepadChange::Button { index, pressed } => (abi::GAMEPAD_BUTTON, index, pressed.into()),
            GamepadChange::Axis { index, value } => (abi::GAMEPAD_AXIS, index, value),
            GamepadChange::Rest => (abi::GAMEPAD_REST, 0, 0),
        };
        abi::GamepadEvent {
            struct_size: size_field::<abi::GamepadEvent>(),
            slot: self.slot.into(),
            kind,
            index: index.into(),
            value,
            reserved32: 0,
            timestamp_ns: self.received_ns,
            reserved: [0; 2],
        }
    }
}

impl Gated for Here {
    fn gate(&self) -> &WakeGate {
        &self.gate
    }
}

impl Here {
    fn plug(&mut self, slot: u8, identity: &GamepadIdentity) -> Result<(), PluginError> {
        let axes: Vec<_> = identity.axes.iter().map(abi_axis).collect();
        let raw = abi::GamepadIdentity {
            struct_size: size_field::<abi::GamepadIdentity>(),
            flags: if identity.rumbles { abi::GAMEPAD_RUMBLES } else { 0 },
            name: Str::new(&identity.name),
            bus: identity.bus.into(),
            vendor: identity.vendor.into(),
            product: identity.product.into(),
            version: identity.version.into(),
            buttons: identity.buttons.as_ptr(),
            axes: axes.as_ptr(),
            button_count: count_field(&identity.buttons),
            axis_count: count_field(&axes),
            reserved: [0; 2],
        };
        let status = self.core.call("gamepad.plug", |instance| {
            // SAFETY: a live instance; the identity and its lists live for the call.
            unsafe { (self.plug)(instance, slot.into(), &raw const raw) }
        });
        status.map(drop)
    }

    fn inject(&mut self, batch: &[GamepadEvent]) -> Result<(), PluginError> {
        let raw: Vec<_> = batch.iter().map(|event| event.to_abi()).collect();
        let status = self.core.call("gamepad.inject", |instance| {
            // SAFETY: a live instance; the events live for the call.
            unsafe { (self.inject)(instance, raw.as_ptr(), count_field(&raw)) }
        });
        status.map(drop)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>, PluginError> {
        let mut out = abi::GamepadRumble {
            struct_size: size_field::<abi::GamepadRumble>(),
            slot: 0,
            strong: 0,
            weak: 0,
            duration_ms: 0,
            reserved32: 0,
            reserved: [0; 2],
        };
        let status = self.core.call("gamepad.wait", |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.wait)(instance, timeout_ns(timeout), &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        rumble(&out).map(Some).ok_or_else(|| self.core.contract("gamepad.wait", format!("answered {out:?}")))
    }
}

fn abi_axis(axis: &GamepadAxis) -> abi::GamepadAxis {
    abi::GamepadAxis {
        code: axis.code.into(),
        minimum: axis.minimum,
        maximum: axis.maximum,
        rest: axis.rest,
        fuzz: axis.fuzz,
        flat: axis.flat,
        resolution: axis.resolution,
        reserved: 0,
    }
}

fn rumble(raw: &abi::GamepadRumble) -> Option<GamepadRumble> {
    let slot = u8::try_from(raw.slot).ok().filter(|slot| slot_wrong(*slot).is_none())?;
    let sized = raw.struct_size == size_field::<abi::GamepadRumble>();
    Some(GamepadRumble {
        slot,
        strong: u16::try_from(raw.strong).ok().filter(|_| sized)?,
        weak: u16::try_from(raw.weak).ok()?,
        duration_ms: raw.duration_ms,
    })
}
