//! `selkies.input/1`.

use std::mem::MaybeUninit;

use selkies_plugin_abi::{self as abi, InputV1, Instance, MAX_INPUT_TEXT, Status, Str};
use serde::{Deserialize, Serialize};

use super::core::{Core, required, sized_table};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::child::{
    Remote,
    wire::{Create, Reply, Task},
};
use crate::services::Role;
use crate::size::{count_field, size_field};

/// Events that cross in one call; longer lists take several.
const BATCH: usize = 64;
/// Bytes of all texts that cross in one message to a child.
const MAX_TEXTS: usize = 32 << 10;

/// One input event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputEvent {
    /// What happens.
    pub action: InputAction,
    /// When the host received it, nanoseconds of `CLOCK_MONOTONIC`; 0 when unknown.
    pub received_ns: u64,
}

/// What an input event does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputAction {
    /// A key by X keysym.
    Keysym {
        /// The keysym.
        keysym: u32,
        /// Pressed or released.
        pressed: bool,
    },
    /// A key by evdev code.
    Keycode {
        /// The code.
        code: u32,
        /// Pressed or released.
        pressed: bool,
    },
    /// The pointer moves to a pixel of the display.
    PointerAbsolute {
        /// Left to right.
        x: i32,
        /// Top to bottom.
        y: i32,
    },
    /// The pointer moves by device units.
    PointerRelative {
        /// To the right.
        x: i32,
        /// Down.
        y: i32,
    },
    /// A button.
    Button {
        /// One of the ABI's `BUTTON_*`.
        button: u32,
        /// Pressed or released.
        pressed: bool,
    },
    /// The wheel turns, in 1/120 of a notch.
    Scroll {
        /// To the right.
        x: i32,
        /// Down.
        y: i32,
    },
    /// A text is typed, at most 4096 bytes.
    Text(String),
    /// Everything held by this instance is released.
    ReleaseAll,
    /// A touch point.
    Touch {
        /// Its number.
        id: u32,
        /// What it does.
        phase: TouchPhase,
        /// Left to right, pixels of the display.
        x: i32,
        /// Top to bottom.
        y: i32,
    },
}

/// What a touch point does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TouchPhase {
    /// Touches.
    Down,
    /// Moved.
    Moved,
    /// Lifted.
    Up,
}

/// A way into the desktop for keys, pointer and text.
#[derive(Debug)]
pub struct InputInstance {
    arm: Arm,
}

/// Where it runs.
#[derive(Debug)]
enum Arm {
    Here(Here),
    Child {
        remote: Box<Remote>,
        /// What it understands, asked once.
        kinds: u64,
    },
}

#[derive(Debug)]
struct Here {
    core: Core,
    kinds: unsafe extern "C" fn(*mut Instance) -> u64,
    inject: unsafe extern "C" fn(*mut Instance, *const abi::InputEvent, u32) -> Status,
}

impl InputAction {
    /// The kind's bit in [`InputInstance::kinds`].
    #[must_use]
    pub fn mask(&self) -> u64 {
        1 << self.fields().0
    }

    /// Kind, code, value, x and y.
    fn fields(&self) -> (u32, u32, u32, i32, i32) {
        match *self {
            Self::Keysym { keysym, pressed } => (abi::INPUT_KEYSYM, keysym, pressed.into(), 0, 0),
            Self::Keycode { code, pressed } => (abi::INPUT_KEYCODE, code, pressed.into(), 0, 0),
            Self::PointerAbsolute { x, y } => (abi::INPUT_POINTER_ABSOLUTE, 0, 0, x, y),
            Self::PointerRelative { x, y } => (abi::INPUT_POINTER_RELATIVE, 0, 0, x, y),
            Self::Button { button, pressed } => (abi::INPUT_BUTTON, button, pressed.into(), 0, 0),
            Self::Scroll { x, y } => (abi::INPUT_SCROLL, 0, 0, x, y),
            Self::Text(_) => (abi::INPUT_TEXT, 0, 0, 0, 0),
            Self::ReleaseAll => (abi::INPUT_RELEASE_ALL, 0, 0, 0, 0),
            Self::Touch { id, phase, x, y } => {
                let value = match phase {
                    TouchPhase::Down => 1,
                    TouchPhase::Moved => 2,
                    TouchPhase::Up => 0,
                };
                (abi::INPUT_TOUCH, id, value, x, y)
            }
        }
    }
}

