//! An encoder that is being made on a thread of its own: a plugin that is slow, or hangs, must not hold the picture.

use std::{
    sync::Arc,
    thread::Builder,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};
use selkies_config::StreamSettings;
use selkies_plugin_host::{CaptureInfo, HostServices, PluginError};

use crate::{EncoderBackend, encoding::Encoding, orders::Orders};

/// How long the picture waits for an encoder before the next one in order is tried as well.
pub(crate) const PATIENCE: Duration = Duration::from_millis(120);

/// An encoder to come.
pub(crate) struct Making {
    chosen: usize,
    capture: CaptureInfo,
    result: Receiver<Result<Encoding, PluginError>>,
}

/// What became of it so far.
pub(crate) enum Made {
    /// It is there.
    Ready(Box<Encoding>),
    /// It cannot be made.
    Failed(PluginError),
    /// Not yet.
    Pending(Making),
}

impl Making {
    /// Begins to make the encoder with the number `chosen`; the video thread is woken when that ends.
    ///
    /// # Errors
    /// The system's, when it gives no more threads.
    pub(crate) fn start(
        services: &HostServices,
        encoder: &EncoderBackend,
        settings: &StreamSettings,
        capture: &CaptureInfo,
        chosen: usize,
        orders: &Arc<Orders>,
    ) -> std::io::Result<Self> {
        let (send, result) = bounded(1);
        let (services, encoder, orders) = (services.clone(), encoder.clone(), orders.clone());
        let (settings, info) = (settings.clone(), *capture);
        Builder::new().name("encoder-maker".into()).spawn(move || {
            // Nobody may want it any more; then it is dropped here.
            let _ = send.send(Encoding::create(&services, &encoder, &settings, &info, chosen));
            orders.look();
        })?;
        Ok(Self { chosen, capture: *capture, result })
    }

    /// Its place in the list of encoders.
    pub(crate) fn chosen(&self) -> usize {
        self.chosen
    }

    /// True when it is made for such frames.
    pub(crate) fn fits(&self, capture: &CaptureInfo) -> bool {
        self.capture == *capture
    }

    /// Waits for it until `limit`; `None` looks only.
    pub(crate) fn wait(self, limit: Option<Instant>) -> Made {
        let received = match limit {
            Some(limit) => {
                self.result.recv_deadline(limit).map_err(|error| error == RecvTimeoutError::Timeout)
            }
            None => self.result.try_recv().map_err(|error| error == TryRecvError::Empty),
        };
        match received {
            Ok(Ok(encoding)) => Made::Ready(Box::new(encoding)),
            Ok(Err(error)) => Made::Failed(error),
            // The thread cannot end without an answer, except by a panic, which is as bad as no answer.
            Err(_) => Made::Pending(self),
        }
    }
}
