//! The display thread: sizes asked for, newest first.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use selkies_plugin_host::{DisplayInstance, DisplayRequest, HostServices, PluginError};
use tracing::{info, warn};

use crate::{Backend, gate::Gate, slot::Slot};

/// What the display is to become; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Size in pixels.
    pub(crate) size: Option<(u32, u32)>,
    /// Dots per inch.
    pub(crate) dpi: Option<u32>,
}

#[derive(Debug, Default)]
struct Desk {
    wish: Option<Wish>,
    /// Everything that was asked for, to be set again on a new display.
    all: Wish,
    stopped: bool,
}

/// Where sizes are asked for. Only the newest counts.
#[derive(Debug, Default)]
pub(crate) struct DisplayDesk {
    desk: Mutex<Desk>,
    changed: Condvar,
}

impl DisplayDesk {
    /// A desk of a display that has this size already.
    pub(crate) fn with_size(size: Option<(u32, u32)>) -> Self {
        let all = Wish { size, dpi: None };
        Self { desk: Mutex::new(Desk { all, ..Desk::default() }), changed: Condvar::new() }
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.ask(Wish { size: Some((width, height)), dpi: None });
    }

    pub(crate) fn scale(&self, dpi: u32) {
        self.ask(Wish { size: None, dpi: Some(dpi) });
    }

    /// Sets everything again: the display is a new one.
    pub(crate) fn again(&self) {
        self.change(|desk| desk.wish = Some(desk.all));
    }

    /// Sets everything again, before anything else happens on a new display.
    pub(crate) fn set_now(&self, backend: &Backend, services: &HostServices) {
        let all = self.lock().all;
        if let Err(error) = set(&mut None, backend, services, all) {
            warn!(%error, "the new display keeps its size");
        }
    }

    pub(crate) fn stop(&self) {
        self.change(|desk| desk.stopped = true);
    }

    fn ask(&self, wish: Wish) {
        self.change(|desk| {
            desk.all = wish.over(desk.all);
            desk.wish = Some(wish.over(desk.wish.unwrap_or_default()));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Desk)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Wish> {
        let mut desk = self.lock();
        loop {
            if desk.stopped {
                return None;
            }
            if let Some(wish) = desk.wish.take() {
                return Some(wish);
            }
            desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wish {
    /// This wish, and of `other` what this one leaves.
    fn over(self, other: Self) -> Self {
        Self { size: self.size.or(other.size), dpi: self.dpi.or(other.dpi) }
    }
}

/// Serves the desk until it is stopped.
pub(crate) fn run(slot: &Slot, services: &HostServices, desk: &DisplayDesk, gate: &Gate) {
    let (mut display, mut seen, mut backend) = (None, 0, slot.get());
    while let Some(wish) = desk.next() {
        if slot.renewed(&mut seen) && !slot.holds(&backend) {
            (display, backend) = (None, slot.get());
        }
        let backend = &backend;
        if gate.bars(backend.plugin.id()) {
            warn!(?wish, "{}", Gate::reason(backend.plugin.id()));
            continue;
        }
        // A lost display makes a new connection, once per wish.
        for _ in 0..2 {
            let Err(error) = set(&mut display, backend, services, wish) else { break };
            warn!(%error, ?wish, "the display stays as it is");
            if !error.is_final() {
                break;
            }
            display = None;
            if gate.report_from(slot, &error, "display", backend) {
                break;
            }
        }
    }
}

/// Sets a size, cut to what the output allows, and dots per inch.
pub(crate) fn set(
    slot: &mut Option<DisplayInstance>,
    backend: &Backend,
    services: &HostServices,
    wish: Wish,
) -> Result<(), PluginError> {
    let display = match slot {
        Some(display) => display,
        None => slot.insert(open(backend, services)?),
    };
    let outputs = display.outputs()?;
    let Some(output) = outputs.iter().find(|output| output.primary).or(outputs.first()) else {
        warn!("the display has no output");
        return Ok(());
    };
    let (width, height) = wish.size.unwrap_or((output.width, output.height));
    let (width, height) = (width.min(output.max_width), height.min(output.max_height));
    let dpi = wish.dpi.filter(|dpi| *dpi != output.dpi);
    if (width, height) == (output.width, output.height) && dpi.is_none() {
        return Ok(());
    }
    display.apply(&[DisplayRequest {
        name: output.name.clone(),
        enabled: true,
        primary: output.primary,
        x: output.x,
        y: output.y,
        width,
        height,
        refresh_mhz: None,
        dpi,
    }])?;
    info!(width, height, dpi = dpi.unwrap_or(output.dpi), "display changed");
    Ok(())
}

fn open(backend: &Backend, services: &HostServices) -> Result<DisplayInstance, PluginError> {
    DisplayInstance::create(&backend.origin(services))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_wish_counts_and_all_return_on_a_new_display() {
        let desk = DisplayDesk::default();
        desk.resize(800, 600);
        desk.scale(144);
        desk.resize(1024, 768);
        let both = Wish { size: Some((1024, 768)), dpi: Some(144) };
        assert_eq!(desk.next(), Some(both));
        desk.scale(96);
        assert_eq!(desk.next(), Some(Wish { size: None, dpi: Some(96) }));
        desk.again();
        assert_eq!(desk.next(), Some(Wish { size: Some((1024, 768)), dpi: Some(96) }));
        desk.stop();
        assert_eq!(desk.next(), None);
    }
}
