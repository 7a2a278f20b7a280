//! Waits that another thread ends.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wakes a blocked `wait` from any thread.
pub trait Wake: Send + Sync + 'static {
    /// Ends the current or the next wait. Must not block.
    fn wake(&self);
}

/// A [`Wake`] for plugins that wait for nothing but the time: [`Bell::wait`] blocks until [`Wake::wake`] is called.
///
/// A ring that nobody waits for is kept for the next wait; several such rings are one. Any thread may ring; each ring ends
/// the wait of one thread.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Blocks until the bell rings (true) or `until` is reached (false); with `None` for as long as it takes. A time that is
    /// past only asks whether it has rung.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_ring_is_kept_for_one_wait() {
        let bell = Bell::default();
        let past = Some(Instant::now());
        assert!(!bell.wait(past));
        bell.wake();
        bell.wake();
        assert!(bell.wait(None), "it rang before");
        assert!(!bell.wait(past), "two rings are one");
    }

    #[test]
    fn a_time_ends_a_wait() {
        let until = Instant::now() + Duration::from_millis(20);
        assert!(!Bell::default().wait(Some(until)));
        assert!(Instant::now() >= until);
    }

    #[test]
    fn another_thread_ends_a_wait_without_end() {
        let bell = Arc::new(Bell::default());
        let waits = std::thread::spawn({
            let bell = bell.clone();
            move || bell.wait(None)
        });
        bell.wake();
        assert!(waits.join().expect("no panic"));
    }
}
