//! What waits to be written to one client.
//!
//! The pacing of video keeps a few frames in flight at most, so the queue is short by construction; its limits are the
//! second line of defence, for control messages to a client that does not read.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that may wait for one client; a 4K keyframe of JPEG stripes has a few MiB.
pub const MAX_QUEUED_BYTES: usize = 32 * 1024 * 1024;
/// Messages that may wait for one client.
pub const MAX_QUEUED_MESSAGES: usize = 8192;

/// One message to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// UTF-8 text.
    Text(String),
    /// Bytes, shared by every client that gets them.
    Binary(Bytes),
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
            Self::Binary(bytes) => bytes.len(),
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
    closed: bool,
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
        let bytes = waiting.bytes + message.len();
        if bytes > MAX_QUEUED_BYTES || waiting.messages.len() >= MAX_QUEUED_MESSAGES {
            return Err(Overflow { messages: waiting.messages.len(), bytes: waiting.bytes });
        }
        let closes = matches!(message, Outgoing::Close(..));
        waiting.closed = closes;
        waiting.bytes = bytes;
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
        (waiting.bytes, waiting.closed) = (0, true);
        drop(waiting);
        self.ended.notify_one();
        self.filled.notify_one();
    }

    /// Bytes that wait.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Completes once the connection is to be closed. For one waiter.
    pub(crate) async fn ended(&self) {
        while !self.lock().closed {
            self.ended.notified().await;
        }
    }

    /// Takes everything that waits now.
    pub(crate) fn take_now(&self) -> VecDeque<Outgoing> {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.messages)
    }

    /// Takes everything that waits, once there is something. For one reader.
    pub(crate) async fn take(&self) -> VecDeque<Outgoing> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.messages.is_empty() {
                    waiting.bytes = 0;
                    return std::mem::take(&mut waiting.messages);
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
