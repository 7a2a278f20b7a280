//! The cursor thread: shapes of the pointer, as PNG.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use selkies_plugin_host::{CursorInstance, CursorShape as Pixels, HostServices, PluginError, Waker};
use selkies_session::{CursorShape, fallback::BackOff};
use tracing::{debug, warn};

use crate::{Backend, Observer, gate::Gate, pointer::Pointer, slot::Slot};

/// Pauses before a lost source is opened again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Ends the thread.
#[derive(Debug, Default)]
pub(crate) struct CursorStop {
    stopped: AtomicBool,
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    waker: Option<Waker>,
    /// There is something to look at.
    looks: bool,
}

impl CursorStop {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.look();
    }

    /// Makes the thread look around.
    pub(crate) fn look(&self) {
        let mut desk = self.desk();
        desk.looks = true;
        self.changed.notify_all();
        if let Some(waker) = &desk.waker {
            waker.wake();
        }
    }

    /// Sleeps until there is something to look at, `time` at most.
    fn rest(&self, time: Duration) {
        let idle = |desk: &mut Desk| !desk.looks;
        let rested = self.changed.wait_timeout_while(self.desk(), time, idle);
        rested.unwrap_or_else(PoisonError::into_inner).0.looks = false;
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn wakes(&self, waker: Option<Waker>) {
        self.desk().waker = waker;
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports shapes until it is stopped.
pub(crate) fn run(
    slot: &Slot,
    services: &HostServices,
    observer: &Arc<dyn Observer>,
    pointer: &Pointer,
    stop: &CursorStop,
    gate: &Gate,
) {
    let (mut failing, mut seen) = (false, 0);
    let mut pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
    while !stop.stopped() {
        if slot.renewed(&mut seen) {
            pauses.worked();
        }
        let backend = slot.get();
        let mut watch = Watch { slot, seen, stop, failing: &mut failing, pauses: &mut pauses };
        if !gate.bars(backend.plugin.id()) {
            match watch.run(&backend, services, observer, pointer) {
                Ok(()) => continue,
                Err(error) if !stop.stopped() => {
                    gate.report_from(slot, &error, "cursor", &backend);
                    if !failing {
                        warn!(%error, "no cursor shapes");
                    }
                    failing = true;
                    stop.wakes(None);
                }
                Err(_) => {}
            }
        }
        if !stop.stopped() {
            stop.rest(pauses.failed());
        }
    }
}

/// One instance's time.
struct Watch<'a> {
    slot: &'a Slot,
    seen: u64,
    stop: &'a CursorStop,
    failing: &'a mut bool,
    pauses: &'a mut BackOff,
}

impl Watch<'_> {
    /// Reports shapes until it is stopped or the plugin renewed.
    fn run(
        &mut self,
        backend: &Backend,
        services: &HostServices,
        observer: &Arc<dyn Observer>,
        pointer: &Pointer,
    ) -> Result<(), PluginError> {
        let mut cursor = CursorInstance::create(&backend.origin(services))?;
        self.stop.wakes(Some(cursor.waker()));
        *self.failing = false;
        while !self.stop.stopped() && !self.slot.renewed(&mut self.seen) {
            if let Some(pixels) = cursor.wait(None)? {
                self.pauses.worked();
                pointer.shaped(&pixels);
                match shape(&pixels) {
                    Ok(shape) => observer.cursor(shape),
                    Err(error) => debug!(%error, "a cursor shape could not be written as PNG"),
                }
            }
        }
        Ok(())
    }
}

fn shape(pixels: &Pixels) -> Result<CursorShape, png::EncodingError> {
    let handle = (pixels.serial & u64::from(u32::MAX)) as u32;
    if !pixels.visible || pixels.width == 0 || pixels.height == 0 {
        return Ok(CursorShape { png: Vec::new(), width: 0, height: 0, hot_x: 0, hot_y: 0, handle });
    }
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, pixels.width, pixels.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels.rgba)?;
    writer.finish()?;
    Ok(CursorShape {
        png,
        width: pixels.width,
        height: pixels.height,
        hot_x: pixels.hot_x,
        hot_y: pixels.hot_y,
        handle,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_rest_ends_when_there_is_something_to_look_at() {
        let stop = CursorStop::default();
        let began = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| stop.rest(LONGEST_PAUSE));
            stop.look();
        });
        assert!(began.elapsed() < LONGEST_PAUSE);
        stop.rest(Duration::from_millis(1));
    }
}
