//! The mode of streaming, and its change while the host runs.

use selkies_session::Event;
use tracing::info;

use super::Hub;
use crate::modes::StreamMode;

impl Hub {
    /// The modes for which there is a transport.
    pub(crate) fn available_modes(&self) -> Vec<StreamMode> {
        StreamMode::ALL.into_iter().filter(|&mode| self.post.transport(mode).is_some()).collect()
    }

    /// Whether connections of this mode are let in.
    pub(crate) fn serves(&self, mode: StreamMode) -> bool {
        self.modes.serves(mode) && self.post.transport(mode).is_some()
    }

    /// Makes another mode the one that pages are to use, and tells those that are there.
    pub(crate) fn switch(&self, mode: StreamMode) {
        if self.modes.switch(mode) {
            info!(mode = mode.name(), "the mode of streaming was switched");
            if let Some(rtc) = self.rtc() {
                // Where pages may choose, both modes are in use.
                rtc.set_in_use(self.modes.serves(StreamMode::Webrtc));
            }
            self.handle(Event::ModeSwitched);
        }
    }
}
