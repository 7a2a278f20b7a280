//! Drives a gamepad plugin.

use std::{sync::Arc, time::Duration};

use super::{Failure, TestHost, TestWaker, instance::TestInstance};
use crate::{Gamepad, GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, abi, guard::size32};

/// A gamepad instance, called through its table.
#[derive(Debug)]
pub struct TestGamepad {
    table: &'static abi::GamepadV1,
    instance: Arc<TestInstance>,
}

impl TestGamepad {
    /// An instance of an SDK plugin. `config` is JSON.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: Gamepad>(host: &TestHost, config: &str) -> Result<Self, Failure> {
        let table = crate::private::GamepadTable::<T>::TABLE;
        // SAFETY: the SDK's tables keep the ABI's promises.
        let instance = unsafe { TestInstance::create(host, table.create, table.destroy, config) }?;
        Ok(Self { table, instance })
    }

    fn raw(&self) -> *mut abi::Instance {
        self.instance.raw()
    }

    fn check(&self, answer: Option<abi::Status>) -> Result<bool, Failure> {
        self.instance.host().check(answer)
    }

    /// Plugs a gamepad.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn plug(&mut self, slot: u32, identity: &GamepadIdentity) -> Result<(), Failure> {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let axes: Vec<_> = identity
            .axes
            .iter()
            .map(|axis| abi::GamepadAxis {
                code: axis.code.into(),
                minimum: axis.minimum,
                maximum: axis.maximum,
                rest: axis.rest,
                fuzz: axis.fuzz,
                flat: axis.flat,
                resolution: axis.resolution,
                reserved: 0,
            })
            .collect();
        let raw = abi::GamepadIdentity {
            struct_size: size32::<abi::GamepadIdentity>(),
            flags: if identity.rumbles { abi::GAMEPAD_RUMBLES } else { 0 },
            name: abi::Str::new(&identity.name),
            bus: identity.bus.into(),
            vendor: identity.vendor.into(),
            product: identity.product.into(),
            version: identity.version.into(),
            buttons: identity.buttons.as_ptr(),
            axes: axes.as_ptr(),
            button_count: count(identity.buttons.len()),
            axis_count: count(axes.len()),
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive; the identity and its lists live for the call.
        let answer = self.table.plug.map(|plug| unsafe { plug(self.raw(), slot, &raw const raw) });
        self.check(answer).map(drop)
    }

    /// Unplugs a gamepad.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn unplug(&mut self, slot: u32) -> Result<(), Failure> {
        // SAFETY: the instance is alive.
        self.check(self.table.unplug.map(|unplug| unsafe { unplug(self.raw(), slot) })).map(drop)
    }

    /// Injects events.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn inject(&mut self, events: &[GamepadEvent]) -> Result<(), Failure> {
        let raw: Vec<_> = events
            .iter()
            .map(|event| {
                let (kind, index, value) = match event.change {
                    GamepadChange::Button { index, pressed } => {
                        (abi::GAMEPAD_BUTTON, index, i32::from(pressed))
                    }
                    GamepadChange::Axis { index, value } => (abi::GAMEPAD_AXIS, index, value),
                    GamepadChange::Rest => (abi::GAMEPAD_REST, 0, 0),
                };
                abi::GamepadEvent {
                    struct_size: size32::<abi::GamepadEvent>(),
                    slot: event.slot.into(),
                    kind,
                    index: index.into(),
                    value,
                    reserved32: 0,
                    timestamp_ns: 0,
                    reserved: [0; 2],
                }
            })
            .collect();
        let count = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        // SAFETY: the instance is alive; the events live for the call.
        let answer = self.table.inject.map(|inject| unsafe { inject(self.raw(), raw.as_ptr(), count) });
        self.check(answer).map(drop)
    }

    /// Waits for a rumble; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the plugin fails; class 0 when it answers numbers out of range.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>, Failure> {
        let nanos = timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        let mut out = abi::GamepadRumble {
            struct_size: size32::<abi::GamepadRumble>(),
            slot: 0,
            strong: 0,
            weak: 0,
            duration_ms: 0,
            reserved32: 0,
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos, &raw mut out) });
        if !self.check(answer)? {
            return Ok(None);
        }
        let wrong = |_| Failure { status: 0, text: format!("out of range: {out:?}") };
        Ok(Some(GamepadRumble {
            slot: u8::try_from(out.slot).map_err(wrong)?,
            strong: u16::try_from(out.strong).map_err(wrong)?,
            weak: u16::try_from(out.weak).map_err(wrong)?,
            duration_ms: out.duration_ms,
        }))
    }

    /// Ends waits from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }
}
