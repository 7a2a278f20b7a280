//! How the host is asked to end, and what happens when it cannot.

use std::{
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Signal, kill_process_group},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
};
use tracing::warn;

use crate::desktop::Desktop;

/// How long an orderly end may take. A plugin or an X server that hangs must not keep the host alive.
const PATIENCE: Duration = Duration::from_secs(4);

/// Signals this close together are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// What is cleaned up by the last resort.
#[derive(Debug, Default)]
struct LastResort {
    desktop: Option<Arc<Mutex<Option<Desktop>>>>,
    access_file: Option<PathBuf>,
}

/// The signals that end the host: TERM, INT, and HUP of the controlling terminal that is closed; without one, HUP asks for new
/// versions of plugins, as of any daemon. Listened for from the start on, so that none kills the host half-way.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
    hangups: Arc<Notify>,
    last: Arc<Mutex<LastResort>>,
}

impl Stop {
    /// Begins to listen. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        // `nohup` and shells' background jobs ignore some on purpose.
        let ignored = ignored_signals();
        let heeded = |kind: SignalKind| ignored & (1 << (kind.as_raw_value() - 1)) == 0;
        let heeds_interrupt = heeded(SignalKind::interrupt());
        let heeds_hangup = heeded(SignalKind::hangup());
        let mut hangup = heeds_hangup.then(|| signal(SignalKind::hangup())).transpose()?;
        let hangups: Arc<Notify> = Arc::default();
        if !has_terminal() {
            let (mut hangup, hangups) = (hangup.take(), hangups.clone());
            tokio::spawn(async move {
                loop {
                    received(&mut hangup).await;
                    hangups.notify_one();
                }
            });
        }
        let mut interrupt = heeds_interrupt.then(|| signal(SignalKind::interrupt())).transpose()?;
        let (ask, asked) = watch::channel(false);
        let last: Arc<Mutex<LastResort>> = Arc::default();
        let resort = last.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    () = received(&mut interrupt) => {}
                    () = received(&mut hangup) => {}
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
            match tokio::time::timeout(PATIENCE, impatience).await {
                Ok(()) => warn!("asked a second time: ending at once"),
                Err(_) => warn!("the host did not end in time; leaving what hangs behind"),
            }
            resort.lock().unwrap_or_else(PoisonError::into_inner).act();
            process::exit(0);
        });
        Ok(Self { asked, hangups, last })
    }

    /// Told of each hangup that does not end the host.
    pub(crate) fn hangups(&self) -> Arc<Notify> {
        self.hangups.clone()
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
    pub(crate) fn cleans_up(&self, desktop: Arc<Mutex<Option<Desktop>>>, access_file: Option<PathBuf>) {
        let desktop = Some(desktop);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastResort { desktop, access_file };
    }
}

/// Completes when the signal arrives; never for one that is ignored.
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the process has a controlling terminal (tty(4)), wherever its input and output go: the kernel says by a hangup
/// that it was closed.
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

/// The signals that this process was started to ignore, bit 0 for signal 1 (proc(5), `SigIgn`).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

impl LastResort {
    fn act(&self) {
        // Whoever holds the lock is ending or starting the desktop, and may be what hangs.
        let group = self.desktop.as_ref().and_then(|desktop| desktop.try_lock().ok()?.as_ref()?.group());
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(file) = &self.access_file {
            let _ = std::fs::remove_file(file);
        }
    }
}
