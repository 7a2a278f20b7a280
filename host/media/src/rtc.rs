//! The threads that keep ICE servers ready: one for each source, which asks it and waits for its changes, and one that
//! decides whom to ask and whose answer serves ([`RtcChain`](selkies_session::rtc::RtcChain)).

mod desk;
mod source;
mod users;

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use selkies_plugin_abi::ids;
use selkies_plugin_host::{HostServices, Plugin, RtcConfigInstance, RtcConfigRequest, now_ns};
use selkies_session::rtc::RtcAnswer;
use tokio::sync::{oneshot, watch};
use tracing::warn;

use crate::{Backend, Observer, gate::Gate, slot::Slot};
use desk::{Desk, Word};
pub use source::Refusal as RtcRefusal;
use source::{Order, Source};

/// How long a source may take for an answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// How long a caller waits for an answer of his own.
const PATIENCE: Duration = Duration::from_secs(12);
/// Questions for single users that may wait.
const MAX_WAITING: usize = 64;
/// How long threads may take to end; one that a plugin holds is left behind.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every source is asked for.
#[derive(Clone, Debug)]
pub struct RtcOptions {
    /// For whom credentials are when nobody is named.
    pub user: String,
    /// TURN servers are wanted by TCP.
    pub tcp: bool,
    /// TURN servers are wanted by TLS.
    pub tls: bool,
    /// Browsers are told to use nothing but TURN servers.
    pub force_relay: bool,
    /// WebRTC is in use from the start, see [`RtcConfigs::in_use`].
    pub in_use: bool,
}

impl RtcOptions {
    fn request(&self, user: &str) -> RtcConfigRequest {
        let deadline = u64::try_from(DEADLINE.as_nanos()).unwrap_or(u64::MAX);
        RtcConfigRequest {
            user: user.to_owned(),
            tls: self.tls,
            tcp: self.tcp,
            deadline_ns: now_ns().saturating_add(deadline),
        }
    }
}

/// Why there are no sources.
#[derive(Debug, thiserror::Error)]
pub enum RtcError {
    /// A plugin was given a part that it does not play.
    #[error("MD017 {0}")]
    WrongPart(String),
    /// The system gives no more threads.
    #[error("MD018 a thread for RTC configurations could not be started: {0}. Raise the limits of the host")]
    Thread(std::io::Error),
}

/// The threads. They end when this is dropped.
#[derive(Debug)]
pub struct RtcThreads {
    configs: RtcConfigs,
    sources: Vec<Arc<Post>>,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<()>,
}

/// Where a source is given its orders.
#[derive(Debug)]
struct Post {
    slot: Slot,
    orders: Sender<Order>,
    waker: Mutex<Option<selkies_plugin_host::Waker>>,
}

impl Post {
    /// Gives an order, and ends the wait that the source may be in.
    fn order(&self, order: Order) {
        // A source whose thread has ended takes no more orders; what it said last stands.
        let _ = self.orders.send(order);
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
    }
}

/// The newest answers. Any thread may use it; clones are the same.
#[derive(Clone, Debug)]
pub struct RtcConfigs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    user: String,
    words: Sender<Word>,
    newest: Mutex<Option<Arc<str>>>,
    published: watch::Sender<Option<Arc<str>>>,
    in_use: AtomicBool,
    has_sources: bool,
    sources: Vec<Arc<Post>>,
    /// Weak: its observer may own these answers.
    gate: Weak<Gate>,
    waiting: Arc<()>,
}

impl RtcConfigs {
    /// The newest answer: JSON of an `RTCConfiguration`; `None` while there is none. With a user whose credentials are
    /// not the host's own, [`RtcConfigs::for_user`] asks; this does not block.
    #[must_use]
    pub fn current(&self) -> Option<Arc<str>> {
        self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer for a user, whose source is asked if it was not a moment ago, and if it does not say the same to everybody; the
    /// newest answer when it has none. A source is asked for one user a second in the long run.
    pub async fn for_user(&self, user: &str) -> Option<Arc<str>> {
        let is_own = user.is_empty() || user == self.shared.user;
        // Each one that waits holds the token.
        if is_own || self.current().is_none() || Arc::strong_count(&self.shared.waiting) > MAX_WAITING {
            return self.current();
        }
        let _waiting = self.shared.waiting.clone();
        let (reply, answer) = oneshot::channel();
        if self.shared.words.send(Word::Want { user: user.to_owned(), reply }).is_err() {
            return self.current();
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Some(answer))) => Some(answer),
            _ => self.current(),
        }
    }

    /// Changes when clients that are connected should be told: other servers, or credentials that replace old ones.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.published.subscribe()
    }

    /// True while pages may come by WebRTC.
    #[must_use]
    pub fn in_use(&self) -> bool {
        self.shared.in_use.load(Ordering::SeqCst)
    }

    /// Tells whether pages may come by WebRTC.
    pub fn set_in_use(&self, in_use: bool) {
        self.shared.in_use.store(in_use, Ordering::SeqCst);
    }

    /// False when no source is configured, so that there will never be an answer.
    #[must_use]
    pub fn has_sources(&self) -> bool {
        self.shared.has_sources
    }

    /// Lets a plugin be used again that a fault barred.
    pub fn admit(&self, plugin: &str) {
        if self.shared.gate.upgrade().is_some_and(|gate| gate.admit(plugin)) {
            self.rouse(|slot| slot.admit(plugin));
        }
    }

    /// Takes a new version of a plugin into use; answers in how many places.
    pub fn renew(&self, plugin: &Plugin) -> usize {
        if let Some(gate) = self.shared.gate.upgrade() {
            gate.admit(plugin.id());
        }
        self.rouse(|slot| slot.renew(plugin))
    }

    fn rouse(&self, change: impl Fn(&Slot) -> bool) -> usize {
        let places = self.shared.sources.iter().enumerate();
        let changed = places.filter(|(_, source)| change(&source.slot));
        changed
            .map(|(which, source)| {
                source.order(Order::Look);
                let _ = self.shared.words.send(Word::Changed(which));
            })
            .count()
    }
}

