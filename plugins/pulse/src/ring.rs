//! Between the thread of libpulse and the reader: the newest samples, and what ends a wait.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{AudioRead, Error, Result, Wake};

/// How much is kept for a reader that does not come, milliseconds: what the ABI says.
const KEPT_MS: usize = 200;

/// Samples on their way to the reader.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    samples: VecDeque<f32>,
    channels: usize,
    rate: u32,
    /// When the newest of them was captured, nanoseconds.
    end_ns: u64,
    /// Samples are missing before the first.
    gap: bool,
    failed: Option<Error>,
    woken: bool,
}

impl Ring {
    /// Begins anew, with this form of samples.
    pub(crate) fn open(&self, channels: usize, rate: u32) {
        let woken = self.board().woken;
        *self.board() = Board { channels, rate, woken, ..Board::default() };
    }

    /// Samples came; the newest was captured at `end_ns`.
    pub(crate) fn push(&self, samples: impl Iterator<Item = f32>, end_ns: u64) {
        let mut board = self.board();
        board.samples.extend(samples);
        board.end_ns = end_ns;
        let kept = board.rate as usize * KEPT_MS / 1000 * board.channels;
        let over = board.samples.len().saturating_sub(kept);
        if over > 0 {
            // Whole samples of every channel.
            let over = over.next_multiple_of(board.channels.max(1)).min(board.samples.len());
            board.samples.drain(..over);
            board.gap = true;
        }
        self.changed.notify_all();
    }

    /// Samples were lost.
    pub(crate) fn skip(&self) {
        self.board().gap = true;
    }

    /// There will be no more.
    pub(crate) fn fail(&self, error: Error) {
        self.board().failed.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Waits for so many samples of each channel.
    pub(crate) fn read(
        &self,
        frames: usize,
        timeout: Option<Duration>,
        out: &mut Vec<f32>,
    ) -> Result<Option<AudioRead>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut board = self.board();
        loop {
            let count = frames * board.channels;
            if count > 0 && board.samples.len() >= count {
                let after = (board.samples.len() - count) / board.channels;
                let nanos = |frames: usize| frames as u64 * 1_000_000_000 / u64::from(board.rate.max(1));
                // The newest is the end of what is there, this block the beginning.
                let timestamp_ns = board.end_ns.saturating_sub(nanos(after + frames));
                out.clear();
                out.extend(board.samples.drain(..count));
                return Ok(Some(AudioRead { timestamp_ns, gap: std::mem::take(&mut board.gap) }));
            }
            if let Some(error) = &board.failed {
                return Err(error.clone());
            }
            if std::mem::take(&mut board.woken) {
                return Ok(None);
            }
            board = match until {
                None => self.changed.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.changed.wait_timeout(board, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Ring {
    fn wake(&self) {
        self.board().woken = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn blocks_come_in_order_with_their_times() {
        let (ring, mut out) = (Ring::default(), Vec::new());
        ring.open(2, 1000);
        ring.push((0..50).map(|at| at as f32), 100 * MS);
        let first = ring.read(10, None, &mut out).expect("no failure").expect("a block");
        assert_eq!((out.len(), out[0], out[19]), (20, 0.0, 19.0));
        assert_eq!(first, AudioRead { timestamp_ns: 75 * MS, gap: false });
        let second = ring.read(10, None, &mut out).expect("no failure").expect("a block");
        assert_eq!((second.timestamp_ns, out[0]), (85 * MS, 20.0));
        assert_eq!(ring.read(10, Some(Duration::from_millis(1)), &mut out), Ok(None), "five are left");
        ring.wake();
        assert_eq!(ring.read(10, None, &mut out), Ok(None));
        ring.fail(Error::device_lost("gone"));
        assert!(ring.read(5, None, &mut out).expect("what came is read").is_some());
        assert!(ring.read(5, None, &mut out).is_err());
    }

    #[test]
    fn the_newest_200_ms_are_kept() {
        let (ring, mut out) = (Ring::default(), Vec::new());
        ring.open(2, 1000);
        ring.push((0..1001).map(|at| at as f32), 500 * MS);
        let read = ring.read(10, None, &mut out).expect("no failure").expect("a block");
        assert!(read.gap && out[0] == 602.0, "{}", out[0]);
        assert!(!ring.read(10, None, &mut out).expect("no failure").expect("a block").gap);
        ring.skip();
        assert!(ring.read(10, None, &mut out).expect("no failure").expect("a block").gap);
    }
}
