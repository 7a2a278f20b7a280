//! An encoder that is being made on a thread of its own: a plugin that is slow, or hangs, must not hold the picture.
//!
//! A plugin in this process that never returns from `create` keeps that thread until the process ends. After [`HUNG`] it is
//! blamed like any other fault, so that at most as many threads are lost as faults lead to quarantine.

use std::{
    sync::Arc,
    thread::Builder,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded};
use selkies_config::StreamSettings;
use selkies_plugin_host::{CaptureInfo, HostServices, PluginError};

use crate::{EncoderBackend, encoding::Encoding, orders::Orders};

/// How long the picture waits for an encoder before the next one in order is tried as well.
pub(crate) const PATIENCE: Duration = Duration::from_millis(120);
/// How long it waits before one is tried again that failed a moment ago.
pub(crate) const LONG_PATIENCE: Duration = Duration::from_secs(2);
/// After this long an encoder that is not made counts as hung: longer than any start-up deadline of a plugin in a child,
/// whose own error says more.
pub(crate) const HUNG: Duration = Duration::from_secs(8);

/// An encoder to come.
pub(crate) struct Making {
    chosen: usize,
    capture: CaptureInfo,
    began: Instant,
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
        Ok(Self { chosen, capture: *capture, began: Instant::now(), result })
    }

    /// One that was made for such frames, to be used later.
    pub(crate) fn done(encoding: Encoding, capture: &CaptureInfo) -> Self {
        let (send, result) = bounded(1);
        let chosen = encoding.chosen();
        // There is room for one.
        let _ = send.send(Ok(encoding));
        Self { chosen, capture: *capture, began: Instant::now(), result }
    }

    /// Its place in the list of encoders.
    pub(crate) fn chosen(&self) -> usize {
        self.chosen
    }

    /// True when it is made for such frames.
    pub(crate) fn fits(&self, capture: &CaptureInfo) -> bool {
        self.capture == *capture
    }

    /// True when there is something to look at.
    pub(crate) fn is_over(&self) -> bool {
        !self.result.is_empty()
    }

    /// True when it has taken so long that it counts as hung.
    pub(crate) fn is_hung(&self) -> bool {
        !self.is_over() && self.began.elapsed() >= HUNG
    }

    /// When it has had this time.
    pub(crate) fn after(&self, time: Duration) -> Instant {
        self.began + time
    }

    /// What became of it.
    pub(crate) fn look(self) -> Made {
        match self.result.try_recv() {
            Ok(Ok(encoding)) => Made::Ready(Box::new(encoding)),
            Ok(Err(error)) => Made::Failed(error),
            // The thread cannot end without an answer, except by a panic, which is as bad as no answer.
            Err(_) => Made::Pending(self),
        }
    }
}
