//! An encoder that is being made on a thread of its own: a plugin that is slow, or hangs, must not hold the picture.
//!
//! A plugin in this process that never returns from `create` keeps that thread until the process ends. After [`HUNG`] it is
//! blamed like any other fault, so that at most as many threads are lost as faults lead to quarantine.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::Builder,
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_host::{CaptureInfo, HostServices, PluginError};

use crate::{
    EncoderBackend,
    encoding::{Departures, Encoding},
    orders::Orders,
};

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
    stage: Arc<Mutex<Stage>>,
}

/// Between the thread that makes it and whoever wants it.
enum Stage {
    Pending,
    Over(Box<Result<Encoding, PluginError>>),
    /// Nobody wants it any more, or it was taken.
    Closed,
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
        departures: &Arc<Departures>,
    ) -> std::io::Result<Self> {
        let made = Self::with(chosen, capture, Stage::Pending);
        let (services, encoder, orders) = (services.clone(), encoder.clone(), orders.clone());
        let (settings, info, departures) = (settings.clone(), *capture, departures.clone());
        let stage = made.stage.clone();
        Builder::new().name("encoder-maker".into()).spawn(move || {
            let outcome = Encoding::create(&services, &encoder, &settings, &info, chosen);
            let mut stage = lock(&stage);
            match &*stage {
                Stage::Closed => {
                    drop(stage);
                    if let Ok(encoding) = outcome {
                        encoding.part(&departures);
                    }
                }
                Stage::Pending | Stage::Over(_) => {
                    *stage = Stage::Over(Box::new(outcome));
                    drop(stage);
                    orders.look();
                }
            }
        })?;
        Ok(made)
    }

    /// One that was made for such frames, to be used later.
    pub(crate) fn done(encoding: Encoding, capture: &CaptureInfo) -> Self {
        Self::with(encoding.chosen(), capture, Stage::Over(Box::new(Ok(encoding))))
    }

    fn with(chosen: usize, capture: &CaptureInfo, stage: Stage) -> Self {
        Self { chosen, capture: *capture, began: Instant::now(), stage: Arc::new(Mutex::new(stage)) }
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
        matches!(*lock(&self.stage), Stage::Over(_))
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
        let outcome = {
            let mut stage = lock(&self.stage);
            match std::mem::replace(&mut *stage, Stage::Closed) {
                Stage::Over(outcome) => Some(*outcome),
                // The thread cannot end without an outcome, except by a panic, which is as bad as none.
                other => {
                    *stage = other;
                    None
                }
            }
        };
        match outcome {
            Some(Ok(encoding)) => Made::Ready(Box::new(encoding)),
            Some(Err(error)) => Made::Failed(error),
            None => Made::Pending(self),
        }
    }

    /// It is not wanted any more: it ends when it is made, or now.
    pub(crate) fn part(self, departures: &Departures) {
        let stage = std::mem::replace(&mut *lock(&self.stage), Stage::Closed);
        if let Stage::Over(outcome) = stage
            && let Ok(encoding) = *outcome
        {
            encoding.part(departures);
        }
    }
}

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}
