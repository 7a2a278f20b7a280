//! The thread that decides whom to ask, and keeps the answers.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use selkies_session::rtc::{RtcAnswer, RtcChain};
use tracing::{debug, info, warn};

use super::{
    Post, RtcOptions, Shared,
    source::{Order, Refusal},
    users::{Reply, Users},
};

/// How often the wall clock is looked at: no wait ends when the machine wakes up or somebody sets the clock.
const LOOK: Duration = Duration::from_secs(10);

/// What the desk hears.
#[derive(Debug)]
pub(super) enum Word {
    /// A source begins to answer for the host.
    Began(usize),
    /// A source was asked.
    Answered { which: usize, user: String, answer: Result<RtcAnswer, Refusal> },
    /// A source has something new.
    Changed(usize),
    /// A source's instance is gone, and tells of no changes any more.
    Lost(usize),
    /// Somebody wants an answer for a user.
    Want { user: String, reply: Reply },
    /// The host ends.
    Stop,
}

/// The desk.
pub(super) struct Desk {
    chain: RtcChain,
    sources: Vec<Arc<Post>>,
    options: RtcOptions,
    shared: Arc<Shared>,
    users: Users,
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
            users: Users::new(now),
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
            // While the host's own answer is awaited, users wait.
            let ready =
                self.chain.serving(now).map(|(which, _)| which).filter(|which| !self.chain.is_asked(*which));
            if let Some(which) = ready
                && let Some(user) = self.users.next(which, now)
            {
                self.ask(which, user);
            }
            let next_user = ready.and_then(|_| self.users.due());
            let until =
                [self.chain.wakeup(now), next_user].into_iter().flatten().fold(now + LOOK, Instant::min);
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
            self.users.forget_all();
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
                    let is_known = |(serving, known): (usize, &RtcAnswer)| {
                        serving == which && known.servers() == answer.servers()
                    };
                    if !self.chain.serving(now).is_some_and(is_known) {
                        self.users.forget(which);
                    }
                    self.chain.answered(which, answer, now);
                }
                Err(refusal) => {
                    self.tell(which, refusal);
                    self.chain.failed(which, now);
                }
            },
            Word::Answered { which, user, answer } => {
                if let Err(refusal) = &answer {
                    debug!(error = %refusal.text, "no ICE servers for a user");
                }
                let own = self.chain.serving(now).filter(|(serving, _)| *serving == which);
                self.users.answered(which, user, answer.ok().as_ref(), own.map(|(_, own)| own), now);
            }
            Word::Began(which) => self.chain.began(which, now),
            Word::Changed(which) => {
                self.users.forget(which);
                self.chain.changed(which, now);
            }
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

    fn want(&mut self, user: String, reply: Reply, now: Instant) {
        let Some((serving, _)) = self.chain.serving(now) else {
            // Whoever gave up waiting does not hear it.
            let _ = reply.send(None);
            return;
        };
        self.users.want(user, reply, serving, now);
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
