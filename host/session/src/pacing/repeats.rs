//! When a client gets its whole picture once more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Times after the picture's start, see [`Repeats`].
const AFTER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30)];
/// A stripe that changed within this time before needs no repeating.
const AT_REST: Duration = Duration::from_millis(500);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To remember what the client has.
    Note,
    /// To send again what it has had since then.
    Send,
}

/// A page of 2.1.0 moves its drawing from the page to a worker some time after the stream began, and rebuilds the
/// worker's picture when its canvas gets another size. Either way it loses the stripes that came before, silently, and
/// where the display rests nothing would ever bring them back. What rests is therefore sent again to such a client a few
/// times after each start of a picture. Streams whose packets build on each other need none of that: a decoder that starts
/// late asks for a key frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    /// The picture that began, by the cache's epoch.
    epoch: Option<u64>,
    due: VecDeque<(Instant, Step)>,
    /// The page loses nothing.
    needless: bool,
}

impl Repeats {
    /// For the client's next picture.
    pub(super) fn anew(&self) -> Self {
        Self { needless: self.needless, ..Self::default() }
    }

    /// The client's page keeps what it got.
    pub(super) fn drop(&mut self) {
        self.needless = true;
        self.due.clear();
    }

    /// Packets of the picture `epoch` are sent.
    pub(super) fn sends(&mut self, now: Instant, epoch: u64) {
        if !self.needless && self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            let steps = AFTER.iter().flat_map(|&after| [(after - AT_REST, Step::Note), (after, Step::Send)]);
            self.due = steps.map(|(after, step)| (now + after, step)).collect();
        }
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.front().map(|due| due.0)
    }

    /// The step that is due, once.
    pub(super) fn take(&mut self, now: Instant) -> Option<Step> {
        self.due.pop_front_if(|due| due.0 <= now).map(|due| due.1)
    }
}