impl InputEvent {
    fn to_abi(&self) -> abi::InputEvent {
        let (kind, code, value, x, y) = self.action.fields();
        let text = if let InputAction::Text(text) = &self.action { Str::new(text) } else { Str::EMPTY };
        abi::InputEvent {
            struct_size: size_field::<abi::InputEvent>(),
            kind,
            code,
            value,
            x,
            y,
            text,
            timestamp_ns: self.received_ns,
            reserved: [0; 2],
        }
    }
}

impl InputInstance {
    /// Opens the device. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let mut remote = Remote::create(services, child, config, Create::Input, &[], "input.create")?;
            let Reply::Kinds(kinds) = remote.ask("input.kinds", Task::InputKinds)? else {
                return Err(remote.wrong_reply("input.kinds"));
            };
            return Ok(Self { arm: Arm::Child { remote: Box::new(remote), kinds } });
        }
        let plugin = origin.plugin.id();
        let table: &InputV1 = origin.plugin.table("input")?;
        sized_table::<InputV1>(plugin, "input", table.struct_size)?;
        let create = required(plugin, "input.create", table.create)?;
        let destroy = required(plugin, "input.destroy", table.destroy)?;
        let kinds = required(plugin, "input.kinds", table.kinds)?;
        let inject = required(plugin, "input.inject", table.inject)?;
        let core = Core::plain(origin, Role::Plain, "input.create", create, destroy)?;
        Ok(Self { arm: Arm::Here(Here { core, kinds, inject }) })
    }

    /// The kinds it understands, as a mask of [`InputAction::mask`]; 0 once it failed for good. Any thread.
    #[inline]
    #[must_use]
    pub fn kinds(&self) -> u64 {
        match &self.arm {
            Arm::Here(here) => {
                let mut mask = 0;
                // SAFETY: a live instance; the function may be called from any thread.
                here.core.tell(|instance| mask = unsafe { (here.kinds)(instance) });
                mask
            }
            Arm::Child { remote, .. } if remote.is_poisoned() => 0,
            Arm::Child { kinds, .. } => *kinds,
        }
    }

    /// Injects events in order. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, in which case events after the failing batch of 64 were not injected; or a text over
    /// 4096 bytes, in which case none were.
    pub fn inject(&mut self, events: &[InputEvent]) -> Result<(), PluginError> {
        let too_long =
            |event: &InputEvent| matches!(&event.action, InputAction::Text(t) if t.len() > MAX_INPUT_TEXT);
        if events.iter().any(too_long) {
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            let text = "a text is longer than 4096 bytes";
            let account = match &self.arm {
                Arm::Here(here) => here.core.account(),
                Arm::Child { remote, .. } => remote.account(),
            };
            return Err(PluginError::caller(account, "input.inject", class, detail, text));
        }
        match &mut self.arm {
            Arm::Here(here) => here.inject(events),
            Arm::Child { remote, .. } => {
                for batch in events.chunk_by(batches()) {
                    remote.tell("input.inject", Task::Inject(batch.to_vec()))?;
                }
                Ok(())
            }
        }
    }
}

/// Cuts a list into batches that fit a message, each at most [`BATCH`] events: true while the next one belongs to it.
fn batches() -> impl FnMut(&InputEvent, &InputEvent) -> bool {
    let (mut count, mut bytes) = (1, 0);
    move |before, next| {
        let len =
            |event: &InputEvent| if let InputAction::Text(text) = &event.action { text.len() } else { 0 };
        if count == 1 {
            bytes = len(before);
        }
        count += 1;
        bytes += len(next);
        if count > BATCH || bytes > MAX_TEXTS {
            count = 1;
            return false;
        }
        true
    }
}

impl Here {
    fn inject(&mut self, events: &[InputEvent]) -> Result<(), PluginError> {
        let mut raw = [const { MaybeUninit::<abi::InputEvent>::uninit() }; BATCH];
        for batch in events.chunks(BATCH) {
            for (place, event) in raw.iter_mut().zip(batch) {
                place.write(event.to_abi());
            }
            self.core.call("input.inject", |instance| {
                // SAFETY: a live instance; as many events as the batch has were written, and they and their texts are
                // valid for the call.
                unsafe { (self.inject)(instance, raw.as_ptr().cast(), count_field(batch)) }
            })?;
        }
        Ok(())
    }
}
