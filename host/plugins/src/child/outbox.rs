//! What an instance in a child tells the host.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use super::{
    channel::Channel,
    spill,
    wire::{self, Event, MAX_EVENTS, Reply, Report, Sent},
};
use crate::{PluginError, services::PluginAccount};

/// How often metrics are told.
const METRICS_PERIOD: Duration = Duration::from_secs(1);

/// Events and answers of one instance, in the order in which they happened. Any thread of the plugin may add to it.
pub(super) struct Outbox {
    channel: Channel,
    account: Arc<PluginAccount>,
    /// How many broken contracts the host knows of, shared by the plugin's instances.
    told: Arc<AtomicU64>,
    state: Mutex<State>,
}

struct State {
    events: Vec<Event>,
    /// A task is being served: its answer takes the events with it.
    serving: bool,
    metrics_at: Option<Instant>,
    message: Vec<u8>,
}

impl Outbox {
    pub(super) fn new(channel: Channel, account: Arc<PluginAccount>, told: Arc<AtomicU64>) -> Self {
        let state = State { events: Vec::new(), serving: true, metrics_at: None, message: Vec::new() };
        Self { channel, account, told, state: Mutex::new(state) }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// A task came that will be answered.
    pub(super) fn begin(&self) {
        self.lock().serving = true;
    }

    /// Tells an event: with the answer when a task is being served, else at once.
    pub(super) fn tell(&self, event: Event) {
        let mut state = self.lock();
        state.events.push(event);
        if !state.serving || state.events.len() >= MAX_EVENTS {
            self.send(&mut state, None);
        }
    }

    /// Answers the task. `last`: nothing follows.
    pub(super) fn answer(&self, answer: Result<Reply, PluginError>, last: bool) {
        let mut state = self.lock();
        state.serving = false;
        if last {
            state.metrics_at = None;
        }
        self.send(&mut state, Some(answer));
    }

    fn send(&self, state: &mut State, answer: Option<Result<Reply, PluginError>>) {
        let metrics = answer.is_some().then(|| self.metrics(state)).flatten();
        let report = Report {
            events: std::mem::take(&mut state.events),
            answer: answer.map(|answer| answer.map_err(Into::into)),
            misbehaved: misbehaved(&self.account, &self.told),
            metrics,
        };
        // A host that is gone or does not listen ends this process, or has ended the instance.
        let message = &mut state.message;
        if wire::encode(&Sent::Report(report), message).is_ok() {
            let _ = self.channel.send(message, &[]);
        } else if let Some((len, file)) = message.get(1..).and_then(spilled) {
            // What is in the file is the report alone, without the mark before it.
            let _ = wire::encode(&Sent::Spilled(len), message)
                .map(|()| self.channel.send(message, &[file.as_fd()]));
        }
    }

    fn metrics(&self, state: &mut State) -> Option<Vec<(String, crate::MetricValue)>> {
        let now = Instant::now();
        if state.metrics_at.is_some_and(|at| now.duration_since(at) < METRICS_PERIOD) {
            return None;
        }
        state.metrics_at = Some(now);
        Some(self.account.metrics.snapshot()).filter(|metrics| !metrics.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report in a file, with its length.
fn spilled(report: &[u8]) -> Option<(u32, OwnedFd)> {
    Some((u32::try_from(report.len()).ok()?, spill::write(report).ok()?))
}

/// How often the plugin broke the contract since the host was told.
pub(super) fn misbehaved(account: &PluginAccount, told: &AtomicU64) -> u32 {
    let now = account.misbehaviours();
    u32::try_from(now.saturating_sub(told.swap(now, Ordering::Relaxed))).unwrap_or(u32::MAX)
}
