//! The video thread: damage and demand in, packets out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, CaptureSignal, Damage, FaultClass, HostServices, PluginError,
    RunningCapture, SubmitOptions, VideoFrame, now_ns,
};
use selkies_session::pacing::{Demand, Priority};
use tracing::{info, warn};

use crate::{
    Backend, Backends, Figures, Observer, Stream,
    buffers::Buffers,
    display::DisplayDesk,
    encoding::{EncodeError, Encoding},
    orders::Orders,
};

/// First pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Least time between two keyframes for followers that lack one.
const FOLLOWER_KEYFRAME: Duration = Duration::from_secs(1);
/// Sources that change faster than a frame is taken this often in a row count as failing.
const MAX_CHANGES: u32 = 16;

/// Brings a display of our own back if it has gone.
pub(crate) type Revive = Box<dyn FnMut() + Send>;

/// Everything that the thread owns.
pub(crate) struct Video {
    pub(crate) backends: Backends,
    pub(crate) services: HostServices,
    pub(crate) settings: StreamSettings,
    pub(crate) stream: Arc<Stream>,
    pub(crate) orders: Arc<Orders>,
    pub(crate) display: Arc<DisplayDesk>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) revive: Option<Revive>,
    /// Counts over captures and encoders: ids never run backwards.
    pub(crate) frame_id: u64,
    /// Faults per encoder, as in [`Backends::encoders`].
    pub(crate) faults: Vec<u32>,
    /// When the next frame may be taken at the earliest.
    pub(crate) next_frame: Instant,
    pub(crate) failing: bool,
    /// Runs that a changed source ended before their first frame.
    pub(crate) changes: u32,
    /// The capture that proved to work when the studio was started.
    pub(crate) proven: Option<CaptureInstance>,
}

/// Why a run ended without a failure of the capture.
enum Ended {
    Stopped,
    /// The source has another size, or another encoder is wanted.
    Anew,
}

/// Why the thread wants to encode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Damage,
    Refine,
    Keyframe,
}

impl Video {
    /// Runs until it is stopped.
    pub(crate) fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut idle = self.proven.take();
        while !self.orders.stopped() {
            let capture =
                idle.take().map_or_else(|| open(&self.backends.capture, &self.services).map_err(text), Ok);
            match capture.and_then(|capture| self.film(capture)) {
                Ok((Ended::Stopped, _)) => return,
                Ok((Ended::Anew, capture)) => {
                    idle = capture;
                    pause = FIRST_PAUSE;
                }
                Err(reason) => {
                    if !self.failing {
                        warn!(%reason, "no picture");
                    }
                    self.failing = true;
                    self.stream.restart();
                    self.observer.video_failed(&reason);
                    self.orders.rest(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if let Some(revive) = &mut self.revive {
                        revive();
                    }
                }
            }
        }
    }

