//! One client: what outlives its connections.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use selkies_plugin_sdk::{Error, Result};

use crate::{channels::Channels, connection::Connection, hello::Hello, voice::Voice};

/// Signaling messages of one client that may wait.
const MAX_WAITING: u32 = 256;

/// A client.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) hello: Hello,
    pub(crate) voice: Arc<Voice>,
    pub(crate) channels: Arc<Channels>,
    connection: Mutex<Option<Arc<Connection>>>,
    waiting: AtomicU32,
}

impl Peer {
    pub(crate) fn new(hello: Hello, voice: Voice) -> Self {
        let voice = Arc::new(voice);
        let channels = Channels::new(voice.clone());
        Self { hello, voice, channels, connection: Mutex::default(), waiting: AtomicU32::new(0) }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection there is.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.slot().clone()
    }

    /// Puts another one in its place; answers the one before.
    pub(crate) fn replace(&self, connection: Option<Arc<Connection>>) -> Option<Arc<Connection>> {
        std::mem::replace(&mut *self.slot(), connection)
    }

    /// A signaling message is put in the queue.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) fn enqueue(&self) -> Result<()> {
        if self.waiting.fetch_add(1, SeqCst) >= MAX_WAITING {
            self.waiting.fetch_sub(1, SeqCst);
            return Err(Error::retry(format!(
                "webrtc-signal: {MAX_WAITING} messages of this client wait already"
            )));
        }
        Ok(())
    }

    /// One was taken out of it.
    pub(crate) fn dequeued(&self) {
        self.waiting.fetch_sub(1, SeqCst);
    }
}
