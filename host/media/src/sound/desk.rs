//! Where the host tells the thread `sound` what is wanted.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use selkies_plugin_host::Waker;

use super::SoundState;

/// What is wanted, and what there is. Any thread may use it; nothing here blocks for long.
#[derive(Debug)]
pub(super) struct Desk {
    stopped: AtomicBool,
    wanted: AtomicBool,
    /// A plugin is another one.
    looks: AtomicBool,
    bitrate: AtomicU32,
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug)]
struct Board {
    state: SoundState,
    /// Ends the read of the capture that runs.
    waker: Option<Waker>,
}

impl Desk {
    pub(super) fn new(bitrate: u32) -> Self {
        Self {
            stopped: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            looks: AtomicBool::new(false),
            bitrate: AtomicU32::new(bitrate),
            board: Mutex::new(Board { state: SoundState::Off, waker: None }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn stop(&self) {
        self.tell(|| self.stopped.store(true, Ordering::SeqCst));
    }

    pub(super) fn set_wanted(&self, wanted: bool) {
        self.tell(|| self.wanted.store(wanted, Ordering::SeqCst));
    }

    pub(super) fn look(&self) {
        self.tell(|| self.looks.store(true, Ordering::SeqCst));
    }

    /// Read with every block: nobody is woken for it.
    pub(super) fn set_bitrate(&self, bitrate: u32) {
        self.bitrate.store(bitrate, Ordering::SeqCst);
    }

    pub(super) fn bitrate(&self) -> u32 {
        self.bitrate.load(Ordering::SeqCst)
    }

    /// Changes something under the lock, so that whoever is about to sleep sees it.
    fn tell(&self, change: impl FnOnce()) {
        let board = self.board();
        change();
        self.changed.notify_all();
        if let Some(waker) = &board.waker {
            waker.wake();
        }
    }

    pub(super) fn state(&self) -> SoundState {
        self.board().state.clone()
    }

    /// Notes the state. True when it is another one than before.
    pub(super) fn note(&self, state: &SoundState) -> bool {
        let mut board = self.board();
        let differs = board.state != *state;
        if differs {
            board.state = state.clone();
        }
        differs
    }

    pub(super) fn wakes(&self, waker: Option<Waker>) {
        self.board().waker = waker;
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// True while somebody listens and the thread is not to end.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) && !self.stopped()
    }

    /// True when a plugin became another one since the last such question.
    pub(super) fn looked(&self) -> bool {
        self.looks.swap(false, Ordering::SeqCst)
    }

    /// Sleeps until somebody listens, or the thread is to end.
    pub(super) fn await_wanted(&self) {
        let idle = |_: &mut Board| !self.wanted.load(Ordering::SeqCst) && !self.stopped();
        drop(self.changed.wait_while(self.board(), idle).unwrap_or_else(PoisonError::into_inner));
    }

    /// Sleeps before another attempt; shorter when nobody listens any more or a plugin changes.
    pub(super) fn rest(&self, time: Duration) {
        let idle = |_: &mut Board| self.wanted() && !self.looks.load(Ordering::SeqCst);
        let rested = self.changed.wait_timeout_while(self.board(), time, idle);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread, time::Instant};

    use super::*;

    #[test]
    fn rests_end_when_nobody_listens_any_more() {
        const LONG: Duration = Duration::from_secs(600);
        let desk = Arc::new(Desk::new(1));
        desk.set_wanted(true);
        desk.await_wanted();
        let begun = Instant::now();
        let other = desk.clone();
        let thread = thread::spawn(move || other.set_wanted(false));
        desk.rest(LONG);
        desk.look();
        desk.set_wanted(true);
        desk.rest(LONG);
        assert!(desk.looked() && !desk.looked());
        desk.stop();
        desk.await_wanted();
        assert!(!desk.wanted() && begun.elapsed() < LONG);
        thread.join().expect("it ended");
    }

    #[test]
    fn a_state_is_noted_once() {
        let desk = Desk::new(1);
        assert!(!desk.note(&SoundState::Off));
        let waiting = SoundState::Waiting("no server".into());
        assert!(desk.note(&waiting) && !desk.note(&waiting));
        assert_eq!(desk.state(), waiting);
    }
}
