//! Keeps what an encoder answers.

use std::sync::Mutex;

use selkies_plugin_host::{EncodedPacket, EncoderSink, FrameFinished};

/// Packets and ends of frames, in the order in which they came.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) packets: Mutex<Vec<EncodedPacket>>,
    pub(crate) done: Mutex<Vec<FrameFinished>>,
}

impl EncoderSink for Sink {
    fn packet(&self, packet: EncodedPacket) {
        self.packets.lock().unwrap().push(packet);
    }

    fn done(&self, done: FrameFinished) {
        self.done.lock().unwrap().push(done);
    }
}
