//! Whose fault it was: what the video thread's plugins did wrong is told, counted, and makes another one go on.

use std::time::Instant;

use selkies_plugin_host::PluginError;
use selkies_session::fallback::Severity;
use tracing::warn;

use crate::{
    Backend, PluginFault,
    encoding::{EncodeError, Encoding, severity},
    video::Video,
};

impl Video {
    /// True when nothing may be made from this encoder's plugin.
    pub(crate) fn bars(&self, encoder: usize) -> bool {
        self.gate.bars(self.backends.encoders[encoder].backend.plugin.id())
    }

    /// False when a new version took the place of what it was made from.
    pub(crate) fn is_current(&self, encoding: &Encoding) -> bool {
        self.is_used(encoding.chosen(), encoding.backend())
    }

    fn is_used(&self, encoder: usize, backend: &Backend) -> bool {
        self.backends.encoders[encoder].backend.plugin.is_same(&backend.plugin)
    }

    /// Remembers a failure of an encoder that was made from `backend`. True when another must go on. What an old version
    /// does after its time is told, and counted against nobody.
    pub(crate) fn blame(&mut self, error: &EncodeError, encoder: usize, backend: &Backend) -> bool {
        let current = self.is_used(encoder, backend);
        let hang = |code, call| {
            let fault = PluginFault::hang(backend, code, call, error.to_string());
            self.gate.tell(&PluginFault { counts: current, ..fault }, false)
        };
        let barred = match error {
            EncodeError::Plugin(error) if current => self.gate.report(error, "encoder", backend),
            EncodeError::Plugin(error) => {
                self.gate.mention(error, "encoder", backend);
                false
            }
            EncodeError::Hung(_) => hang("MD010", "encoder.submit"),
            EncodeError::Unmade(_) => hang("MD014", "encoder.create"),
            EncodeError::Unended(_) => hang("MD015", "encoder.destroy"),
        };
        if !current {
            return true;
        }
        let severity = error.severity();
        severity.is_some_and(|severity| self.fallback.fault(encoder, severity, Instant::now())) || barred
    }

    /// Remembers why an encoder cannot be made, or not with these settings.
    pub(crate) fn refused(&mut self, error: PluginError, encoder: usize, backend: &Backend) -> String {
        warn!(%error, encoder = %self.backends.encoders[encoder].offer.name, "encoder cannot be used");
        let text = error.to_string();
        // One that refuses these settings may be right to do so.
        if severity(&error).is_some_and(|severity| severity != Severity::Passing) {
            self.blame(&EncodeError::Plugin(error), encoder, backend);
        }
        text
    }

    /// Remembers that an encoder was not made at all. A thread is lost with it where the plugin is in this process.
    pub(crate) fn unmade(&mut self, encoder: usize) -> String {
        let backend = self.backends.encoders[encoder].backend.clone();
        let error = EncodeError::Unmade(backend.plugin.id().to_owned());
        warn!(%error, "encoder cannot be used");
        self.blame(&error, encoder, &backend);
        error.to_string()
    }

    /// Remembers which encoders do not end although they are not used any more. Each keeps a thread and its frames. It is a
    /// fault of the plugin; an instance of it that works goes on.
    pub(crate) fn count_unended(&mut self) {
        for (encoder, backend) in self.departures.overdue() {
            let error = EncodeError::Unended(backend.plugin.id().to_owned());
            warn!(%error, "an encoder that is not used any more");
            self.blame(&error, encoder, &backend);
        }
    }

    /// Tells of an error of the capture in use.
    pub(crate) fn blame_capture(&self, error: &PluginError) {
        if self.source.plugin.is_same(&self.backends.capture.plugin) {
            self.gate.report(error, "capture", &self.source);
        } else {
            self.gate.mention(error, "capture", &self.source);
        }
    }

    /// Forgets the faults of a plugin's encoders.
    pub(crate) fn forgive(&mut self, plugin: &str) {
        for (at, encoder) in self.backends.encoders.iter().enumerate() {
            if encoder.backend.plugin.id() == plugin {
                self.fallback.forgive(at);
            }
        }
    }
}
