//! Which encoder serves, and what happens when it fails: the next in order goes on from a keyframe, in the same run.

use std::time::{Duration, Instant};

use selkies_plugin_abi::ENCODER_ANCHORS;
use selkies_plugin_host::CaptureInfo;
use tracing::{info, warn};

use crate::{
    EncoderBackend,
    encoding::{Change, EncodeError, Encoding},
    making::{HUNG, LONG_PATIENCE, Made, Making, PATIENCE},
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
    /// Makes the encoder that the settings name, or the first in order that works. One that takes long goes on being made
    /// while the next is tried, see [`Video::adopt`]; one that failed a moment ago is tried only when the others take very
    /// long. Answers the error of the last one tried when none works, and soon when the thread is to stop or an order may
    /// change the outcome.
    pub(crate) fn choose(&mut self, capture: &CaptureInfo) -> Result<Encoding, String> {
        let (mut last, mut slow, mut waited) = (None, Vec::new(), false);
        for at in self.order() {
            if self.bars(at) {
                continue;
            }
            if self.fallback.rests(at, Instant::now()) && !std::mem::replace(&mut waited, true) {
                match self.first_of(&mut slow, LONG_PATIENCE, capture) {
                    Ok(encoding) => return Ok(encoding),
                    Err(error) => last = error.or(last),
                }
            }
            if self.orders.stopped() {
                break;
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
            slow.push(making);
            let newest = slow.len() - 1;
            self.orders.pause(slow[newest].after(PATIENCE), || slow[newest].is_over());
            if slow[newest].is_over() {
                match self.take(&mut slow, newest, capture) {
                    Ok(encoding) => return Ok(encoding),
                    Err(error) => last = error.or(last),
                }
            }
        }
        match self.first_of(&mut slow, HUNG, capture) {
            Ok(encoding) => return Ok(encoding),
            Err(error) => last = error.or(last),
        }
        let (hung, slow): (Vec<_>, Vec<_>) = slow.into_iter().partition(Making::is_hung);
        for making in hung {
            last = Some(self.unmade(making.chosen()));
            making.part(&self.departures);
        }
        let mut slow = slow.into_iter();
        let other = std::mem::replace(&mut self.making, slow.next());
        slow.chain(other).for_each(|making| making.part(&self.departures));
        Err(last.unwrap_or_else(|| self.no_encoder()))
    }

    /// The first of these that is there before all of them have had `time`; else the error of the last that failed.
    fn first_of(
        &mut self,
        slow: &mut Vec<Making>,
        time: Duration,
        capture: &CaptureInfo,
    ) -> Result<Encoding, Option<String>> {
        let mut last = None;
        while let Some(limit) = slow.iter().map(|making| making.after(time)).max() {
            self.orders.pause(limit, || slow.iter().any(Making::is_over) || self.orders.mends());
            let Some(at) = slow.iter().position(Making::is_over).filter(|_| !self.orders.stopped()) else {
                break;
            };
            match self.take(slow, at, capture) {
                Ok(encoding) => return Ok(encoding),
                Err(error) => last = error.or(last),
            }
        }
        Err(last)
    }

    /// Takes the one with this index into use; the best of those before it goes on being made, the others end. The error is
    /// that of one that failed.
    fn take(
        &mut self,
        slow: &mut Vec<Making>,
        index: usize,
        capture: &CaptureInfo,
    ) -> Result<Encoding, Option<String>> {
        let making = slow.remove(index);
        let at = making.chosen();
        match making.look() {
            Made::Ready(mut encoding) => {
                if self.tune(&mut encoding, capture).is_none() {
                    encoding.part(&self.departures);
                    return Err(None);
                }
                let mut slow = slow.drain(..);
                let better = if index > 0 { slow.next() } else { None };
                slow.for_each(|making| making.part(&self.departures));
                let other = std::mem::replace(&mut self.making, better);
                self.part(other);
                Ok(*encoding)
            }
            Made::Failed(error) => {
                let backend = self.backends.encoders[at].backend.clone();
                Err(Some(self.refused(error, at, &backend)))
            }
            Made::Pending(making) => {
                slow.insert(index, making);
                Err(None)
            }
        }
    }

    /// Ends one that is not wanted any more.
    pub(crate) fn part(&self, making: Option<Making>) {
        if let Some(making) = making {
            making.part(&self.departures);
        }
    }

    /// The encoders that may be used, best first.
    pub(crate) fn order(&self) -> Vec<usize> {
        let encoders = &self.backends.encoders;
        let order =
            self.fallback.order(|at| encoders[at].offer.name == self.settings.encoder, Instant::now());
        order.into_iter().filter(|&at| self.serves(at)).collect()
    }

    /// Whether the page that the stream is made for decodes what this encoder makes. Where there is no encoder for it at
    /// all, the others stream for everybody else.
    pub(crate) fn serves(&self, at: usize) -> bool {
        let Some(codecs) = self.codecs else { return true };
        let fits = |encoder: &EncoderBackend| {
            encoder.codec().is_none_or(|codec| codecs.takes(codec, encoder.is_striped()))
        };
        let encoders = &self.backends.encoders;
        fits(&encoders[at]) || !encoders.iter().any(fits)
    }

    /// Why nothing was even tried.
    fn no_encoder(&self) -> String {
        match self.codecs.filter(|_| (0..self.backends.encoders.len()).any(|at| !self.serves(at))) {
            Some(codecs) => format!(
                "MD016 every encoder plugin for what the page decodes ({codecs}) is unusable or in quarantine. Open the page \
                 over HTTPS or in another browser; `selkies-host plugins list` says why, `selkies-host plugins clear ID` \
                 lets one in again"
            ),
            None => NO_ENCODER.to_owned(),
        }
    }

    /// What was begun for such frames before, or a new beginning.
    pub(crate) fn begun(&mut self, capture: &CaptureInfo, at: usize) -> std::io::Result<Making> {
        let fits = |making: &mut Making| making.chosen() == at && making.fits(capture);
        match self.making.take_if(fits).or_else(|| self.standby.take_if(fits)) {
            Some(making) => Ok(making),
            None => self.begin(capture, at),
        }
    }

    fn begin(&self, capture: &CaptureInfo, at: usize) -> std::io::Result<Making> {
        let encoder = &self.backends.encoders[at];
        Making::start(&self.services, encoder, &self.settings, capture, at, &self.orders, &self.departures)
    }

    /// Brings an encoder up to the settings of now. `None` when it cannot.
    pub(crate) fn tune(&mut self, encoding: &mut Encoding, capture: &CaptureInfo) -> Option<Change> {
        let tuned = encoding.configure(&self.settings, capture);
        tuned.map_err(|error| self.refused(error, encoding.chosen(), encoding.backend())).ok()
    }

    /// Notes that this encoder is in use from now on.
    pub(crate) fn uses(&self, encoding: &Encoding) {
        let EncoderBackend { backend, offer } = &self.backends.encoders[encoding.chosen()];
        self.stream.set_anchors(offer.flags & ENCODER_ANCHORS != 0);
        self.figures.uses(format!("{}/{}", backend.plugin.id(), offer.name));
        self.announce(encoding);
    }

    /// Tells which encoder is in use.
    pub(crate) fn announce(&self, encoding: &Encoding) {
        let encoder = &self.backends.encoders[encoding.chosen()];
        self.observer.encoder_used(&encoder.offer.name, encoder.codec(), encoder.is_striped(), self.codecs);
    }

    /// Takes a slow encoder into use that is there now, if it is better than the one in use. Answers why the run ends
    /// with it, if it does.
    pub(crate) fn adopt(&mut self, run: &mut Run, encoding: &mut Encoding) -> Option<Ended> {
        let making = self.making.take()?;
        let at = making.chosen();
        if making.is_hung() {
            self.unmade(at);
            making.part(&self.departures);
            self.renew_after(at, run, encoding);
            return None;
        }
        match making.look() {
            Made::Pending(making) => self.making = Some(making),
            Made::Failed(error) => {
                let backend = self.backends.encoders[at].backend.clone();
                self.refused(error, at, &backend);
                self.renew_after(at, run, encoding);
            }
            Made::Ready(mut made) => {
                let order = self.order();
                let place = |at: usize| order.iter().position(|&known| known == at);
                let (new, old) = (place(at), place(encoding.chosen()));
                // The same place is a new version of what is in use.
                let better = new.is_some_and(|new| old.is_none_or(|old| new <= old));
                if better && self.tune(&mut made, &run.capture.info()).is_some() {
                    info!(encoder = %self.backends.encoders[at].offer.name, "the encoder is there");
                    return self.install(*made, run, encoding);
                }
                made.part(&self.departures);
                self.renew_after(at, run, encoding);
            }
        }
        None
    }

    /// The encoder with the number `at` will not be taken over: a new version of the one in use may have waited for it.
    fn renew_after(&mut self, at: usize, run: &Run, encoding: &Encoding) {
        if at != encoding.chosen() && !self.is_current(encoding) {
            self.making = self.begun(&run.capture.info(), encoding.chosen()).ok();
        }
    }

    /// Makes the encoder that would go on after a fault of this one, if that is wanted and not done.
    pub(crate) fn stand_by(&mut self, run: &Run, encoding: &Encoding) {
        // Asked after every frame: mostly there is nothing to look at.
        if !self.keeps_standby {
            return;
        }
        let capture = run.capture.info();
        if self.standby.as_ref().is_some_and(|standby| standby.fits(&capture) && !standby.is_hung()) {
            return;
        }
        if let Some(standby) = self.standby.take() {
            if standby.is_hung() {
                self.unmade(standby.chosen());
            }
            standby.part(&self.departures);
        }
        // The better one that is being made is for use, not for later.
        let pending = self.making.as_ref().map(Making::chosen);
        let mut others = self.order().into_iter();
        let next = others.find(|&at| at != encoding.chosen() && Some(at) != pending && !self.bars(at));
        self.standby = next.and_then(|at| self.begin(&capture, at).ok());
    }

    /// After a failed frame: why the run ends with it, if it does.
    pub(crate) fn survive(
        &mut self,
        error: &EncodeError,
        run: &mut Run,
        encoding: &mut Encoding,
    ) -> Option<Ended> {
        warn!(%error, "a frame was not encoded");
        run.reason = Some(Reason::Damage);
        run.keyframe = true;
        self.failures += 1;
        let replace = error.severity().is_none() || self.blame(error, encoding.chosen(), encoding.backend());
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
            Err(_) if self.orders.mends() => return Some(Ended::Anew),
            Err(reason) => return Some(Ended::Failed(reason)),
        };
        if next.chosen() != encoding.chosen() {
            let EncoderBackend { backend, offer } = &self.backends.encoders[next.chosen()];
            warn!(encoder = %offer.name, plugin = backend.plugin.id(), "another encoder goes on");
            self.observer.encoder_replaced(&offer.name, &error.to_string());
        }
        self.install(next, run, encoding)
    }

    /// Encodes with `next` from a keyframe on. Ends the run where that needs more buffers than are free, for nobody knows when
    /// the old one gives back what it has; the next run takes it then.
    fn install(&mut self, next: Encoding, run: &mut Run, encoding: &mut Encoding) -> Option<Ended> {
        // A keyframe comes next, and what the frame before it lies in is free.
        run.last = None;
        if !run.buffers.suffice(next.max_retained()) {
            let next = Making::done(next, &run.capture.info());
            // A better one may still be under way.
            let place = if self.making.is_none() { &mut self.making } else { &mut self.standby };
            let other = place.replace(next);
            self.part(other);
            return Some(Ended::Anew);
        }
        std::mem::replace(encoding, next).part(&self.departures);
        self.uses(encoding);
        self.stream.succeed();
        run.keyframe = true;
        run.reason = Some(Reason::Keyframe);
        self.stream.damaged();
        None
    }
}
