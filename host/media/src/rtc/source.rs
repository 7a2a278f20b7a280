//! The thread of one source.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use selkies_plugin_host::{FaultDetail, HostServices, PluginError, RtcConfigInstance};
use selkies_session::rtc::RtcAnswer;

use super::{Post, RtcOptions, desk::Word};
use crate::gate::Gate;

/// Least time between two waits, for a plugin whose waits end at once.
const BREATH: Duration = Duration::from_millis(50);

/// What a source is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Ask the plugin for this user.
    Fetch(String),
    /// The plugin may be another version, or may be used again.
    Look,
    /// End.
    Stop,
}

/// Why a source has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub text: String,
    /// There is nothing there, such as no file, which may well be meant.
    pub nothing: bool,
}

impl From<PluginError> for Refusal {
    fn from(error: PluginError) -> Self {
        Self { nothing: error.detail == FaultDetail::NotFound, text: error.to_string() }
    }
}

/// One source.
pub(super) struct Source {
    pub(super) which: usize,
    pub(super) post: Arc<Post>,
    pub(super) orders: Receiver<Order>,
    pub(super) words: Sender<Word>,
    pub(super) services: HostServices,
    pub(super) options: RtcOptions,
    pub(super) gate: Arc<Gate>,
}

impl Source {
    /// Serves until it is told to stop.
    pub(super) fn run(self) {
        let (mut instance, mut seen) = (None, 0);
        loop {
            let order = match (self.orders.try_recv(), &mut instance) {
                (Ok(order), _) => Some(order),
                (Err(_), Some(live)) => {
                    if !self.wait(live) {
                        self.part(&mut instance);
                        let _ = self.words.send(Word::Lost(self.which));
                    }
                    continue;
                }
                // Without an instance there is nothing to wait for but orders.
                (Err(_), None) => self.orders.recv().ok(),
            };
            if self.post.slot.renewed(&mut seen) {
                self.part(&mut instance);
            }
            match order {
                Some(Order::Fetch(user)) => {
                    if user == self.options.user {
                        let _ = self.words.send(Word::Began(self.which));
                    }
                    let answer = self.fetch(&mut instance, &user);
                    let _ = self.words.send(Word::Answered { which: self.which, user, answer });
                }
                Some(Order::Look) => {}
                Some(Order::Stop) | None => return self.part(&mut instance),
            }
        }
    }

    /// Waits for a change or an order; false when the instance is of no use any more.
    fn wait(&self, instance: &mut RtcConfigInstance) -> bool {
        let began = Instant::now();
        let lives = match instance.wait(None) {
            Ok(true) => {
                let _ = self.words.send(Word::Changed(self.which));
                true
            }
            Ok(false) => true,
            Err(error) => !self.report(&error),
        };
        if self.orders.is_empty() && began.elapsed() < BREATH {
            std::thread::sleep(BREATH);
        }
        lives
    }

    fn fetch(&self, slot: &mut Option<RtcConfigInstance>, user: &str) -> Result<RtcAnswer, Refusal> {
        let text = self.ask(slot, user).map_err(|error| {
            if self.report(&error) {
                self.part(slot);
            }
            Refusal::from(error)
        });
        let text = match text {
            Ok(text) => text?,
            Err(refusal) => return Err(refusal),
        };
        let plugin = self.post.slot.get().plugin;
        RtcAnswer::parse(&text, self.options.force_relay)
            .map_err(|error| Refusal { text: format!("{}: {error}", plugin.id()), nothing: false })
    }

    /// The plugin's text; `Err` inside when it is barred.
    fn ask(
        &self,
        slot: &mut Option<RtcConfigInstance>,
        user: &str,
    ) -> Result<Result<String, Refusal>, PluginError> {
        let backend = self.post.slot.get();
        if self.gate.bars(backend.plugin.id()) {
            self.part(slot);
            return Ok(Err(Refusal { text: Gate::reason(backend.plugin.id()), nothing: false }));
        }
        let instance = match slot {
            Some(instance) => instance,
            None => {
                let instance = RtcConfigInstance::create(&backend.origin(&self.services))?;
                *self.post.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(instance.waker());
                slot.insert(instance)
            }
        };
        instance.fetch(&self.options.request(user)).map(Ok)
    }

    /// Lets go of an instance.
    fn part(&self, slot: &mut Option<RtcConfigInstance>) {
        *self.post.waker.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *slot = None;
    }

    /// Tells of an error where it is a fault. True when the instance is of no use any more.
    fn report(&self, error: &PluginError) -> bool {
        let backend = self.post.slot.get();
        self.gate.report_from(&self.post.slot, error, "rtc-config", &backend);
        error.is_final()
    }
}
