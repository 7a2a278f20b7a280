//! How the host is asked to end, and what happens when it cannot.

use std::{
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::warn;

/// How long an orderly end may take. A plugin or an X server that hangs must not keep the host alive.
const PATIENCE: Duration = Duration::from_secs(4);

/// Signals this close together are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// What is cleaned up by the last resort.
#[derive(Debug, Default)]
struct LastResort {
    desktop: Option<Pid>,
    access_file: Option<PathBuf>,
}

/// The signals that end the host: TERM, INT and HUP. Listened for from the start on, so that none kills it half-way.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
    last: Arc<Mutex<LastResort>>,
}

impl Stop {
    /// Begins to listen. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (ask, asked) = watch::channel(false);
        let last: Arc<Mutex<LastResort>> = Arc::default();
        let resort = last.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
            };
            next().await;
            ask.send_replace(true);
            let asked_at = Instant::now();
            // A later signal is impatience; one at the same time is only the same one, sent to a whole group.
            let impatience = async {
                loop {
                    next().await;
                    if asked_at.elapsed() >= SAME_SIGNAL {
                        return;
                    }
                }
            };
            let _ = tokio::time::timeout(PATIENCE, impatience).await;
            warn!("the host did not end in time; leaving what hangs behind");
            resort.lock().unwrap_or_else(PoisonError::into_inner).act();
            process::exit(0);
        });
        Ok(Self { asked, last })
    }

    /// Completes when the host is to end.
    pub(crate) fn asked(&self) -> impl Future<Output = ()> + use<> {
        let mut asked = self.asked.clone();
        async move {
            // An error means that nobody can ask any more; then the host runs on.
            if asked.wait_for(|asked| *asked).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What the last resort cleans up; our own display ends by itself when the host is gone.
    pub(crate) fn kills_at_last(&self, desktop: Option<Pid>, access_file: Option<PathBuf>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastResort { desktop, access_file };
    }
}

impl LastResort {
    fn act(&self) {
        if let Some(group) = self.desktop {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(file) = &self.access_file {
            let _ = std::fs::remove_file(file);
        }
    }
}
