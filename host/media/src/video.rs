//! The video thread: damage and demand in, packets out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, CaptureSignal, FaultClass, HostServices, PluginError, RunningCapture,
};
use selkies_session::{
    Codecs,
    fallback::{BackOff, Fallback},
    latency::StageRecorder,
    pacing::Demand,
};
use tracing::{info, warn};

use crate::{
    Backend, Backends, Figures, Observer, Stream,
    buffers::Buffers,
    display::DisplayDesk,
    encoding::{Departures, Encoding},
    gate::Gate,
    making::Making,
    orders::Orders,
    overlay::Overlay,
    pointer::Pointer,
    shot::{Reason, Run},
    stream::Help,
    turns::Turns,
    watermark::Watermark,
};

/// First pause after a failure; it doubles up to [`LONGEST_PAUSE`].
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Sources that change faster than a frame is taken this often in a row count as failing.
const MAX_CHANGES: u32 = 16;

/// How long instances may take to end when the thread does.
const LAST_FAREWELL: Duration = Duration::from_secs(1);

/// Brings a display of our own back if it has gone; true when it had.
pub(crate) type Revive = Box<dyn FnMut() -> bool + Send>;

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
    /// How long frames take, for the readers of `figures`.
    pub(crate) stages: StageRecorder,
    pub(crate) revive: Option<Revive>,
    /// The pointer, should it be in the picture.
    pub(crate) pointer: Arc<Pointer>,
    /// What lies over the picture.
    pub(crate) watermark: Option<Arc<Watermark>>,
    /// Counts over captures and encoders: ids never run backwards.
    pub(crate) frame_id: u64,
    /// What the encoders of [`Backends::encoders`] did wrong.
    pub(crate) fallback: Fallback,
    /// What the page decodes that the stream is made for; `None` before there is one.
    pub(crate) codecs: Option<Codecs>,
    /// Pauses between attempts to get a picture.
    pub(crate) pauses: BackOff,
    pub(crate) gate: Arc<Gate>,
    /// An encoder that is better than the one in use, and slow to be made.
    pub(crate) making: Option<Making>,
    /// The encoder that goes on after a fault, kept ready.
    pub(crate) standby: Option<Making>,
    pub(crate) keeps_standby: bool,
    /// Where what is not used any more ends.
    pub(crate) departures: Arc<Departures>,
    /// What the capture in use was opened from.
    pub(crate) source: Backend,
    /// The capture is of an old version: it is not used for another run.
    pub(crate) reopen: bool,
    /// Frames in a row that were not encoded.
    pub(crate) failures: u32,
    /// When frames may be taken.
    pub(crate) turns: Turns,
    pub(crate) failing: bool,
    /// The capture failed and was not opened since.
    pub(crate) lost: bool,
    /// A frame was encoded since the last failure.
    pub(crate) filmed: bool,
    /// Runs that a changed source ended before their first frame.
    pub(crate) changes: u32,
    /// The capture that proved to work when the studio was started.
    pub(crate) proven: Option<CaptureInstance>,
}

/// Why a run ended without a failure of the capture.
pub(crate) enum Ended {
    Stopped,
    /// The source has another size, or another encoder is wanted.
    Anew,
    /// Frames cannot be encoded, for this reason.
    Failed(String),
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The capture failed.
    #[error(transparent)]
    Capture(#[from] PluginError),
    /// Anything else, in one line.
    #[error("{0}")]
    Other(String),
}

impl Video {
    /// Runs until it is stopped.
    pub(crate) fn run(mut self) {
        self.film_on();
        let (making, standby) = (self.making.take(), self.standby.take());
        self.part(making);
        self.part(standby);
        if !self.departures.wait(LAST_FAREWELL) {
            warn!("an encoder that is not used any more has not ended");
        }
    }

    fn film_on(&mut self) {
        let mut idle = self.proven.take();
        while !self.orders.stopped() {
            self.count_unended();
            // Also while nothing works: an order may mend that.
            if let Some(asked) = self.orders.take() {
                self.heed(asked, None);
            }
            if std::mem::take(&mut self.reopen) {
                idle = None;
            }
            match self.capture(idle.take()).and_then(|capture| self.film(capture)) {
                Ok((Ended::Stopped, _)) => return,
                Ok((Ended::Anew, capture)) => idle = capture,
                Ok((Ended::Failed(reason), capture)) => {
                    idle = capture;
                    self.fail(&reason);
                }
                Err(trouble) => {
                    self.lost = true;
                    if let Trouble::Capture(error) = &trouble {
                        self.blame_capture(error);
                    }
                    self.fail(&trouble.to_string());
                }
            }
        }
    }

