//! What becomes due, and what was put off.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use selkies_session::Event;
use tracing::warn;

use super::Hub;
use crate::sink::Said;

/// Messages of a transport that may be put off.
const MAX_DEFERRED: usize = 1024;
/// How long the host waits for clients to take their farewell.
const SETTLE: Duration = Duration::from_millis(1500);

impl Hub {
    /// Puts off what a transport said while the hub was calling it, see [`within_hub`].
    pub(crate) fn defer(&self, said: Said) {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        if deferred.len() < MAX_DEFERRED {
            deferred.push_back(said);
        } else {
            warn!("a transport says too much while it is called; a message was dropped");
        }
        drop(deferred);
        self.timer.notify_one();
    }

    /// Takes what a transport said.
    pub(crate) fn hear(&self, said: Said) {
        match said {
            Said::Text(client, text) => self.handle(Event::ClientText { client, text: &text }),
            Said::Binary(client, data) => self.handle(Event::ClientBinary { client, data: &data }),
            Said::NeedsKeyframe(client) => {
                // First: whether a key frame is on the way to it depends on that.
                self.stream.resume(client);
                self.handle(Event::KeyframeWanted { client });
            }
            Said::Agreed(client, codec) => self.agreed(client, codec),
            Said::Connected(client) => self.connected(client),
            Said::Failed(client, reason) => self.failed(client, &reason),
            Said::Path(client, path) => {
                self.parcels.path(client, path.estimate_kbps.unwrap_or(0));
                let queued = path.queued_bytes as usize;
                self.stream.reported(client, path.arrived_frame_id, queued, path.estimate_kbps);
            }
        }
    }

    /// Gives the session its ticks and what was put off, until the host ends.
    pub(crate) async fn keep_time(&self) {
        loop {
            loop {
                let said = self.deferred.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(said) = said else { break };
                self.hear(said);
            }
            // One after the other: the locks have an order.
            let signaling_due = self.signaling_due();
            let due = self.session().next_wakeup();
            let due = due.into_iter().chain(signaling_due).chain(self.parcels.due()).min();
            let changed = self.timer.notified();
            match due {
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => {
                            self.handle(Event::Tick);
                            self.tick_signaling();
                            self.tick_clipboard();
                        }
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Waits for the sockets of the last clients, for a moment.
    pub(crate) async fn settle(&self) {
        let give_up = Instant::now() + SETTLE;
        while !self.post.is_empty() && Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
