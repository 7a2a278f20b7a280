//! Ending connections, which takes GStreamer a part of a second, beside whatever else is to be done.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::connection::Connection;

/// How long the end of the transport waits for its connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// Threads that each end one connection.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    threads: Vec<thread::JoinHandle<()>>,
}

impl Endings {
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Ends a connection; whoever still holds it, finds it ended.
    pub(crate) fn end(&mut self, connection: Arc<Connection>) {
        let thread = thread::Builder::new().name("webrtc-end".to_owned());
        let spawned = {
            let connection = connection.clone();
            thread.spawn(move || connection.end())
        };
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(_) => connection.end(),
        }
    }

    /// Forgets the threads that are through.
    pub(crate) fn collect(&mut self) {
        let (done, running) =
            std::mem::take(&mut self.threads).into_iter().partition(thread::JoinHandle::is_finished);
        self.threads = running;
        let done: Vec<_> = done;
        for thread in done {
            let _ = thread.join();
        }
    }

    /// Waits for all, but not for ever.
    pub(crate) fn wait(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !self.is_empty() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
            self.collect();
        }
        if !self.is_empty() {
            tracing::warn!(
                connections = self.threads.len(),
                "connections do not end; their threads stay behind"
            );
        }
    }
}