    /// The capture that is open, or a new one.
    fn capture(&mut self, idle: Option<CaptureInstance>) -> Result<CaptureInstance, Trouble> {
        self.source = self.backends.capture.clone();
        let backend = &self.source;
        match idle {
            Some(capture) => Ok(capture),
            None if self.gate.bars(backend.plugin.id()) => {
                Err(Trouble::Other(Gate::reason(backend.plugin.id())))
            }
            None => Ok(open(backend, &self.services)?),
        }
    }

    /// Tells that there is no picture, rests, and looks after a display of our own.
    fn fail(&mut self, reason: &str) {
        if self.orders.stopped() {
            return;
        }
        if !self.failing {
            warn!(%reason, "no picture");
        }
        self.failing = true;
        self.stream.restart();
        self.observer.video_failed(reason);
        // A run that had pictures begins a new count.
        if std::mem::take(&mut self.filmed) {
            self.pauses.worked();
        }
        let pause = self.pauses.failed();
        self.orders.rest_until_mended(pause);
        if !self.orders.stopped()
            && let Some(revive) = &mut self.revive
            && revive()
            && let Some(backend) = &self.backends.display
        {
            // Before the first picture: a display of our own begins at its largest size.
            self.display.set_now(backend, &self.services);
        }
    }

    /// Streams from a capture until something ends it.
    fn film(&mut self, mut capture: CaptureInstance) -> Result<(Ended, Option<CaptureInstance>), Trouble> {
        let info = capture.info()?;
        let mut encoding = match self.choose(&info) {
            Ok(encoding) => encoding,
            Err(_) if self.orders.mends() => return Ok((Ended::Anew, Some(capture))),
            Err(reason) => return Err(Trouble::Other(reason)),
        };
        let buffers = match Buffers::new(&info, encoding.max_retained()) {
            Ok(buffers) => buffers,
            Err(error) => {
                encoding.part(&self.departures);
                return Err(Trouble::Other(error.to_string()));
            }
        };
        let overlay = Overlay::new(self.watermark.as_ref(), &self.pointer, &info, buffers.shared());
        let request =
            CaptureRequest { area: buffers.whole(), output: String::new(), buffers: buffers.shared() };
        let running = match capture.start(request) {
            Ok(running) => running,
            // It changed between `info` and `start`.
            Err(failure) if self.may_change(&failure.error) => {
                encoding.part(&self.departures);
                return Ok((Ended::Anew, Some(failure.capture)));
            }
            Err(failure) => {
                encoding.part(&self.departures);
                return Err(failure.error.into());
            }
        };
        self.uses(&encoding);
        let name = &self.backends.encoders[encoding.chosen()].offer.name;
        info!(width = info.width, height = info.height, encoder = %name, "streaming");
        self.orders.wakes(Some(running.waker()));
        self.stream.restart();
        self.observer.display(info.width, info.height);
        if std::mem::take(&mut self.lost) {
            // A new display knows nothing of the size that the old one had.
            self.display.again();
        }
        let mut run = Run {
            capture: running,
            buffers,
            last: None,
            refine_at: None,
            reason: None,
            damaged_at: None,
            keyframe: true,
            whole: false,
            overlay,
        };
        let ended = self.roll(&mut run, &mut encoding);
        self.orders.wakes(None);
        let Run { capture, last, .. } = run;
        drop(last);
        encoding.part(&self.departures);
        match ended {
            Ok(Ended::Stopped) => Ok((Ended::Stopped, None)),
            Ok(ended) => Ok((ended, self.halt(capture))),
            Err(error) if self.may_change(&error) => Ok((Ended::Anew, self.halt(capture))),
            Err(error) => Err(error.into()),
        }
    }

    /// Stops a capture, so that it can start again; one that cannot is opened anew.
    fn halt(&self, capture: RunningCapture) -> Option<CaptureInstance> {
        let stopped = capture.stop().inspect_err(|failure| {
            warn!(error = %failure.error, "the capture was not stopped");
            self.blame_capture(&failure.error);
        });
        stopped.ok()
    }

