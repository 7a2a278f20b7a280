//! Which encoder serves, and what happens when it fails: the next in order goes on from a keyframe, in the same run.

use std::time::{Duration, Instant};

use selkies_plugin_host::{CaptureInfo, FaultClass, PluginError};
use selkies_session::fallback::Severity;
use tracing::{info, warn};

use crate::{
    EncoderBackend, PluginFault,
    encoding::{EncodeError, Encoding, severity},
    making::{Made, Making, PATIENCE},
    shot::{Reason, Run},
    video::{Ended, Video},
};

/// Frames in a row that may fail before the page is told that there is no picture.
const MAX_FAILURES: u32 = 5;
/// Pause after a failure that follows another: what fails on and on must not take a core.
const FAILURE_PAUSE: Duration = Duration::from_millis(50);
/// How long the picture waits for an encoder when no other works: longer than any start-up deadline of a plugin.
const LAST_PATIENCE: Duration = Duration::from_secs(8);
/// What is said when that was not enough.
const TOO_SLOW: &str = "MD013 no encoder was ready in time. Add another encoder plugin";
/// What is said when every encoder is barred.
const NO_ENCODER: &str = "MD011 every encoder plugin is unusable or in quarantine. `selkies-host plugins list` says why; \
     `selkies-host plugins clear ID` lets one in again";

impl Video {
    /// Makes the encoder that the settings name, or the first in order that works. One that takes long goes on being made
    /// while the next is tried, see [`Video::adopt`]. Answers the error of the last one tried when none works.
    pub(crate) fn choose(&mut self, capture: &CaptureInfo) -> Result<Encoding, String> {
        let (mut last, mut slow) = (None, None);
        for at in self.order() {
            if self.gate.bars(self.backends.encoders[at].backend.plugin.id()) {
                continue;
            }
            let making = match self.begun(capture, at) {
                Ok(making) => making,
                Err(error) => {
                    last = Some(format!(
                        "MD004 no thread for an encoder: {error}. Raise the limits of the host"
                    ));
                    continue;
                }
            };
            match making.wait(Some(Instant::now() + PATIENCE)) {
                Made::Ready(mut encoding) => {
                    if self.tune(&mut encoding, capture) {
                        self.making = slow;
                        return Ok(*encoding);
                    }
                }
                Made::Failed(error) => last = Some(self.refused(error, at)),
                Made::Pending(making) => slow = slow.or(Some(making)),
            }
        }
        let Some(slow) = slow else { return Err(last.unwrap_or_else(|| NO_ENCODER.to_owned())) };
        let at = slow.chosen();
        match slow.wait(Some(Instant::now() + LAST_PATIENCE)) {
            Made::Ready(mut encoding) => {
                if self.tune(&mut encoding, capture) {
                    Ok(*encoding)
                } else {
                    Err(TOO_SLOW.to_owned())
                }
            }
            Made::Failed(error) => Err(self.refused(error, at)),
            Made::Pending(_) => Err(TOO_SLOW.to_owned()),
        }
    }

    /// The encoders, best first.
    fn order(&self) -> Vec<usize> {
        let encoders = &self.backends.encoders;
        self.fallback.order(|at| encoders[at].offer.name == self.settings.encoder, Instant::now())
    }

    /// What was begun for such frames before, or a new beginning.
    pub(crate) fn begun(&mut self, capture: &CaptureInfo, at: usize) -> std::io::Result<Making> {
        let fits = |making: &mut Making| making.chosen() == at && making.fits(capture);
        if let Some(making) = self.making.take_if(fits).or_else(|| self.standby.take_if(fits)) {
            return Ok(making);
        }
        let encoder = &self.backends.encoders[at];
        Making::start(&self.services, encoder, &self.settings, capture, at, &self.orders)
    }

    /// Brings an encoder up to the settings of now and takes it into use. False when it cannot.
    fn tune(&self, encoding: &mut Encoding, capture: &CaptureInfo) -> bool {
        let encoder = &self.backends.encoders[encoding.chosen()];
        let tuned = encoding.configure(encoder, &self.settings, capture);
        if tuned {
            self.figures.uses(format!("{}/{}", encoder.backend.plugin.id(), encoder.offer.name));
        }
        tuned
    }

    /// Remembers why an encoder cannot be made.
    fn refused(&mut self, error: PluginError, at: usize) -> String {
        warn!(%error, encoder = %self.backends.encoders[at].offer.name, "encoder cannot be used");
        let text = error.to_string();
        // One that refuses these settings may be right to do so.
        if severity(&error).is_some_and(|severity| severity != Severity::Passing) {
            self.blame(&EncodeError::Plugin(error), at);
        }
        text
    }

