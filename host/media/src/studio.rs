//! All media threads of one session.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Instant,
};

use crossbeam_channel::{Sender, TrySendError, bounded};
use selkies_config::StreamSettings;
use selkies_plugin_abi::ids;
use selkies_plugin_host::{CaptureInstance, FaultClass, HostServices, Plugin, PluginError};
use selkies_session::{
    ClipboardContent, Codecs, InputEvent, Watch,
    fallback::{BackOff, Fallback},
    latency::{Histogram, Recorder, StageRecorder},
};
use tracing::{debug, warn};

use crate::{
    Backend, Backends, Figures, Observer, Stream,
    clipboard::{self, ClipboardDesk},
    cursor::{self, CursorStop},
    display::{self, DisplayDesk, Fit, Wish},
    farewell::{Farewells, UNENDED},
    gamepad::{self, GamepadDesk, is_gamepad},
    gate::Gate,
    input::{self, Batch},
    orders::Orders,
    pointer::Pointer,
    renewal::{Newcomer, Renewal},
    resize::{ResizeError, Resizing},
    slot::Slot,
    turns::Turns,
    video::{self, Revive, Video},
    watermark::Watermark,
};

/// Batches of input that may wait for a busy device; more are dropped.
const MAX_INPUT_BATCHES: usize = 1024;

/// What a studio is made of.
pub struct StudioParts {
    /// The plugins.
    pub backends: Backends,
    /// The host's side of them.
    pub services: HostServices,
    /// What to stream with until told otherwise.
    pub settings: StreamSettings,
    /// Who gets the packets.
    pub stream: Arc<Stream>,
    /// Who hears of events.
    pub observer: Arc<dyn Observer>,
    /// Size that the display gets before the first frame, in pixels.
    pub initial_size: Option<(u32, u32)>,
    /// Keep the encoder that would go on after a fault ready, at the cost of its memory.
    pub standby: bool,
    /// Brings back a display of our own if it ended; answers true when it had. Called on the video thread.
    pub revive: Option<Revive>,
    /// What lies over the picture, if anything.
    pub watermark: Option<Watermark>,
}

/// Why there is no studio.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// Nothing can encode.
    #[error(
        "MD001 no encoder works on this machine. Add an encoder plugin to a folder of --plugins; \
         `selkies-host plugins list` shows what was found"
    )]
    NoEncoder,
    /// A plugin was given a part that it does not play.
    #[error("MD002 {0}")]
    WrongPart(String),
    /// The display could not be given its first size.
    #[error("MD003 the display could not be prepared: {0}")]
    Display(PluginError),
    /// There is no picture to begin with.
    #[error("MD005 no picture: {0}")]
    Capture(PluginError),
    /// The system gives no more threads.
    #[error("MD004 a media thread could not be started: {0}. Raise the limits of the host")]
    Thread(std::io::Error),
}

/// The running threads.
pub struct Studio {
    orders: Arc<Orders>,
    display: Arc<DisplayDesk>,
    cursor: Arc<CursorStop>,
    clipboard: Arc<ClipboardDesk>,
    input: Option<Sender<Batch>>,
    input_times: Option<Arc<Histogram>>,
    dropped_input: Arc<AtomicBool>,
    gamepads: Option<Arc<GamepadDesk>>,
    pointer: Arc<Pointer>,
    gate: Arc<Gate>,
    /// The plugins of the threads that have one of their own.
    slots: Vec<Arc<Slot>>,
    /// The plugins of the video thread.
    in_use: Mutex<Vec<Backend>>,
    services: HostServices,
    figures: Arc<Figures>,
    threads: Vec<JoinHandle<()>>,
    can_resize: bool,
}

impl std::fmt::Debug for Studio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Studio").field("figures", &self.figures.snapshot()).finish_non_exhaustive()
    }
}

