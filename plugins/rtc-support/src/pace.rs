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
    /// A new answer `period` after [`Pace::fetched`]; with `None` there is never one.
    #[must_use]
    pub fn new(period: Option<Duration>) -> Self {
        Self { bell: Arc::default(), period, due: None }
    }

    /// What ends waits.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    /// Notes that an answer was given now. The period counts from the first one since a new answer was told: there may be
    /// answers for single users at any time, which must not put off what the host waits for.
    pub fn fetched(&mut self) {
        let next = || self.period.and_then(|period| Instant::now().checked_add(period));
        self.due = self.due.or_else(next);
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
    fn answers_for_single_users_do_not_put_off_a_new_one() {
        let mut pace = Pace::new(Some(Duration::from_secs(60)));
        pace.fetched();
        let due = pace.due;
        std::thread::sleep(Duration::from_millis(2));
        pace.fetched();
        assert!(due.is_some() && pace.due == due);
        let mut pace = Pace::new(Some(Duration::ZERO));
        pace.fetched();
        assert!(pace.wait(None));
        pace.fetched();
        assert!(pace.wait(None), "and after it was told there is a next one");
    }

    #[test]
    fn a_wait_without_end_is_ended_by_the_waker() {
        let mut pace = Pace::new(None);
        pace.fetched();
        pace.waker().wake();
        assert!(!pace.wait(None));
    }
}
