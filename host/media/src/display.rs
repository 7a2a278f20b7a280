//! The display thread: sizes asked for, newest first.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use selkies_plugin_host::{DisplayInstance, DisplayRequest, HostServices, PluginError};
use tracing::{info, warn};

use crate::Backend;

#[derive(Debug, Default)]
struct Wishes {
    size: Option<(u32, u32)>,
    /// The last size that was set, to be set again on a new display.
    last: Option<(u32, u32)>,
    stopped: bool,
}

/// Where sizes are asked for. Only the newest counts.
#[derive(Debug, Default)]
pub(crate) struct DisplayDesk {
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

impl DisplayDesk {
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.change(|wishes| wishes.size = Some((width, height)));
    }

    /// Sets the last size again: the display is a new one.
    pub(crate) fn again(&self) {
        self.change(|wishes| wishes.size = wishes.size.or(wishes.last));
    }

    pub(crate) fn stop(&self) {
        self.change(|wishes| wishes.stopped = true);
    }

    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(u32, u32)> {
        let mut wishes = self.lock();
        loop {
            if wishes.stopped {
                return None;
            }
            if let Some(size) = wishes.size.take() {
                return Some(size);
            }
            wishes = self.changed.wait(wishes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the desk until it is stopped.
pub(crate) fn run(backend: &Backend, services: &HostServices, desk: &Arc<DisplayDesk>) {
    let mut display = None;
    while let Some((width, height)) = desk.next() {
        // A lost display makes a new connection, once per wish.
        for _ in 0..2 {
            match set(&mut display, backend, services, width, height) {
                Ok((width, height)) => {
                    desk.lock().last = Some((width, height));
                    break;
                }
                Err(error) => {
                    warn!(%error, width, height, "the display keeps its size");
                    if !error.is_final() {
                        break;
                    }
                    display = None;
                }
            }
        }
    }
}

/// Sets a size, cut to what the output allows, and answers it.
pub(crate) fn set(
    slot: &mut Option<DisplayInstance>,
    backend: &Backend,
    services: &HostServices,
    width: u32,
    height: u32,
) -> Result<(u32, u32), PluginError> {
    if slot.is_none() {
        let Some(table) = backend.plugin.tables().display() else {
            unreachable!("the studio checks that the plugin offers selkies.display/1")
        };
        *slot = Some(DisplayInstance::create(&backend.origin(services), table)?);
    }
    let Some(display) = slot.as_mut() else { unreachable!("made above") };
    let outputs = display.outputs()?;
    let Some(output) = outputs.iter().find(|output| output.primary).or(outputs.first()) else {
        warn!("the display has no output");
        return Ok((width, height));
    };
    let size = (width.min(output.max_width), height.min(output.max_height));
    if size == (output.width, output.height) {
        return Ok(size);
    }
    display.apply(&[DisplayRequest {
        name: output.name.clone(),
        enabled: true,
        primary: output.primary,
        x: output.x,
        y: output.y,
        width: size.0,
        height: size.1,
        refresh_mhz: None,
        dpi: None,
    }])?;
    info!(width = size.0, height = size.1, "display resized");
    Ok(size)
}
