//! What the video thread does with its orders, with a picture or without one.

use selkies_config::StreamSettings;
use tracing::warn;

use crate::{
    encoding::{Change, Encoding},
    orders::Asked,
    shot::{Reason, Run},
    video::{Ended, Video},
};

impl Video {
    /// Carries out all that was asked for; `live` is what runs meanwhile. Answers why the run ends with it, if it does.
    pub(crate) fn heed(&mut self, asked: Asked, live: Option<(&mut Run, &mut Encoding)>) -> Option<Ended> {
        let mended = asked.mends();
        for plugin in &asked.forgiven {
            self.forgive(plugin);
        }
        let mut ends = false;
        let asks = asked.codecs.is_some();
        self.codecs = asked.codecs.or(self.codecs);
        for renewal in asked.renewals {
            ends |= self.renew(renewal);
        }
        let settings = asked.settings.filter(|settings| *settings != self.settings);
        let Some((run, encoding)) = live else {
            if let Some(settings) = settings {
                self.settings = settings;
            }
            return None;
        };
        let mut change = Change::Unseen;
        if let Some(settings) = settings {
            match self.take_over(settings, run, encoding) {
                Some(taken) => change = taken,
                None => ends = true,
            }
        }
        if asks {
            // Nothing more in a codec that the page does not decode; a better one is made beside the one in use.
            ends |= !self.serves(encoding.chosen());
            // Answered also where nothing is new: what was asked for in between may never have been seen.
            if !ends {
                self.announce(encoding);
            }
        }
        if ends {
            return Some(Ended::Anew);
        }
        if mended {
            self.seek(run, encoding);
        }
        // A picture at rest gets its new quality, too; where packets build on each other, without a keyframe.
        let seen = change == Change::Seen;
        if asked.keyframe || seen && encoding.is_intra_only() {
            run.keyframe = true;
            run.reason = Some(Reason::Keyframe);
            self.stream.damaged();
        } else if seen {
            run.whole = true;
            run.reason = Some(Reason::Quality);
            self.stream.damaged();
        }
        None
    }

    /// Takes new settings over. `None` when another encoder must be made.
    fn take_over(&mut self, settings: StreamSettings, run: &Run, encoding: &mut Encoding) -> Option<Change> {
        let chosen = &self.backends.encoders[encoding.chosen()];
        let mut encoders = self.backends.encoders.iter().enumerate();
        let mut offered =
            |name: &str| encoders.any(|(at, encoder)| encoder.offer.name == name && self.serves(at));
        // Only a wish that is new: an encoder that failed is not made again at every change.
        let another = settings.encoder != self.settings.encoder
            && settings.encoder != chosen.offer.name
            && offered(&settings.encoder);
        self.settings = settings;
        if another { None } else { self.tune(encoding, &run.capture.info()) }
    }

    /// Begins to make what should be in use instead of `encoding`: a better one that was mended, or its new version.
    pub(crate) fn seek(&mut self, run: &Run, encoding: &Encoding) {
        let mut better = self.order().into_iter().take_while(|&at| at != encoding.chosen());
        let better = better.find(|&at| !self.bars(at));
        let renewed = (!self.is_current(encoding)).then_some(encoding.chosen());
        let Some(at) = better.or(renewed) else { return };
        let capture = run.capture.info();
        if self.making.as_ref().is_some_and(|making| making.chosen() == at && making.fits(&capture)) {
            return;
        }
        match self.begun(&capture, at) {
            Ok(making) => {
                let other = self.making.replace(making);
                self.part(other);
            }
            Err(error) => warn!(%error, "no thread for an encoder"),
        }
    }
}
