//! How the microphone is used, between the thread of libpulse and the host's calls.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{AudioSinkState, Error, Result, Wake};

/// What is known of it.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    state: AudioSinkState,
    /// The number of recorders that the last answer said.
    told: Option<Option<u32>>,
    /// Why nothing is played any more.
    trouble: Option<Error>,
    woken: bool,
}

impl Usage {
    /// So many record.
    pub(crate) fn counted(&self, recorders: u32) {
        self.board().state.recorders = Some(recorders);
        self.changed.notify_all();
    }

    /// So much was not heard yet.
    pub(crate) fn queued(&self, queued: Duration) {
        self.board().state.queued = queued;
    }

    /// Nothing is played any more.
    pub(crate) fn fail(&self, error: Error) {
        self.board().trouble.get_or_insert(error);
        self.changed.notify_all();
    }

    /// That it still works.
    pub(crate) fn sound(&self) -> Result<()> {
        self.board().trouble.clone().map_or(Ok(()), Err)
    }

    /// Waits for another number of recorders than was answered last.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut board = self.board();
        loop {
            if let Some(error) = &board.trouble {
                return Err(error.clone());
            }
            if timeout == Some(Duration::ZERO) || board.told != Some(board.state.recorders) {
                board.told = Some(board.state.recorders);
                return Ok(Some(board.state));
            }
            if std::mem::take(&mut board.woken) {
                return Ok(None);
            }
            board = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Ok(None),
                Some(left) => {
                    self.changed.wait_timeout(board, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Usage {
    fn wake(&self) {
        self.board().woken = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_answered_once() {
        let usage = Usage::default();
        usage.counted(0);
        let state = |recorders, queued| AudioSinkState { recorders: Some(recorders), queued };
        assert_eq!(usage.wait(None), Ok(Some(state(0, Duration::ZERO))), "the first at once");
        usage.queued(Duration::from_millis(9));
        usage.counted(0);
        assert_eq!(usage.wait(Some(Duration::from_millis(1))), Ok(None));
        assert_eq!(usage.wait(Some(Duration::ZERO)), Ok(Some(state(0, Duration::from_millis(9)))));
        usage.counted(1);
        assert!(usage.wait(None).is_ok_and(|state| state.is_some_and(|state| state.recorders == Some(1))));
        usage.wake();
        assert_eq!(usage.wait(None), Ok(None));
        usage.fail(Error::device_lost("gone"));
        assert!(usage.wait(None).is_err() && usage.sound().is_err());
    }
}