    /// True for an error that says "begin anew with what the source is now", which is no failure unless it goes on and on.
    fn may_change(&mut self, error: &PluginError) -> bool {
        if error.class != FaultClass::Reconfigure || error.is_final() {
            return false;
        }
        self.changes += 1;
        self.changes <= MAX_CHANGES
    }

    fn roll(&mut self, run: &mut Run, encoding: &mut Encoding) -> Result<Ended, PluginError> {
        loop {
            if self.orders.stopped() {
                return Ok(Ended::Stopped);
            }
            if let Some(asked) = self.orders.take() {
                if let Some(ended) = self.heed(asked, Some((&mut *run, &mut *encoding))) {
                    return Ok(ended);
                }
                continue;
            }
            if let Some(ended) = self.adopt(run, encoding) {
                return Ok(ended);
            }
            self.count_unended();
            if self.pointer.takes_change() && run.overlay.is_some() {
                run.damaged();
                self.stream.damaged();
            }
            let orders = &self.orders;
            if self.stream.active() == 0 {
                // Nobody looks: the damage waits where it is.
                self.stream.pause(self.departures.due(), |fan| fan.active() > 0 || orders.pending());
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
                let limit = limit.into_iter().chain(self.departures.due()).min();
                self.stream.pause_for_demand(limit, || orders.pending());
                self.stream.pump();
                continue;
            }
            if Instant::now() < self.turns.next() && !self.stream.reacts() {
                self.stream.pause(Some(self.turns.next()), |_| orders.pending());
                continue;
            }
            if matches!(reason, Reason::Refine | Reason::Anchor) {
                // While a client's turn was awaited, something may have changed after all.
                match run.capture.wait(Some(Duration::ZERO))? {
                    CaptureSignal::Damage => run.damaged(),
                    CaptureSignal::Resized { .. } => return Ok(Ended::Anew),
                    CaptureSignal::Nothing => {}
                }
            }
            if let Some(ended) = self.shoot(run, encoding)? {
                return Ok(ended);
            }
        }
    }

    /// Asks for a keyframe when a client cannot go on without one, or for less where that does. Encoders whose packets stand
    /// alone never need it: the fan-out has everything.
    fn serve_newcomers(&self, run: &mut Run) {
        if run.keyframe {
            return;
        }
        match self.stream.takes_help() {
            Some(Help::Keyframe) => {
                run.keyframe = true;
                run.reason = Some(Reason::Keyframe);
            }
            // What comes next is predicted from what it has.
            Some(Help::Anchor) if run.reason.is_none() => run.reason = Some(Reason::Anchor),
            Some(Help::Anchor) | None => return,
        }
        self.stream.damaged();
    }

    /// Waits for damage, the time to refine, a client's turn, or the time to blame what does not end.
    fn await_damage(&self, run: &mut Run) -> Result<Option<Ended>, PluginError> {
        let step = run.overlay.as_ref().and_then(Overlay::due);
        let limit = run.refine_at.into_iter().chain(self.departures.due()).chain(step).min();
        let signal = self.stream.while_waiting(limit, |limit| {
            run.capture.wait(limit.map(|limit| limit.saturating_duration_since(Instant::now())))
        })?;
        match signal {
            CaptureSignal::Damage => {
                run.damaged();
                self.stream.damaged();
            }
            CaptureSignal::Resized { width, height } => {
                info!(width, height, "the display has a new size");
                return Ok(Some(Ended::Anew));
            }
            CaptureSignal::Nothing => {
                self.stream.pump();
                // It stays due until a frame is encoded: what looks like damage may be none.
                if step.is_some_and(|step| step <= Instant::now()) {
                    run.damaged();
                    self.stream.damaged();
                } else if run.refine_at.is_some_and(|at| at <= Instant::now()) {
                    run.reason = Some(Reason::Refine);
                    self.stream.damaged();
                }
            }
        }
        Ok(None)
    }
}

/// Opens the source.
pub(crate) fn open(backend: &Backend, services: &HostServices) -> Result<CaptureInstance, PluginError> {
    CaptureInstance::create(&backend.origin(services))
}