impl RtcThreads {
    /// Starts the threads; the first source is asked at once.
    ///
    /// # Errors
    /// [`RtcError`]; nothing runs then.
    pub fn start(
        backends: Vec<Backend>,
        services: &HostServices,
        options: RtcOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, RtcError> {
        if let Some(wrong) = backends.iter().find(|backend| !backend.plugin.offers(ids::RTC_CONFIG_V1)) {
            return Err(RtcError::WrongPart(wrong.lacks(ids::RTC_CONFIG_V1)));
        }
        let (words, heard) = unbounded();
        let (sources, orders): (Vec<_>, Vec<_>) = backends
            .into_iter()
            .map(|backend| {
                let (send, receive) = unbounded();
                let post = Post { slot: Slot::new(backend), orders: send, waker: Mutex::default() };
                (Arc::new(post), receive)
            })
            .unzip();
        let gate = Arc::new(Gate::new(observer));
        let shared = Arc::new(Shared {
            user: options.user.clone(),
            words: words.clone(),
            newest: Mutex::default(),
            published: watch::Sender::new(None),
            in_use: AtomicBool::new(options.in_use),
            has_sources: !sources.is_empty(),
            sources: sources.clone(),
            gate: Arc::downgrade(&gate),
            waiting: Arc::default(),
        });
        let (last, ended) = bounded(0);
        let mut threads = Self {
            configs: RtcConfigs { shared: shared.clone() },
            sources: sources.clone(),
            threads: Vec::new(),
            ended,
        };
        for (which, (post, orders)) in sources.iter().zip(orders).enumerate() {
            let source = Source {
                which,
                post: post.clone(),
                orders,
                words: words.clone(),
                services: services.clone(),
                options: options.clone(),
                gate: gate.clone(),
            };
            let last = last.clone();
            threads.spawn(format!("rtc-source-{which}"), move || {
                source.run();
                drop(last);
            })?;
        }
        let desk = Desk::new(sources, options, shared, Instant::now());
        threads.spawn("rtc-config".into(), move || {
            desk.run(&heard);
            drop(last);
        })?;
        Ok(threads)
    }

    /// The answers.
    #[must_use]
    pub fn configs(&self) -> RtcConfigs {
        self.configs.clone()
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), RtcError> {
        self.threads.push(Builder::new().name(name).spawn(run).map_err(RtcError::Thread)?);
        Ok(())
    }
}

impl Drop for RtcThreads {
    fn drop(&mut self) {
        let _ = self.configs.shared.words.send(Word::Stop);
        for source in &self.sources {
            source.order(Order::Stop);
        }
        // Nothing is ever sent: the channel closes with the last thread.
        if self.ended.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            warn!("a source of ICE servers does not end; its thread is left behind");
            return;
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread of RTC configurations ended by a panic");
            }
        }
    }
}

/// Asks one source once, without threads, for tools.
///
/// # Errors
/// What the plugin says, or why its answer cannot be used.
pub fn fetch_once(
    backend: &Backend,
    services: &HostServices,
    options: &RtcOptions,
    user: &str,
) -> Result<RtcAnswer, RtcRefusal> {
    let refusal = |text| RtcRefusal { text, nothing: false };
    if !backend.plugin.offers(ids::RTC_CONFIG_V1) {
        return Err(refusal(RtcError::WrongPart(backend.lacks(ids::RTC_CONFIG_V1)).to_string()));
    }
    let text = RtcConfigInstance::create(&backend.origin(services))?.fetch(&options.request(user))?;
    RtcAnswer::parse(&text, options.force_relay).map_err(|error| refusal(error.to_string()))
}
