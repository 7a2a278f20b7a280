//! Speaking to the host of one client, while it is there.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{ClientState, Message, TransportLink, abi};

/// How long [`Voice::close`] waits for calls that had begun. They may be waiting for a lock of whoever closes, so that it
/// must not be for ever.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// The host's functions for one client. No lock is held while the host is called: it may call back, or be waiting for us.
#[derive(Debug)]
pub(crate) struct Voice {
    link: TransportLink,
    client: u64,
    is_closed: AtomicBool,
    speaking: AtomicU32,
}

impl Voice {
    pub(crate) fn new(link: TransportLink, client: u64) -> Self {
        Self { link, client, is_closed: AtomicBool::new(false), speaking: AtomicU32::new(0) }
    }

    pub(crate) fn client(&self) -> u64 {
        self.client
    }

    /// After this returns, no call for the client begins.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        let until = Instant::now() + LAST_WORDS;
        while self.speaking.load(SeqCst) > 0 && Instant::now() < until {
            thread::yield_now();
        }
    }

    fn speak(&self, call: impl FnOnce(&TransportLink, u64)) {
        self.speaking.fetch_add(1, SeqCst);
        if !self.is_closed.load(SeqCst) {
            call(&self.link, self.client);
        }
        self.speaking.fetch_sub(1, SeqCst);
    }

    pub(crate) fn message(&self, channel: u32, message: Message<'_>) {
        self.speak(|link, client| link.message(client, channel, message));
    }

    pub(crate) fn signal(&self, json: &str) {
        self.speak(|link, client| link.signal(client, json));
    }

    pub(crate) fn feedback(&self, feedback: abi::Feedback) {
        self.speak(|link, client| link.feedback(client, feedback));
    }

    pub(crate) fn request_keyframe(&self, stream: u32) {
        self.speak(|link, client| link.request_keyframe(client, stream));
    }

    pub(crate) fn codec(&self, stream: u32, codec: u32) {
        self.speak(|link, client| link.client_codec(client, stream, codec));
    }

    pub(crate) fn state(&self, state: ClientState, reason: &str) {
        self.speak(|link, client| link.client_state(client, state, reason));
    }
}
