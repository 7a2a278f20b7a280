//! What waits to be written to one client.
//!
//! The pacing of video keeps a few frames in flight at most, so the queue is short by construction; its limits are the
//! second line of defence, for control messages to a client that does not read.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that may wait for one client; a 4K keyframe of JPEG stripes has a few MiB.
pub const MAX_QUEUED_BYTES: usize = 32 * 1024 * 1024;
/// Messages that may wait for one client.
pub const MAX_QUEUED_MESSAGES: usize = 8192;
/// Sound that may wait for one client, in messages: half a second of 20 ms. What is older is left out: nobody wants to
/// hear it later.
pub(crate) const MAX_QUEUED_SOUND: usize = 25;
/// How long a client to which sound was not sent is one whose sound gets lost.
const LOSSY: Duration = Duration::from_secs(30);

/// One message to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// UTF-8 text.
    Text(String),
    /// Bytes, shared by every client that gets them.
    Binary(Bytes),
    /// Bytes that are sound: the oldest are left out where too many wait.
    Sound(Bytes),
    /// A ping that carries a frame id.
    Mark(u16),
    /// Ends the connection, with the WebSocket close code and reason.
    Close(u16, String),
}

impl Outgoing {
    /// Bytes of its content.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Sound(bytes) => bytes.len(),
            Self::Mark(_) => 2,
            Self::Close(_, reason) => reason.len(),
        }
    }
}

/// The client does not take what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the client does not read: {messages} messages of {bytes} bytes wait for it (SV010); it is disconnected"
)]
pub(crate) struct Overflow {
    /// Messages waiting.
    pub(crate) messages: usize,
    /// Bytes waiting.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Outgoing>,
    bytes: usize,
    /// Messages of sound among them.
    sounds: usize,
    /// When sound was left out last.
    sound_lost: Option<Instant>,
    closed: bool,
}

impl Waiting {
    fn leave_out_oldest_sound(&mut self) {
        let is_sound = |message: &Outgoing| matches!(message, Outgoing::Sound(_));
        if let Some(oldest) = self.messages.iter().position(is_sound)
            && let Some(message) = self.messages.remove(oldest)
        {
            self.bytes -= message.len();
            self.sounds -= 1;
            self.sound_lost = Some(Instant::now());
        }
    }

    fn take(&mut self) -> VecDeque<Outgoing> {
        (self.bytes, self.sounds) = (0, 0);
        std::mem::take(&mut self.messages)
    }
}

/// The queue of one client: filled from any thread, emptied by the client's writer.
#[derive(Debug, Default)]
pub(crate) struct ClientQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    /// Told once nothing more will be queued.
    ended: Notify,
}

impl ClientQueue {
    /// Adds a message. Nothing follows a [`Outgoing::Close`].
    ///
    /// # Errors
    /// [`Overflow`] when a limit is reached; the caller ends the client.
    pub(crate) fn push(&self, message: Outgoing) -> Result<(), Overflow> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Ok(());
        }
        let is_sound = matches!(message, Outgoing::Sound(_));
        if is_sound && waiting.sounds == MAX_QUEUED_SOUND {
            waiting.leave_out_oldest_sound();
        }
        let bytes = waiting.bytes + message.len();
        if bytes > MAX_QUEUED_BYTES || waiting.messages.len() >= MAX_QUEUED_MESSAGES {
            return Err(Overflow { messages: waiting.messages.len(), bytes: waiting.bytes });
        }
        let closes = matches!(message, Outgoing::Close(..));
        waiting.closed = closes;
        waiting.bytes = bytes;
        waiting.sounds += usize::from(is_sound);
        waiting.messages.push_back(message);
        drop(waiting);
        if closes {
            self.ended.notify_one();
        }
        self.filled.notify_one();
        Ok(())
    }

    /// Drops what waits and ends the connection.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        let mut waiting = self.lock();
        waiting.messages.clear();
        waiting.messages.push_back(Outgoing::Close(code, reason.to_owned()));
        (waiting.bytes, waiting.sounds, waiting.closed) = (0, 0, true);
        drop(waiting);
        self.ended.notify_one();
        self.filled.notify_one();
    }

    /// Bytes that wait.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether sound for this client was left out lately.
    #[must_use]
    pub(crate) fn loses_sound(&self) -> bool {
        self.lock().sound_lost.is_some_and(|at| at.elapsed() < LOSSY)
    }

    /// Completes once the connection is to be closed. For one waiter.
    pub(crate) async fn ended(&self) {
        while !self.lock().closed {
            self.ended.notified().await;
        }
    }

    /// Takes everything that waits now.
    pub(crate) fn take_now(&self) -> VecDeque<Outgoing> {
        self.lock().take()
    }

    /// Takes everything that waits, once there is something. For one reader.
    pub(crate) async fn take(&self) -> VecDeque<Outgoing> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.messages.is_empty() {
                    return waiting.take();
                }
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_in_order_and_nothing_follows_a_close() {
        let queue = ClientQueue::default();
        queue.push(Outgoing::Text("a".into())).expect("room");
        queue.push(Outgoing::Close(1000, "bye".into())).expect("room");
        queue.push(Outgoing::Text("b".into())).expect("ignored");
        let taken: Vec<_> = queue.take().await.into();
        assert_eq!(taken, [Outgoing::Text("a".into()), Outgoing::Close(1000, "bye".into())]);
    }

    #[test]
    fn a_client_that_does_not_read_loses_old_sound_and_nothing_else() {
        let queue = ClientQueue::default();
        let sound = |n: usize| Outgoing::Sound(Bytes::from(vec![n as u8; 100]));
        queue.push(Outgoing::Text("first".into())).expect("room");
        for n in 0..MAX_QUEUED_SOUND {
            queue.push(sound(n)).expect("room");
        }
        assert!(!queue.loses_sound());
        for n in MAX_QUEUED_SOUND..10_000 {
            queue.push(sound(n)).expect("what is older makes room");
            if n % 100 == 0 {
                assert_eq!(queue.lock().sounds, MAX_QUEUED_SOUND);
            }
        }
        assert!(queue.loses_sound());
        let taken = queue.take_now();
        let sounds: Vec<_> = taken.iter().filter(|message| matches!(message, Outgoing::Sound(_))).collect();
        assert_eq!(sounds.len(), MAX_QUEUED_SOUND);
        assert_eq!(sounds[MAX_QUEUED_SOUND - 1], &sound(9999), "the newest are kept");
        assert_eq!(taken[0], Outgoing::Text("first".into()), "only sound makes room");
        assert_eq!(queue.bytes(), 0);
        queue.push(sound(1)).expect("room");
        assert_eq!(queue.lock().sounds, 1);
    }

    #[test]
    fn the_queue_is_bounded_in_bytes_and_messages() {
        let queue = ClientQueue::default();
        let chunk = Bytes::from(vec![0; MAX_QUEUED_BYTES / 4]);
        for _ in 0..4 {
            queue.push(Outgoing::Binary(chunk.clone())).expect("room");
        }
        assert!(queue.push(Outgoing::Binary(chunk)).is_err());
        let queue = ClientQueue::default();
        for _ in 0..MAX_QUEUED_MESSAGES {
            queue.push(Outgoing::Text(String::new())).expect("room");
        }
        assert!(queue.push(Outgoing::Text(String::new())).is_err());
        queue.close(1008, "does not read");
        assert_eq!(queue.bytes(), 0);
    }
}
