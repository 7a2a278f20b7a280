//! Where the video thread waits: in its capture for damage, or here for a client that can take a frame.

use std::{sync::PoisonError, time::Instant};

use selkies_session::pacing::Demand;

use super::{Fan, Stream, wakeup};

impl Stream {
    /// Runs `wait`, which ends at `limit`, or when a client's turn or a keyframe for it comes before that: then the capture
    /// is woken. Clients whose turn it is get their packets first.
    pub(crate) fn while_waiting<T>(
        &self,
        limit: Option<Instant>,
        wait: impl FnOnce(Option<Instant>) -> T,
    ) -> T {
        let limit = {
            let now = Instant::now();
            let mut state = self.lock();
            self.deliver(&mut state, now);
            let limit = limit.into_iter().chain(wakeup(&state.fan, now)).min();
            state.looks_at = Some(limit);
            limit
        };
        let answer = wait(limit);
        self.lock().looks_at = None;
        answer
    }

    /// Blocks until the demand is [`Demand::Encode`] or is to be looked at before `limit`, until nobody watches, until
    /// `ready`, or until `limit`.
    pub(crate) fn pause_for_demand(&self, limit: Option<Instant>, ready: impl Fn() -> bool) {
        self.pause(limit, |fan| {
            let moved = match fan.demand(Instant::now()) {
                Demand::Encode => true,
                Demand::Wait(Some(at)) => limit.is_none_or(|limit| at < limit),
                Demand::Wait(None) => false,
            };
            moved || fan.active() == 0 || ready()
        });
    }

    /// Blocks until something changed for which `ready` is true, or until `limit`.
    pub(crate) fn pause(&self, limit: Option<Instant>, ready: impl Fn(&Fan) -> bool) {
        let mut state = self.lock();
        loop {
            if ready(&state.fan) {
                return;
            }
            state = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
