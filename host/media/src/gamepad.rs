//! The gamepad thread: what players do, into the first plugin that works; what programs let their pads do, back.

mod desk;
mod layout;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_host::{
    FaultClass, GamepadChange, GamepadEvent, GamepadInstance, HostServices, PluginError, now_ns,
};
use selkies_session::{InputEvent, fallback::BackOff, wire::GamepadMessage};
use tracing::{debug, info, warn};

use crate::{Backend, Observer, gate::Gate, slot::Slot};
use desk::Work;
pub(crate) use desk::{GamepadDesk, is_gamepad};
use layout::Cross;

/// Pauses before a way that does not work is tried again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Places for gamepads.
const SLOTS: usize = 4;

/// One plugin, a way by which programs may see gamepads.
struct Way<'a> {
    slot: &'a Slot,
    seen: u64,
    backend: Backend,
    retry_at: Option<Instant>,
    pauses: BackOff,
}

/// The thread's state.
struct Pads<'a> {
    ways: Vec<Way<'a>>,
    /// The way in use, by its place among `ways`.
    open: Option<(usize, GamepadInstance)>,
    plugged: [Option<Cross>; SLOTS],
    services: &'a HostServices,
    gate: &'a Gate,
    desk: &'a GamepadDesk,
}

/// Serves players until the desk is closed.
pub(crate) fn run(
    slots: &[Arc<Slot>],
    services: &HostServices,
    observer: &dyn Observer,
    gate: &Gate,
    desk: &GamepadDesk,
) {
    let way = |slot| Way {
        slot,
        seen: 0,
        backend: slot.get(),
        retry_at: None,
        pauses: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
    };
    let ways = slots.iter().map(|slot| way(slot)).collect();
    let mut pads = Pads { ways, open: None, plugged: [None; SLOTS], services, gate, desk };
    pads.ready();
    loop {
        let work = match &pads.open {
            Some(_) => desk.take(),
            None => desk.wait(pads.next_try()),
        };
        let Work::Events(events) = work else { break };
        pads.ready();
        pads.play(events);
        let Some((_, open)) = &mut pads.open else { continue };
        match open.wait(None) {
            Ok(Some(rumble)) => {
                observer.rumble(rumble.slot, rumble.strong, rumble.weak, rumble.duration_ms);
            }
            Ok(None) => {}
            Err(error) => pads.failed(&error),
        }
    }
    // Wakes nobody any more.
    desk.waits_in(None);
}

