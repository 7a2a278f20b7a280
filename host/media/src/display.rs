//! The display thread: sizes asked for, newest first.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;
use selkies_plugin_host::{DisplayInstance, DisplayRequest, HostServices, PluginError};
use tracing::{info, warn};

use crate::{
    Backend,
    gate::Gate,
    resize::{ResizeError, Resized, Resizing},
    slot::Slot,
};

/// What the display is to become; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Size in pixels.
    pub(crate) size: Option<(u32, u32)>,
    /// Dots per inch.
    pub(crate) dpi: Option<u32>,
}

/// What becomes of a size that the display does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is cut to what it allows: browsers' windows have any size.
    Cut,
    /// It is refused.
    Exact,
}

/// A wish, and who waits for what becomes of it.
#[derive(Debug)]
struct Order {
    wish: Wish,
    askers: Vec<Sender<Resized>>,
}

#[derive(Debug, Default)]
struct Desk {
    wish: Option<Wish>,
    /// Who wants exactly the size of `wish`.
    askers: Vec<Sender<Resized>>,
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

    /// Asks for exactly this size; the answer tells what came of it.
    pub(crate) fn resize_exactly(&self, width: u32, height: u32) -> Resizing {
        let (tell, resizing) = Resizing::begin();
        self.change(|desk| {
            let size = Some((width, height));
            desk.wish = Some(Wish { size, dpi: None }.over(desk.wish.unwrap_or_default()));
            desk.askers.push(tell);
        });
        resizing
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
        if let Err(error) = set(&mut None, backend, services, all, Fit::Cut) {
            warn!(%error, "the new display keeps its size");
        }
    }

    pub(crate) fn stop(&self) {
        self.change(|desk| {
            desk.stopped = true;
            desk.askers.clear();
        });
    }

    /// A new display is to get the size that was set exactly, too.
    fn keep(&self, size: (u32, u32), fit: Fit) {
        if fit == Fit::Exact {
            self.lock().all.size = Some(size);
        }
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

    fn next(&self) -> Option<Order> {
        let mut desk = self.lock();
        loop {
            if desk.stopped {
                return None;
            }
            if let Some(wish) = desk.wish.take() {
                return Some(Order { wish, askers: std::mem::take(&mut desk.askers) });
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
    while let Some(Order { wish, askers }) = desk.next() {
        if slot.renewed(&mut seen) && !slot.holds(&backend) {
            (display, backend) = (None, slot.get());
        }
        let backend = &backend;
        if gate.bars(backend.plugin.id()) {
            let reason = Gate::reason(backend.plugin.id());
            warn!(?wish, "{reason}");
            tell(&askers, &Err(ResizeError::Refused(reason)));
            continue;
        }
        let fit = if askers.is_empty() { Fit::Cut } else { Fit::Exact };
        let mut outcome = Err(ResizeError::Unanswered);
        // A lost display makes a new connection, once per wish.
        for _ in 0..2 {
            let error = match set(&mut display, backend, services, wish, fit) {
                Ok(size) => {
                    outcome = Ok(size);
                    break;
                }
                Err(error) => error,
            };
            warn!(%error, ?wish, "the display stays as it is");
            outcome = Err(ResizeError::Refused(error.to_string()));
            if !error.is_final() {
                break;
            }
            display = None;
            if gate.report_from(slot, &error, "display", backend) {
                break;
            }
        }
        if let Ok(size) = outcome {
            desk.keep(size, fit);
        }
        tell(&askers, &outcome);
    }
}

fn tell(askers: &[Sender<Resized>], outcome: &Resized) {
    for asker in askers {
        // Who does not wait any more need not know.
        let _ = asker.try_send(outcome.clone());
    }
}

/// Sets a size, cut to what the output allows where it may be, and dots per inch. Answers the size that it has then.
pub(crate) fn set(
    slot: &mut Option<DisplayInstance>,
    backend: &Backend,
    services: &HostServices,
    wish: Wish,
    fit: Fit,
) -> Result<(u32, u32), PluginError> {
    let display = match slot {
        Some(display) => display,
        None => slot.insert(open(backend, services)?),
    };
    let outputs = display.outputs()?;
    let Some(output) = outputs.iter().find(|output| output.primary).or(outputs.first()) else {
        warn!("the display has no output");
        return Ok((0, 0));
    };
    let (wide, high) = wish.size.unwrap_or((output.width, output.height));
    let (mut width, mut height) = (wide, high);
    if fit == Fit::Cut {
        (width, height) = (wide.min(output.max_width), high.min(output.max_height));
        if (width, height) != (wide, high) {
            info!("{wide}x{high} was asked for, this display allows {width}x{height}");
        }
    }
    let dpi = wish.dpi.filter(|dpi| *dpi != output.dpi);
    if (width, height) == (output.width, output.height) && dpi.is_none() {
        return Ok((width, height));
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
    // Plugins round to what their devices can do.
    let now = if fit == Fit::Exact { display.outputs()? } else { Vec::new() };
    let output = now.iter().find(|output| output.primary).or(now.first());
    Ok(output.map_or((width, height), |output| (output.width, output.height)))
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
        let next = || desk.next().map(|order| order.wish);
        let both = Wish { size: Some((1024, 768)), dpi: Some(144) };
        assert_eq!(next(), Some(both));
        desk.scale(96);
        assert_eq!(next(), Some(Wish { size: None, dpi: Some(96) }));
        desk.again();
        assert_eq!(next(), Some(Wish { size: Some((1024, 768)), dpi: Some(96) }));
        desk.stop();
        assert_eq!(next(), None);
    }

    #[test]
    fn who_wants_a_size_exactly_is_told_and_a_refused_one_is_forgotten() {
        let desk = DisplayDesk::default();
        desk.resize(800, 600);
        let resizing = desk.resize_exactly(4000, 3000);
        let order = desk.next().expect("a wish");
        assert_eq!(order.wish.size, Some((4000, 3000)));
        tell(&order.askers, &Err(ResizeError::Fixed));
        assert_eq!(resizing.wait(), Err(ResizeError::Fixed));
        desk.again();
        assert_eq!(desk.next().and_then(|order| order.wish.size), Some((800, 600)));
        desk.keep((640, 480), Fit::Exact);
        let late = desk.resize_exactly(1024, 768);
        desk.stop();
        assert_eq!(late.wait(), Err(ResizeError::Unanswered));
        assert_eq!(desk.lock().all.size, Some((640, 480)));
    }
}
