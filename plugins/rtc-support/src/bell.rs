//! Waits that another thread can end.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::Wake;

/// Ends the current wait, or the next one.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Waits until the bell rings (true) or `until` is reached; `None`: no limit.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if std::mem::take(&mut *rung) {
                return true;
            }
            rung = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                Some(left) => self.changed.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

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