impl Studio {
    /// Checks the plugins' parts, gives the display its first size and starts the threads.
    ///
    /// # Errors
    /// [`StudioError`]; nothing runs then.
    pub fn start(parts: StudioParts) -> Result<Self, StudioError> {
        let StudioParts { backends, services, settings, stream, observer, .. } = parts;
        let StudioParts { initial_size, standby, revive, watermark, .. } = parts;
        check(&backends)?;
        if let (Some((width, height)), Some(backend)) = (initial_size, &backends.display) {
            let wish = Wish { size: Some((width, height)), dpi: None };
            match display::set(&mut None, backend, &services, wish, Fit::Cut) {
                // It gets its size when it is there.
                Err(error) if error.class == FaultClass::DeviceLost => {
                    warn!(%error, "the display is not there yet")
                }
                outcome => {
                    outcome.map_err(StudioError::Display)?;
                }
            }
        }
        // A source that cannot even be opened is a mistake of the start, not a fault of the day.
        let proven = prove(&backends.capture, &services)?;
        let gate = Arc::new(Gate::new(observer.clone()));
        let stages = StageRecorder::default();
        let orders = Arc::new(Orders::new(stream.clone()));
        let mut studio = Self {
            pointer: Arc::new(Pointer::new(orders.clone())),
            orders,
            display: Arc::new(DisplayDesk::with_size(initial_size)),
            cursor: Arc::default(),
            clipboard: Arc::default(),
            input: None,
            input_times: None,
            dropped_input: Arc::default(),
            gamepads: None,
            gate: gate.clone(),
            slots: Vec::new(),
            in_use: Mutex::default(),
            services: services.clone(),
            figures: Arc::new(Figures::new(stages.stages())),
            threads: Vec::new(),
            can_resize: backends.display.is_some(),
        };
        let encoders = backends.encoders.iter().map(|encoder| encoder.backend.clone());
        *studio.in_use.get_mut().unwrap_or_else(PoisonError::into_inner) =
            std::iter::once(backends.capture.clone()).chain(encoders).collect();
        if let Some(backend) = backends.display.clone() {
            let (services, desk, gate) = (services.clone(), studio.display.clone(), gate.clone());
            let slot = studio.slot(backend);
            studio.spawn("display", move || display::run(&slot, &services, &desk, &gate))?;
        }
        if let Some(backend) = backends.cursor.clone() {
            let (services, stop, gate) = (services.clone(), studio.cursor.clone(), gate.clone());
            let (observer, slot, pointer) = (observer.clone(), studio.slot(backend), studio.pointer.clone());
            studio.spawn("cursor", move || {
                cursor::run(&slot, &services, &observer, &pointer, &stop, &gate);
            })?;
        }
        if let Some(backend) = backends.clipboard.clone() {
            let (services, desk, gate) = (services.clone(), studio.clipboard.clone(), gate.clone());
            let (observer, slot) = (observer.clone(), studio.slot(backend));
            studio.spawn("clipboard", move || clipboard::run(&slot, &services, &observer, &desk, &gate))?;
        }
        if !backends.input.is_empty() {
            let (send, receive) = bounded(MAX_INPUT_BATCHES);
            let services = services.clone();
            let devices: Vec<_> = backends.input.iter().map(|input| studio.slot(input.clone())).collect();
            studio.input = Some(send);
            let (dropped, gate) = (studio.dropped_input.clone(), gate.clone());
            let desk = backends.clipboard.is_some().then(|| studio.clipboard.clone());
            let times = Recorder::new(Instant::now());
            studio.input_times = Some(times.histogram());
            studio.spawn("input", move || {
                let settle = || desk.iter().for_each(|desk| desk.settle());
                input::run(&devices, &services, &receive, &dropped, &gate, &settle, times);
            })?;
        }
        if !backends.gamepads.is_empty() {
            let (services, observer, gate) = (services.clone(), observer.clone(), gate.clone());
            let ways: Vec<_> = backends.gamepads.iter().map(|way| studio.slot(way.clone())).collect();
            let desk = Arc::new(GamepadDesk::default());
            studio.gamepads = Some(desk.clone());
            studio.spawn("gamepad", move || gamepad::run(&ways, &services, &*observer, &gate, &desk))?;
        }
        let video = Video {
            fallback: Fallback::new(backends.encoders.len()),
            pauses: BackOff::new(video::FIRST_PAUSE, video::LONGEST_PAUSE),
            gate: gate.clone(),
            failures: 0,
            lost: false,
            filmed: false,
            making: None,
            standby: None,
            keeps_standby: standby,
            reopen: false,
            departures: Arc::new(Farewells::new(UNENDED)),
            source: backends.capture.clone(),
            backends,
            services,
            settings,
            stream,
            orders: studio.orders.clone(),
            display: studio.display.clone(),
            observer,
            figures: studio.figures.clone(),
            stages,
            revive,
            pointer: studio.pointer.clone(),
            watermark: watermark.map(Arc::new),
            frame_id: first_frame_id(),
            turns: Turns::new(Instant::now()),
            failing: false,
            changes: 0,
            proven,
            codecs: None,
        };
        studio.spawn("video", move || video.run())?;
        Ok(studio)
    }

