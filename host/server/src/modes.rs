//! How the stream travels: over WebSockets, over WebRTC, or as each page likes.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Switches at once …
const SWITCHES: u32 = 5;
/// … and the time in which one more is allowed: each makes every page look again, and those that follow begin anew.
const SWITCH_REFILL: Duration = Duration::from_secs(10);

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
    /// When all switches are allowed again.
    refilled: Mutex<Option<Instant>>,
}

impl Modes {
    pub(crate) fn new(mode: StreamMode, dual: bool) -> Self {
        Self { webrtc: AtomicBool::new(mode == StreamMode::Webrtc), dual, refilled: Mutex::default() }
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

    /// Whether the mode may be switched once more. True counts as a switch.
    pub(crate) fn may_switch(&self, now: Instant) -> bool {
        let mut refilled = self.refilled.lock().unwrap_or_else(PoisonError::into_inner);
        let from = refilled.map_or(now, |at| at.max(now));
        let may = from + SWITCH_REFILL <= now + SWITCH_REFILL * SWITCHES;
        if may {
            *refilled = Some(from + SWITCH_REFILL);
        }
        may
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
    fn a_flood_of_switches_is_held_back() {
        let modes = Modes::new(StreamMode::Websockets, true);
        let start = Instant::now();
        assert!((0..SWITCHES).all(|_| modes.may_switch(start)));
        assert!(!modes.may_switch(start));
        assert!(!modes.may_switch(start + SWITCH_REFILL / 2));
        assert!(modes.may_switch(start + SWITCH_REFILL));
        assert!(!modes.may_switch(start + SWITCH_REFILL));
        let later = start + SWITCH_REFILL * 100;
        assert_eq!((0..100).filter(|_| modes.may_switch(later)).count(), SWITCHES as usize);
    }

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
