//! How the stream travels: over WebSockets, over WebRTC, or as each page likes.

use std::sync::atomic::{AtomicBool, Ordering};

/// A way for the stream to travel, by 2.1.0's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMode {
    /// Pictures and input on one WebSocket.
    Websockets,
    /// Pictures over RTP, input over data channels.
    Webrtc,
}

impl StreamMode {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Websockets, Self::Webrtc];

    /// Its name in settings and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Websockets => "websockets",
            Self::Webrtc => "webrtc",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// The mode in use, and whether the other one is served, too.
#[derive(Debug)]
pub(crate) struct Modes {
    webrtc: AtomicBool,
    dual: bool,
}

impl Modes {
    pub(crate) fn new(mode: StreamMode, dual: bool) -> Self {
        Self { webrtc: AtomicBool::new(mode == StreamMode::Webrtc), dual }
    }

    /// The mode that pages are to use.
    pub(crate) fn current(&self) -> StreamMode {
        if self.webrtc.load(Ordering::Relaxed) { StreamMode::Webrtc } else { StreamMode::Websockets }
    }

    /// Whether pages may choose.
    pub(crate) fn dual(&self) -> bool {
        self.dual
    }

    /// Whether connections of this mode are let in.
    pub(crate) fn serves(&self, mode: StreamMode) -> bool {
        self.dual || self.current() == mode
    }

    /// Makes another mode the current one; false when it is that already.
    pub(crate) fn switch(&self, mode: StreamMode) -> bool {
        let webrtc = mode == StreamMode::Webrtc;
        self.webrtc.swap(webrtc, Ordering::Relaxed) != webrtc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mode_is_served_unless_both_are() {
        let modes = Modes::new(StreamMode::Websockets, false);
        assert!(modes.serves(StreamMode::Websockets) && !modes.serves(StreamMode::Webrtc));
        let modes = Modes::new(StreamMode::Webrtc, false);
        assert!(!modes.serves(StreamMode::Websockets) && modes.serves(StreamMode::Webrtc));
        let modes = Modes::new(StreamMode::Websockets, true);
        assert!(StreamMode::ALL.into_iter().all(|mode| modes.serves(mode)));
        assert!(modes.switch(StreamMode::Webrtc) && !modes.switch(StreamMode::Webrtc));
        assert_eq!(modes.current(), StreamMode::Webrtc);
        assert_eq!(StreamMode::from_name("webrtc"), Some(StreamMode::Webrtc));
        assert_eq!(StreamMode::from_name("WebRTC"), None);
    }
}