    /// Takes a slow encoder into use that is there now, if it is better than the one in use. Answers why the run ends
    /// with it, if it does.
    pub(crate) fn adopt(&mut self, run: &mut Run, encoding: &mut Encoding) -> Option<Ended> {
        let making = self.making.take()?;
        let at = making.chosen();
        match making.wait(None) {
            Made::Pending(making) => self.making = Some(making),
            Made::Failed(error) => {
                self.refused(error, at);
            }
            Made::Ready(mut made) => {
                let order = self.order();
                let place = |at: usize| order.iter().position(|&known| known == at);
                // The same place is a new version of what is in use.
                if place(at) <= place(encoding.chosen()) && self.tune(&mut made, &run.capture.info()) {
                    info!(encoder = %self.backends.encoders[at].offer.name, "the encoder is there");
                    return self.install(*made, run, encoding);
                }
            }
        }
        None
    }

    /// Makes the encoder that would go on after a fault of this one, if that is wanted and not done.
    pub(crate) fn stand_by(&mut self, run: &Run, encoding: &Encoding) {
        // Asked after every frame: mostly there is nothing to look at.
        if !self.keeps_standby {
            return;
        }
        let capture = run.capture.info();
        if self.standby.as_ref().is_some_and(|standby| standby.fits(&capture)) {
            return;
        }
        let next = self.order().into_iter().find(|&at| {
            at != encoding.chosen() && !self.gate.bars(self.backends.encoders[at].backend.plugin.id())
        });
        self.standby = next.and_then(|at| self.begun(&capture, at).ok());
    }

    /// After a failed frame: why the run ends with it, if it does.
    pub(crate) fn survive(
        &mut self,
        error: &EncodeError,
        run: &mut Run,
        encoding: &mut Encoding,
    ) -> Option<Ended> {
        let encoder = encoding.chosen();
        warn!(%error, "a frame was not encoded");
        run.reason = Some(Reason::Damage);
        run.keyframe = true;
        self.failures += 1;
        let replace = error.severity().is_none() || self.blame(error, encoder);
        if self.failures >= MAX_FAILURES {
            self.failures = 0;
            return Some(Ended::Failed(error.to_string()));
        }
        if self.failures > 1 {
            self.orders.rest(FAILURE_PAUSE);
        }
        if replace { self.replace(error, run, encoding) } else { None }
    }

    /// Puts another encoder in the place of one that failed. Ends the run where that needs other buffers.
    fn replace(&mut self, error: &EncodeError, run: &mut Run, encoding: &mut Encoding) -> Option<Ended> {
        let next = match self.choose(&run.capture.info()) {
            Ok(next) => next,
            Err(reason) => return Some(Ended::Failed(reason)),
        };
        if next.chosen() != encoding.chosen() {
            let EncoderBackend { backend, offer } = &self.backends.encoders[next.chosen()];
            warn!(encoder = %offer.name, plugin = backend.plugin.id(), "another encoder goes on");
            self.observer.encoder_replaced(&offer.name, &error.to_string());
        }
        self.install(next, run, encoding)
    }

    /// Encodes with `next` from a keyframe on. Ends the run where that needs more buffers.
    fn install(&mut self, next: Encoding, run: &mut Run, encoding: &mut Encoding) -> Option<Ended> {
        let retained = |encoding: &Encoding| self.backends.encoders[encoding.chosen()].offer.max_retained;
        if retained(&next) > retained(encoding) {
            return Some(Ended::Anew);
        }
        *encoding = next;
        run.keyframe = true;
        run.reason = Some(Reason::Keyframe);
        self.stream.damaged();
        None
    }

    /// Forgets the faults of a plugin's encoders.
    pub(crate) fn forgive(&mut self, plugin: &str) {
        for (at, encoder) in self.backends.encoders.iter().enumerate() {
            if encoder.backend.plugin.id() == plugin {
                self.fallback.forgive(at);
            }
        }
    }

    /// Remembers a failure of an encoder. True when another must go on.
    fn blame(&mut self, error: &EncodeError, encoder: usize) -> bool {
        let backend = &self.backends.encoders[encoder].backend;
        let barred = match error {
            EncodeError::Plugin(error) => self.gate.report(error, "encoder", backend),
            EncodeError::Hung(_) => {
                let fault = PluginFault {
                    plugin: backend.plugin.id().into(),
                    version: backend.plugin.version().to_owned(),
                    part: "encoder",
                    code: "MD010",
                    call: "encoder.submit",
                    text: error.to_string(),
                    class: FaultClass::FatalInstance.to_string(),
                    ending: None,
                    counts: true,
                };
                self.gate.tell(&fault, false)
            }
        };
        let severity = error.severity();
        severity.is_some_and(|severity| self.fallback.fault(encoder, severity, Instant::now())) || barred
    }
}
