//! What the video thread is asked to do, from any thread.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use selkies_config::StreamSettings;
use selkies_plugin_host::Waker;
use selkies_session::Codecs;

use crate::{Stream, renewal::Renewal};

/// What was asked for since the last look.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) settings: Option<StreamSettings>,
    /// What may be encoded.
    pub(crate) codecs: Option<Codecs>,
    pub(crate) keyframe: bool,
    /// Plugins whose faults are forgiven.
    pub(crate) forgiven: Vec<String>,
    /// New versions of plugins.
    pub(crate) renewals: Vec<Renewal>,
}

impl Asked {
    /// True when something may work now that did not before.
    pub(crate) fn mends(&self) -> bool {
        !self.forgiven.is_empty() || !self.renewals.is_empty() || self.codecs.is_some()
    }
}

#[derive(Debug, Default)]
struct Desk {
    asked: Asked,
    waker: Option<Waker>,
}

/// The desk where orders lie until the video thread looks.
#[derive(Debug)]
pub(crate) struct Orders {
    desk: Mutex<Desk>,
    pending: AtomicBool,
    /// Something that lies there may mend what does not work.
    mends: AtomicBool,
    stopped: AtomicBool,
    stream: Arc<Stream>,
}

impl Orders {
    pub(crate) fn new(stream: Arc<Stream>) -> Self {
        Self {
            desk: Mutex::default(),
            pending: AtomicBool::new(false),
            mends: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            stream,
        }
    }

    pub(crate) fn apply(&self, settings: StreamSettings) {
        self.ask(|asked| asked.settings = Some(settings));
    }

    pub(crate) fn choose_among(&self, codecs: Codecs) {
        self.ask(|asked| asked.codecs = Some(codecs));
    }

    pub(crate) fn forgive(&self, plugin: &str) {
        self.ask(|asked| {
            if !asked.forgiven.iter().any(|known| known == plugin) {
                asked.forgiven.push(plugin.to_owned());
            }
        });
    }

    pub(crate) fn keyframe(&self) {
        self.ask(|asked| asked.keyframe = true);
    }

    pub(crate) fn renew(&self, renewal: Renewal) {
        self.ask(|asked| {
            asked.renewals.retain(|older| older.plugin.id() != renewal.plugin.id());
            asked.renewals.push(renewal);
        });
    }

    /// Makes the thread look around.
    pub(crate) fn look(&self) {
        self.ask(|_| {});
    }

    /// Input is on its way.
    pub(crate) fn hurry(&self) {
        self.stream.hurry();
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.look();
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// True when there is something to take.
    pub(crate) fn pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    pub(crate) fn take(&self) -> Option<Asked> {
        let mut desk = self.desk();
        self.mends.store(false, Ordering::SeqCst);
        self.pending.swap(false, Ordering::SeqCst).then(|| std::mem::take(&mut desk.asked))
    }

    /// The capture whose wait an order, or a client's turn, ends.
    pub(crate) fn wakes(&self, waker: Option<Waker>) {
        self.stream.wakes(waker.clone());
        self.desk().waker = waker;
    }

    /// Sleeps, unless the thread is to stop.
    pub(crate) fn rest(&self, time: Duration) {
        self.pause(Instant::now() + time, || false);
    }

    /// Sleeps until what does not work may work again: after some time, or because of an order.
    pub(crate) fn rest_until_mended(&self, time: Duration) {
        self.pause(Instant::now() + time, || self.mends());
    }

    /// True when something lies there that may mend what does not work.
    pub(crate) fn mends(&self) -> bool {
        self.mends.load(Ordering::SeqCst)
    }

    /// Sleeps until `ready`, which [`Orders::look`] makes it ask again, until `limit`, or until the thread is to stop.
    pub(crate) fn pause(&self, limit: Instant, ready: impl Fn() -> bool) {
        self.stream.pause(Some(limit), |_| self.stopped() || ready());
    }

    fn ask(&self, change: impl FnOnce(&mut Asked)) {
        let waker = {
            let mut desk = self.desk();
            change(&mut desk.asked);
            self.mends.store(desk.asked.mends(), Ordering::SeqCst);
            // Under the lock: whoever takes the order sees the flag, whoever registers a waker sees the order.
            self.pending.store(true, Ordering::SeqCst);
            desk.waker.clone()
        };
        self.stream.notify();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
