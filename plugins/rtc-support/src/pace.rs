//! Waits for answers that age.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{Bell, Wake};

/// When a source whose answers age has a new one.
#[derive(Debug)]
pub struct Pace {
    bell: Arc<Bell>,
    period: Option<Duration>,
    due: Option<Instant>,
}

impl Pace {
    /// A new answer `period` after each [`Pace::fetched`]; with `None` there is never one.
    #[must_use]
    pub fn new(period: Option<Duration>) -> Self {
        Self { bell: Arc::default(), period, due: None }
    }

    /// What ends waits.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    /// Notes that an answer was given now.
    pub fn fetched(&mut self) {
        self.due = self.period.and_then(|period| Instant::now().checked_add(period));
    }

    /// Waits until there is a new answer (true), `timeout` passed or the waker was used (false).
    pub fn wait(&mut self, timeout: Option<Duration>) -> bool {
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let until = [give_up, self.due].into_iter().flatten().min();
        if self.bell.wait(until) {
            return false;
        }
        let is_due = self.due.is_some_and(|due| due <= Instant::now());
        if is_due {
            self.due = None;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_answer_is_told_once_per_period() {
        let mut pace = Pace::new(Some(Duration::from_millis(20)));
        assert!(!pace.wait(Some(Duration::ZERO)), "nothing was given yet");
        pace.fetched();
        assert!(pace.wait(Some(Duration::from_secs(60))));
        assert!(!pace.wait(Some(Duration::from_millis(1))), "told already");
    }

    #[test]
    fn a_wait_without_end_is_ended_by_the_waker() {
        let mut pace = Pace::new(None);
        pace.fetched();
        pace.waker().wake();
        assert!(!pace.wait(None));
    }
}