    /// Streams from a capture until something ends it.
    fn film(&mut self, mut capture: CaptureInstance) -> Result<(Ended, Option<CaptureInstance>), String> {
        let info = capture.info().map_err(text)?;
        let encoders = &self.backends.encoders;
        let mut encoding =
            Encoding::choose(&self.services, encoders, &self.settings, &info, &self.faults).map_err(text)?;
        let encoder = &encoders[encoding.chosen()];
        self.figures.uses(format!("{}/{}", encoder.backend.plugin.id(), encoder.offer.name));
        let buffers = Buffers::new(&info, encoder.offer.max_retained).map_err(|error| error.to_string())?;
        let request =
            CaptureRequest { area: buffers.whole(), output: String::new(), buffers: buffers.shared() };
        let running = match capture.start(request) {
            Ok(running) => running,
            // It changed between `info` and `start`.
            Err(failure) if self.may_change(&failure.error) => {
                return Ok((Ended::Anew, Some(failure.capture)));
            }
            Err(failure) => return Err(failure.error.to_string()),
        };
        info!(width = info.width, height = info.height, encoder = %encoder.offer.name, "streaming");
        self.orders.wakes(Some(running.waker()));
        self.stream.restart();
        self.observer.display(info.width, info.height);
        if std::mem::take(&mut self.failing) {
            self.observer.video_recovered();
            // A new display knows nothing of the size that the old one had.
            self.display.again();
        }
        let mut run = Run {
            capture: running,
            buffers,
            last: None,
            refine_at: None,
            reason: None,
            keyframe: true,
            last_keyframe: Instant::now(),
        };
        let ended = self.roll(&mut run, &mut encoding);
        self.orders.wakes(None);
        let Run { capture, last, .. } = run;
        drop(last);
        match ended {
            Ok(Ended::Stopped) => Ok((Ended::Stopped, None)),
            Ok(Ended::Anew) => Ok((Ended::Anew, capture.stop().ok())),
            Err(error) if self.may_change(&error) => Ok((Ended::Anew, capture.stop().ok())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// True for an error that says "begin anew with what the source is now", which is no failure unless it goes on and on.
    fn may_change(&mut self, error: &PluginError) -> bool {
        self.changes += 1;
        error.class == FaultClass::Reconfigure && !error.is_final() && self.changes <= MAX_CHANGES
    }

    fn roll(&mut self, run: &mut Run, encoding: &mut Encoding) -> Result<Ended, PluginError> {
        loop {
            if self.orders.stopped() {
                return Ok(Ended::Stopped);
            }
            if let Some(asked) = self.orders.take() {
                if let Some(settings) = asked.settings
                    && !self.take_over(settings, run, encoding)
                {
                    return Ok(Ended::Anew);
                }
                if asked.keyframe {
                    run.keyframe = true;
                    run.reason = Some(Reason::Keyframe);
                    self.stream.damaged();
                }
                continue;
            }
            let orders = &self.orders;
            if self.stream.active() == 0 {
                // Nobody looks: the damage waits where it is.
                self.stream.pause(None, |fan| fan.active() > 0 || orders.pending());
                continue;
            }
            self.serve_newcomers(run);
            let Some(reason) = run.reason else {
                if let Some(ended) = self.await_damage(run)? {
                    return Ok(ended);
                }
                continue;
            };
            if let Demand::Wait(limit) = self.stream.demand() {
                // An acknowledgement may set an earlier time, too.
                self.stream.pause(limit, |fan| {
                    fan.active() == 0 || orders.pending() || fan.demand(Instant::now()) != Demand::Wait(limit)
                });
                self.stream.pump();
                continue;
            }
            if Instant::now() < self.next_frame {
                self.stream.pause(Some(self.next_frame), |_| orders.pending());
                continue;
            }
            if reason == Reason::Refine && run.capture.wait(Some(Duration::ZERO))? == CaptureSignal::Damage {
                run.reason = Some(Reason::Damage);
            }
            if !self.shoot(run, encoding)? {
                return Ok(Ended::Anew);
            }
        }
    }

    /// Asks for a keyframe when a client cannot go on without one. Encoders whose packets stand alone never need it: the
    /// fan-out has everything.
    fn serve_newcomers(&self, run: &mut Run) {
        let wanted = match self.stream.keyframe_wanted() {
            Some(Priority::Lead) => true,
            Some(Priority::Follower) => run.last_keyframe.elapsed() >= FOLLOWER_KEYFRAME,
            None => false,
        };
        if wanted && !run.keyframe {
            run.keyframe = true;
            run.reason = Some(Reason::Keyframe);
            self.stream.damaged();
        }
    }

    /// Waits for damage, the time to refine, or a client's turn.
    fn await_damage(&self, run: &mut Run) -> Result<Option<Ended>, PluginError> {
        let limit = [run.refine_at, self.stream.next_wakeup()].into_iter().flatten().min();
        let left = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
        match run.capture.wait(left)? {
            CaptureSignal::Damage => {
                run.reason = Some(Reason::Damage);
                self.stream.damaged();
            }
            CaptureSignal::Resized { width, height } => {
                info!(width, height, "the display has a new size");
                return Ok(Some(Ended::Anew));
            }
            CaptureSignal::Nothing => {
                self.stream.pump();
                if run.refine_at.take_if(|at| *at <= Instant::now()).is_some() {
                    run.reason = Some(Reason::Refine);
                    self.stream.damaged();
                }
            }
        }
        Ok(None)
    }

    /// Takes and encodes one frame. False when another encoder must be made.
    fn shoot(&mut self, run: &mut Run, encoding: &mut Encoding) -> Result<bool, PluginError> {
        let refine = run.reason == Some(Reason::Refine) && run.last.is_some() && !run.keyframe;
        self.stream.encode_started();
        let began = Instant::now();
        if !refine {
            run.last = None;
            match run.grab() {
                Ok(frame) => run.last = frame,
                Err(error) => {
                    self.stream.encode_finished(Vec::new(), false);
                    return Err(error);
                }
            }
        }
        let grabbed = Instant::now();
        self.figures.grabbed(nanos(began, grabbed));
        run.reason = None;
        let Some(frame) = &run.last else {
            // Every buffer is with the encoder; its next frame done brings us back.
            self.stream.encode_finished(Vec::new(), false);
            run.reason = Some(Reason::Damage);
            return Ok(true);
        };
        let frame = if refine { frame.clone().with_damage(Damage::Rects(Vec::new())) } else { frame.clone() };
        if !refine && !run.keyframe && frame.damage().is_empty() {
            self.stream.encode_finished(Vec::new(), true);
            return Ok(true);
        }
        self.pace();
        self.frame_id += 1;
        let options = SubmitOptions { keyframe: run.keyframe, refine, ..SubmitOptions::default() };
        match encoding.encode(&frame, self.frame_id, &options) {
            Ok(encoded) => {
                if std::mem::take(&mut run.keyframe) {
                    run.last_keyframe = Instant::now();
                }
                self.changes = 0;
                let bytes = encoded.packets.iter().map(|packet| packet.data.payload().len() as u64).sum();
                let took = nanos(grabbed, Instant::now());
                self.figures.encoded(took, encoded.packets.len() as u64, bytes, refine);
                run.refine_at = encoded
                    .refine_at_ns
                    .map(|at| Instant::now() + Duration::from_nanos(at.saturating_sub(now_ns())));
                self.stream.encode_finished(encoded.packets, true);
                Ok(true)
            }
            Err(error) => {
                self.stream.encode_finished(Vec::new(), false);
                Ok(self.survive(&error, run, encoding.chosen()))
            }
        }
    }

    /// After a failed frame: true when the encoder may go on.
    fn survive(&mut self, error: &EncodeError, run: &mut Run, encoder: usize) -> bool {
        warn!(%error, "a frame was not encoded");
        run.reason = Some(Reason::Damage);
        run.keyframe = true;
        if let Some(faults) = self.faults.get_mut(encoder) {
            *faults += 1;
        }
        if !error.may_retry() {
            return false;
        }
        // An encoder that fails on and on must not take a core.
        self.orders.rest(Duration::from_millis(50));
        true
    }

    /// Takes new settings over. False when another encoder must be made.
    fn take_over(&mut self, settings: StreamSettings, run: &Run, encoding: &mut Encoding) -> bool {
        if settings == self.settings {
            return true;
        }
        let chosen = &self.backends.encoders[encoding.chosen()];
        let offered = |name: &str| self.backends.encoders.iter().any(|encoder| encoder.offer.name == name);
        let another = settings.encoder != chosen.offer.name && offered(&settings.encoder);
        self.settings = settings;
        !another && encoding.configure(chosen, &self.settings, &run.capture.info())
    }

    /// Sets the earliest time of the next frame: the frame rate on average, a frame at once after a pause.
    fn pace(&mut self) {
        let (now, period) = (Instant::now(), Duration::from_secs(1) / self.settings.framerate.max(1));
        let due = self.next_frame + period;
        self.next_frame = if due < now { now } else { due };
    }
}

/// One run of a capture.
struct Run {
    capture: RunningCapture,
    buffers: Buffers,
    /// The newest frame, for refinement. Dropped before its buffer is written again.
    last: Option<VideoFrame>,
    refine_at: Option<Instant>,
    reason: Option<Reason>,
    /// The next frame must stand alone.
    keyframe: bool,
    last_keyframe: Instant,
}

impl Run {
    /// Takes a picture; `None` when every buffer is still in use.
    fn grab(&mut self) -> Result<Option<VideoFrame>, PluginError> {
        let Some((index, refresh)) = self.buffers.free() else { return Ok(None) };
        let frame = self.capture.grab(index, refresh)?;
        self.buffers.written(index, frame.damage());
        Ok(Some(frame))
    }
}

/// Opens the source.
pub(crate) fn open(backend: &Backend, services: &HostServices) -> Result<CaptureInstance, PluginError> {
    let Some(table) = backend.plugin.tables().capture() else {
        unreachable!("the studio checks that the plugin offers selkies.capture/1")
    };
    CaptureInstance::create(&backend.origin(services), table)
}

fn text(error: PluginError) -> String {
    error.to_string()
}

fn nanos(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_nanos() as u64
}
