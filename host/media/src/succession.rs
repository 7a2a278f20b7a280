//! Which encoder serves, and what happens when it fails: the next in order goes on from a keyframe, in the same run.

use std::time::{Duration, Instant};

use selkies_plugin_host::CaptureInfo;
use selkies_session::fallback::Severity;
use tracing::warn;

use crate::{
    PluginFault,
    encoding::{EncodeError, Encoding, severity},
    shot::{Reason, Run},
    video::{Ended, Video},
};

/// Frames in a row that may fail before the page is told that there is no picture.
const MAX_FAILURES: u32 = 5;
/// Pause after a failure that follows another: what fails on and on must not take a core.
const FAILURE_PAUSE: Duration = Duration::from_millis(50);
/// What is said when every encoder is barred.
const NO_ENCODER: &str = "MD011 every encoder plugin is unusable or in quarantine. `selkies-host plugins list` says why; \
     `selkies-host plugins clear ID` lets one in again";

impl Video {
    /// Makes the encoder that the settings name, or the first in order that works. Answers the error of the last one
    /// tried when none works.
    pub(crate) fn choose(&mut self, capture: &CaptureInfo) -> Result<Encoding, String> {
        let encoders = &self.backends.encoders;
        let wished = |at: usize| encoders[at].offer.name == self.settings.encoder;
        let mut last = None;
        for at in self.fallback.order(wished, Instant::now()) {
            let encoder = &self.backends.encoders[at];
            if self.gate.bars(encoder.backend.plugin.id()) {
                continue;
            }
            match Encoding::create(&self.services, encoder, &self.settings, capture, at) {
                Ok(encoding) => {
                    self.figures.uses(format!("{}/{}", encoder.backend.plugin.id(), encoder.offer.name));
                    return Ok(encoding);
                }
                Err(error) => {
                    warn!(%error, encoder = %encoder.offer.name, "encoder cannot be used");
                    // One that refuses these settings may be right to do so.
                    if severity(&error).is_some_and(|severity| severity != Severity::Passing) {
                        self.blame(&EncodeError::Plugin(error.clone()), at);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(|| NO_ENCODER.to_owned(), |error| error.to_string()))
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
    fn replace(&mut self, error: &EncodeError, run: &Run, encoding: &mut Encoding) -> Option<Ended> {
        let next = match self.choose(&run.capture.info()) {
            Ok(next) => next,
            Err(reason) => return Some(Ended::Failed(reason)),
        };
        let (before, offer) = (encoding.chosen(), &self.backends.encoders[next.chosen()].offer);
        if next.chosen() != before {
            let reason = error.to_string();
            warn!(encoder = %offer.name, plugin = self.backends.encoders[next.chosen()].backend.plugin.id(), "another encoder goes on");
            self.observer.encoder_replaced(&offer.name, &reason);
        }
        if offer.max_retained > self.backends.encoders[before].offer.max_retained {
            return Some(Ended::Anew);
        }
        *encoding = next;
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
                    counts: true,
                };
                self.gate.tell(&fault, false)
            }
        };
        let severity = error.severity();
        severity.is_some_and(|severity| self.fallback.fault(encoder, severity, Instant::now())) || barred
    }
}