    /// Streams with other settings from the next frame on.
    pub fn apply(&self, settings: StreamSettings) {
        self.orders.apply(settings);
    }

    /// Encodes with one of these codecs, as far as there are encoders of them; [`Observer::encoder_used`] answers.
    pub fn choose_among(&self, codecs: Codecs) {
        self.orders.choose_among(codecs);
    }

    /// Lets a plugin be used again that a fault barred.
    pub fn admit(&self, plugin: &str) {
        // One that works is left alone: nothing that it holds is let go of.
        if self.gate.admit(plugin) {
            self.rouse(|slot| slot.admit(plugin));
        }
        self.orders.forgive(plugin);
    }

    /// Begins to take a new version of a plugin into use: what it offers with the configuration in use is to be probed,
    /// which takes time and needs no studio.
    #[must_use]
    pub fn newcomer(&self, plugin: &Plugin) -> Newcomer {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let used = in_use.iter().rfind(|backend| backend.plugin.id() == plugin.id());
        Newcomer {
            plugin: plugin.clone(),
            config: used.map(|backend| backend.config.clone()),
            services: self.services.clone(),
        }
    }

    /// Takes a new version of a plugin into use, wherever the old one is in use, with the configuration that it has there.
    /// Answers in how many places that is.
    pub fn renew(&self, renewal: Renewal) -> usize {
        let plugin = renewal.plugin.clone();
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let mut films = 0;
        for backend in in_use.iter_mut().filter(|backend| backend.plugin.id() == plugin.id()) {
            // The old version's process ends when nobody has the plugin any more.
            backend.plugin = plugin.clone();
            films += 1;
        }
        drop(in_use);
        self.gate.admit(plugin.id());
        let places = self.rouse(|slot| slot.renew(&plugin));
        self.orders.renew(renewal);
        places + films
    }

    /// Changes slots, and makes the threads of those for which `change` is true look at them. Answers how many these are.
    fn rouse(&self, change: impl Fn(&Slot) -> bool) -> usize {
        let changed = self.slots.iter().filter(|slot| change(slot)).count();
        if changed > 0 {
            // Also lets go of old versions.
            self.display.again();
            self.cursor.look();
            self.clipboard.look();
            if let Some(input) = &self.input {
                // Where batches wait, the thread looks anyway.
                let _ = input.try_send(Batch { heard: Instant::now(), events: Vec::new() });
            }
            if let Some(gamepads) = &self.gamepads {
                gamepads.look();
            }
        }
        changed
    }

    /// Makes the next frame stand alone.
    pub fn request_keyframe(&self) {
        self.orders.keyframe();
    }

    /// Gives the display a size, in pixels, when a plugin can.
    pub fn resize(&self, width: u32, height: u32) {
        if self.can_resize {
            self.display.resize(width, height);
        }
    }

    /// Gives the display exactly this size, in pixels. Does not block; the answer tells what came of it.
    ///
    /// # Errors
    /// [`ResizeError::Fixed`].
    pub fn resize_exactly(&self, width: u32, height: u32) -> Result<Resizing, ResizeError> {
        if self.can_resize { Ok(self.display.resize_exactly(width, height)) } else { Err(ResizeError::Fixed) }
    }

    /// Sets the dots per inch that applications scale to, when a plugin can.
    pub fn scale(&self, dpi: u32) {
        if self.can_resize {
            self.display.scale(dpi);
        }
    }

    /// Draws the pointer into the picture from now on, or not.
    pub fn draw_pointer(&self, drawn: bool) {
        self.pointer.want(drawn);
    }

