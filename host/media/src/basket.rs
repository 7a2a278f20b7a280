//! What an encoder's threads answer to one frame.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use selkies_plugin_host::{EncodedPacket, EncoderSink, FrameFinished};

#[derive(Default)]
struct Collected {
    packets: Vec<EncodedPacket>,
    finished: Option<FrameFinished>,
}

/// Where an encoder's threads put packets until the frame is done.
#[derive(Default)]
pub(crate) struct Basket {
    collected: Mutex<Collected>,
    done: Condvar,
}

impl Basket {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what came of an earlier frame.
    pub(crate) fn clear(&self) {
        self.lock().packets.clear();
    }

    /// What a frame became, if it is done.
    pub(crate) fn take(&self, frame_id: u64) -> Option<(Vec<EncodedPacket>, FrameFinished)> {
        let mut collected = self.lock();
        let finished = collected.finished.take_if(|finished| finished.frame_id == frame_id)?;
        Some((std::mem::take(&mut collected.packets), finished))
    }

    /// The same, waiting until `limit`.
    pub(crate) fn wait(&self, frame_id: u64, limit: Instant) -> Option<(Vec<EncodedPacket>, FrameFinished)> {
        let mut collected = self.lock();
        loop {
            if let Some(finished) = collected.finished.take_if(|finished| finished.frame_id == frame_id) {
                return Some((std::mem::take(&mut collected.packets), finished));
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            collected = self.done.wait_timeout(collected, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl EncoderSink for Basket {
    fn packet(&self, packet: EncodedPacket) {
        self.lock().packets.push(packet);
    }

    fn done(&self, done: FrameFinished) {
        self.lock().finished = Some(done);
        self.done.notify_all();
    }
}