impl Pads<'_> {
    /// Opens the first way that works, where none is open, and plugs who is there.
    fn ready(&mut self) {
        for (at, way) in self.ways.iter_mut().enumerate() {
            if way.slot.renewed(&mut way.seen) {
                // What works is left alone when its plugin is let in again.
                if !way.slot.holds(&way.backend) {
                    way.backend = way.slot.get();
                    self.open.take_if(|(open, _)| *open == at);
                }
                way.retry_at = None;
                way.pauses.worked();
            }
        }
        if self.open.is_some() {
            return;
        }
        self.desk.waits_in(None);
        for at in 0..self.ways.len() {
            let way = &mut self.ways[at];
            let waits = way.retry_at.is_some_and(|retry_at| retry_at > Instant::now());
            if waits || self.gate.bars(way.backend.plugin.id()) {
                continue;
            }
            match GamepadInstance::create(&way.backend.origin(self.services)) {
                Ok(open) => {
                    info!(plugin = way.backend.plugin.id(), "gamepads are there for programs");
                    way.retry_at = None;
                    self.desk.waits_in(Some(open.waker()));
                    self.open = Some((at, open));
                    self.plug_all();
                    return;
                }
                Err(error) => {
                    // Said once, not at every try.
                    if way.retry_at.is_none() {
                        info!(%error, "no gamepads this way");
                    }
                    // A machine without such a device is nobody's fault.
                    if error.class != FaultClass::DeviceLost {
                        self.gate.report_from(way.slot, &error, "gamepad", &way.backend);
                    }
                    way.retry_at = Some(Instant::now() + way.pauses.failed());
                }
            }
        }
    }

    /// When a way is to be tried again. Only a player's pad is worth it: without one the next event is early enough.
    fn next_try(&self) -> Option<Instant> {
        let is_wanted = self.plugged.iter().any(Option::is_some);
        self.ways.iter().filter_map(|way| way.retry_at).min().filter(|_| is_wanted)
    }

    /// Plugs everybody who is there, at rest.
    fn plug_all(&mut self) {
        for slot in 0..SLOTS {
            if self.plugged[slot].is_some() {
                self.plugged[slot] = Some(Cross::default());
                self.with_open(|open| open.plug(number(slot), &layout::identity()));
            }
        }
    }

    /// Applies what players do, in order.
    fn play(&mut self, events: Vec<InputEvent>) {
        let received_ns = now_ns();
        let mut waiting: Vec<GamepadEvent> = Vec::new();
        for event in events {
            let (slot, message) = match &event {
                InputEvent::Gamepad(message) => (message.slot(), Some(message)),
                InputEvent::GamepadNeutral { slot } => (*slot, None),
                _ => continue,
            };
            let Some(place) = self.plugged.get_mut(usize::from(slot)) else { continue };
            if !matches!(message, Some(GamepadMessage::Disconnect { .. })) && place.is_none() {
                if message.is_none() {
                    continue;
                }
                // Also for a page whose first word is a button.
                *place = Some(Cross::default());
                self.flush(&mut waiting);
                self.with_open(|open| open.plug(slot, &layout::identity()));
            }
            let Some(place) = self.plugged.get_mut(usize::from(slot)) else { continue };
            let change = match (message, place.as_mut()) {
                (Some(GamepadMessage::Button { index, value, .. }), Some(cross)) => {
                    cross.button(*index, *value)
                }
                (Some(GamepadMessage::Axis { index, value, .. }), _) => layout::axis(*index, *value),
                // Another player takes over, or heartbeats stopped.
                (Some(GamepadMessage::Connect { .. }) | None, Some(cross)) => {
                    *cross = Cross::default();
                    Some(GamepadChange::Rest)
                }
                (Some(GamepadMessage::Disconnect { .. }), Some(_)) => {
                    *place = None;
                    self.flush(&mut waiting);
                    self.with_open(|open| open.unplug(slot));
                    None
                }
                _ => None,
            };
            waiting.extend(change.map(|change| GamepadEvent { slot, change, received_ns }));
        }
        self.flush(&mut waiting);
    }

    fn flush(&mut self, waiting: &mut Vec<GamepadEvent>) {
        let events = std::mem::take(waiting);
        if !events.is_empty() {
            self.with_open(|open| open.inject(&events));
        }
    }

    /// Calls the plugin, if one is open.
    fn with_open(&mut self, call: impl FnOnce(&mut GamepadInstance) -> Result<(), PluginError>) {
        let Some((at, open)) = &mut self.open else {
            debug!("no gamepad plugin works");
            return;
        };
        match call(open) {
            Ok(()) => self.ways[*at].pauses.worked(),
            Err(error) => self.failed(&error),
        }
    }

    /// Lets go of a way that is lost; the next `ready` opens one.
    fn failed(&mut self, error: &PluginError) {
        warn!(%error, "gamepads do not work");
        if !error.is_final() {
            return;
        }
        self.desk.waits_in(None);
        if let Some((at, _)) = self.open.take() {
            let way = &mut self.ways[at];
            self.gate.report_from(way.slot, error, "gamepad", &way.backend);
            way.retry_at = Some(Instant::now() + way.pauses.failed());
        }
    }
}

fn number(slot: usize) -> u8 {
    u8::try_from(slot).unwrap_or(u8::MAX)
}