    /// Injects input, in order. Does not block: a device that is busy for long loses events.
    ///
    /// `heard` is when the host had the message that they come from, for [`Studio::input_times`].
    pub fn inject(&self, heard: Instant, events: Vec<InputEvent>) {
        self.pointer.heed(&events);
        let (pads, events): (Vec<_>, Vec<_>) = events.into_iter().partition(is_gamepad);
        if let Some(gamepads) = self.gamepads.as_ref().filter(|_| !pads.is_empty()) {
            self.orders.hurry();
            gamepads.leave(pads);
        }
        let Some(input) = &self.input else { return };
        if events.is_empty() {
            return;
        }
        if events.iter().any(is_answered) {
            self.orders.hurry();
        }
        match input.try_send(Batch { heard, events }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                // Releases may be among what was dropped.
                self.dropped_input.store(true, Ordering::SeqCst);
                warn!("the input device is too slow: input was dropped");
            }
            Err(TrySendError::Disconnected(_)) => debug!("the input thread has ended"),
        }
    }

    /// Makes a content that of the desktop's clipboard, before input that comes later.
    pub fn offer_clipboard(&self, content: ClipboardContent) {
        self.clipboard.offer(content);
    }

    /// Follows the desktop's clipboard so far; [`Observer::clipboard`] tells what it has.
    pub fn watch_clipboard(&self, watch: Watch) {
        self.clipboard.watch(watch);
    }

    /// How long input takes from a client's message in the host to the device, flushed; `None` without an input plugin.
    #[must_use]
    pub fn input_times(&self) -> Option<Arc<Histogram>> {
        self.input_times.clone()
    }

    /// What the video thread counted.
    #[must_use]
    pub fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
    }

    /// Ends every thread; keys that are held are released by the input plugin.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.orders.stop();
        self.display.stop();
        self.cursor.stop();
        self.clipboard.stop();
        self.input = None;
        if let Some(gamepads) = self.gamepads.take() {
            gamepads.stop();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a media thread ended by a panic");
            }
        }
    }

    fn slot(&mut self, backend: Backend) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(backend));
        self.slots.push(slot.clone());
        slot
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StudioError> {
        let thread = Builder::new().name(name.into()).spawn(run).map_err(StudioError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.end();
    }
}

/// True for input that something on the screen usually answers to; the pointer's own moves are shown by the page.
fn is_answered(event: &InputEvent) -> bool {
    matches!(
        event,
        InputEvent::Key { .. }
            | InputEvent::KeyRepeat { .. }
            | InputEvent::Text(_)
            | InputEvent::Button { .. }
            | InputEvent::Wheel { .. }
            | InputEvent::FingerScroll { .. }
    )
}

/// Where frame ids begin. Pages of 2.1.0 keep a stripe that is up to 256 frames "newer" on the 16-bit wire, also over a
/// restart of the host: ids follow the clock, faster than frames, so that those of a new process are ahead.
fn first_frame_id() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (u64::try_from(since_epoch.as_millis()).unwrap_or_default() / 4) & 0xffff
}

/// Opens the source once. `None` when it is not there yet, as an X server that is started beside the host: the video
/// thread keeps trying.
fn prove(backend: &Backend, services: &HostServices) -> Result<Option<CaptureInstance>, StudioError> {
    let opened = video::open(backend, services).and_then(|mut capture| capture.info().map(|_| capture));
    match opened {
        Ok(capture) => Ok(Some(capture)),
        Err(error) if error.class == FaultClass::DeviceLost => Ok(None),
        Err(error) => Err(StudioError::Capture(error)),
    }
}

fn check(backends: &Backends) -> Result<(), StudioError> {
    if backends.encoders.is_empty() {
        return Err(StudioError::NoEncoder);
    }
    let needed = [(Some(&backends.capture), ids::CAPTURE_V1)].into_iter();
    let needed = needed.chain([(backends.display.as_ref(), ids::DISPLAY_V1)]);
    let needed = needed.chain([(backends.cursor.as_ref(), ids::CURSOR_V1)]);
    let needed = needed.chain([(backends.clipboard.as_ref(), ids::CLIPBOARD_V1)]);
    let needed = needed.chain(backends.input.iter().map(|backend| (Some(backend), ids::INPUT_V1)));
    let needed = needed.chain(backends.gamepads.iter().map(|backend| (Some(backend), ids::GAMEPAD_V1)));
    for (backend, table) in needed {
        if let Some(backend) = backend.filter(|backend| !backend.plugin.offers(table)) {
            return Err(StudioError::WrongPart(backend.lacks(table)));
        }
    }
    Ok(())
}
