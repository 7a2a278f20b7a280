//! The thread that decides whom to ask, and keeps the answers.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use selkies_session::rtc::{RtcAnswer, RtcChain};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::{
    Post, RtcOptions, Shared,
    source::{Order, Refusal},
};

/// Users whose answers are kept.
const MAX_USERS: usize = 64;
/// How long a user's answer is given again.
const USER_MEMORY: Duration = Duration::from_secs(60);
/// How often the wall clock is looked at: no wait ends when the machine wakes up or somebody sets the clock.
const LOOK: Duration = Duration::from_secs(10);

/// What the desk hears.
#[derive(Debug)]
pub(super) enum Word {
    /// A source was asked.
    Answered { which: usize, user: String, answer: Result<RtcAnswer, Refusal> },
    /// A source has something new.
    Changed(usize),
    /// A source's instance is gone, and tells of no changes any more.
    Lost(usize),
    /// Somebody wants an answer for a user.
    Want { user: String, reply: oneshot::Sender<Option<Arc<str>>> },
    /// The host ends.
    Stop,
}

/// A user's own answer.
struct Kept {
    json: Arc<str>,
    from: usize,
    until: Instant,
}

/// The desk.
pub(super) struct Desk {
    chain: RtcChain,
    sources: Vec<Arc<Post>>,
    options: RtcOptions,
    shared: Arc<Shared>,
    users: HashMap<String, Kept>,
    waiting: HashMap<String, Vec<oneshot::Sender<Option<Arc<str>>>>>,
    told: HashMap<usize, String>,
    serves: Option<usize>,
}

impl Desk {
    pub(super) fn new(
        sources: Vec<Arc<Post>>,
        options: RtcOptions,
        shared: Arc<Shared>,
        now: Instant,
    ) -> Self {
        Self {
            chain: RtcChain::new(sources.len(), now),
            sources,
            options,
            shared,
            users: HashMap::new(),
            waiting: HashMap::new(),
            told: HashMap::new(),
            serves: None,
        }
    }

    /// Serves until it is told to stop.
    pub(super) fn run(mut self, words: &Receiver<Word>) {
        loop {
            let now = self.time();
            while let Some(which) = self.chain.next(now) {
                self.ask(which, self.options.user.clone());
            }
            self.spread(now);
            let look = now + LOOK;
            let until = self.chain.wakeup(now).map_or(look, |at| at.min(look));
            match words.recv_deadline(until) {
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(word) => {
                    let now = self.time();
                    self.hear(word, now);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The time, after what the wall clock says was taken into account.
    fn time(&mut self) -> Instant {
        let now = Instant::now();
        if self.chain.tell_wall(SystemTime::now(), now) {
            info!("the clock leapt ahead; ICE servers are asked for again where they are due");
            self.users.clear();
        }
        now
    }

    fn ask(&self, which: usize, user: String) {
        if let Some(source) = self.sources.get(which) {
            source.order(Order::Fetch(user));
        }
    }

    fn hear(&mut self, word: Word, now: Instant) {
        match word {
            Word::Answered { which, user, answer } if user == self.options.user => match answer {
                Ok(answer) => {
                    self.told.remove(&which);
                    self.chain.answered(which, answer, now);
                }
                Err(refusal) => {
                    self.tell(which, refusal);
                    self.chain.failed(which, now);
                }
            },
            Word::Answered { which, user, answer } => self.settle(which, user, answer, now),
            Word::Changed(which) => self.chain.changed(which, now),
            Word::Lost(which) => self.chain.lost(which, now),
            Word::Want { user, reply } => self.want(user, reply, now),
            Word::Stop => {}
        }
    }

    /// Gives what serves now to whoever reads it.
    fn spread(&mut self, now: Instant) {
        let Some((which, answer)) = self.chain.serving(now) else { return };
        *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.json().clone());
        if self.serves.replace(which) != Some(which) {
            let plugin = self.plugin(which);
            info!(%plugin, servers = answer.servers(), "ICE servers come from here");
        }
        if let Some(json) = self.chain.publish(now) {
            self.shared.published.send_replace(Some(json));
        }
    }

    fn want(&mut self, user: String, reply: oneshot::Sender<Option<Arc<str>>>, now: Instant) {
        let Some((serving, _)) = self.chain.serving(now) else {
            // Whoever gave up waiting does not hear it.
            let _ = reply.send(None);
            return;
        };
        let kept = self.users.get(&user).filter(|kept| kept.from == serving && kept.until > now);
        if let Some(kept) = kept {
            let _ = reply.send(Some(kept.json.clone()));
            return;
        }
        // Those who gave up waiting for a source that hangs do not add up.
        let is_asked = self.waiting.get_mut(&user).map(|replies| replies.retain(|reply| !reply.is_closed()));
        let is_asked = is_asked.is_some();
        if !is_asked && self.waiting.len() >= MAX_USERS {
            let _ = reply.send(None);
            return;
        }
        self.waiting.entry(user.clone()).or_default().push(reply);
        if !is_asked {
            self.ask(serving, user);
        }
    }

    /// Answers those who wait for a user.
    fn settle(&mut self, which: usize, user: String, answer: Result<RtcAnswer, Refusal>, now: Instant) {
        let json = match answer {
            Ok(answer) => {
                let memory = answer.lifetime().map_or(USER_MEMORY, |lifetime| USER_MEMORY.min(lifetime / 2));
                let json = answer.json().clone();
                self.keep(user.clone(), Kept { json: json.clone(), from: which, until: now + memory }, now);
                Some(json)
            }
            Err(refusal) => {
                debug!(error = %refusal.text, "no ICE servers for a user");
                None
            }
        };
        for reply in self.waiting.remove(&user).unwrap_or_default() {
            let _ = reply.send(json.clone());
        }
    }

    fn keep(&mut self, user: String, kept: Kept, now: Instant) {
        self.users.retain(|_, kept| kept.until > now);
        if self.users.len() < MAX_USERS {
            self.users.insert(user, kept);
        }
    }

    /// Logs why a source has no answer, once for each reason.
    fn tell(&mut self, which: usize, refusal: Refusal) {
        let Refusal { text, nothing } = refusal;
        if self.told.get(&which) == Some(&text) {
            return;
        }
        let plugin = self.plugin(which);
        if nothing {
            debug!(%plugin, %text, "no ICE servers from here");
        } else {
            warn!(%plugin, %text, "no ICE servers from here");
        }
        self.told.insert(which, text);
    }

    fn plugin(&self, which: usize) -> String {
        self.sources.get(which).map(|source| source.slot.get().plugin.id().to_owned()).unwrap_or_default()
    }
}
