//! What became of the batches of one client.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Stage, StageRecorder, Stages};
use crate::pacing::is_after;

/// Batches that are remembered until the page reports on them: more than a second of the fastest.
const MAX_TRIPS: usize = 256;
/// By how much the page's clock and its rounded times may disagree with ours.
const TOLERANCE: Duration = Duration::from_millis(5);

/// What a page says of one frame that it drew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageReport {
    /// Frame id as in the video header.
    pub frame_id: u16,
    /// From its last byte's arrival to its last decoded part.
    pub decode: Duration,
    /// From there until it was drawn.
    pub present: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Trip {
    id: u16,
    /// When its newest frame was encoded, where it waited for nothing but its client.
    encoded: Option<Instant>,
    /// When the socket had taken it.
    handed: Option<Instant>,
    /// When its acknowledgement came, the time that the page held it taken off.
    acked: Option<Instant>,
}

impl Trip {
    /// The socket has it, if it had it not before.
    fn hand(&mut self, now: Instant, recorder: &mut StageRecorder) {
        if self.handed.is_none() {
            self.handed = Some(now);
            if let Some(encoded) = self.encoded {
                recorder.record(Stage::Queue, now, now.saturating_duration_since(encoded));
            }
        }
    }
}

/// Follows the batches of one client and measures [`Stage::Queue`] to [`Stage::Present`]. The last three need a page that
/// reports them, and acknowledges what it reports.
#[derive(Debug, Default)]
pub struct Trail {
    recorder: StageRecorder,
    /// Oldest first.
    trips: VecDeque<Trip>,
    newest: Option<u16>,
}

impl Trail {
    /// What was measured.
    #[must_use]
    pub fn stages(&self) -> Arc<Stages> {
        self.recorder.stages()
    }

    /// A batch was queued, whose newest frame was encoded then. A picture to begin with and one that is sent again tell
    /// nothing of the queue: they were there before.
    pub fn sent(&mut self, frame_id: u16, encoded: Option<Instant>) {
        let is_new = self.newest.is_some_and(|newest| is_after(frame_id, newest));
        self.newest = Some(frame_id);
        if self.trips.len() >= MAX_TRIPS {
            self.trips.pop_front();
        }
        let encoded = encoded.filter(|_| is_new);
        self.trips.push_back(Trip { id: frame_id, encoded, handed: None, acked: None });
    }

    /// The socket has taken everything that was queued.
    pub fn handed(&mut self, now: Instant) {
        let waiting = self.trips.iter_mut().rev().take_while(|trip| trip.handed.is_none());
        waiting.for_each(|trip| trip.hand(now, &mut self.recorder));
    }

    /// The client drew this frame, `held_ms` ago; what it says again counts for nothing.
    pub fn acked(&mut self, now: Instant, frame_id: u16, held_ms: Option<u32>) {
        let waits = |trip: &Trip| trip.id == frame_id && trip.acked.is_none();
        let Some(index) = self.trips.iter().position(waits) else { return };
        // It may be heard before the socket's own word that it has it.
        self.trips.iter_mut().take(index + 1).for_each(|trip| trip.hand(now, &mut self.recorder));
        let held = Duration::from_millis(held_ms.unwrap_or_default().into());
        self.trips[index].acked = now.checked_sub(held);
    }

    /// What the client says of a frame; `path` is the round trip without its page. Frames that it was not sent, did not
    /// acknowledge or told of before count for nothing, nor do times that the frame was not under way.
    pub fn reported(&mut self, now: Instant, report: StageReport, path: Option<Duration>) {
        let told = |trip: &Trip| trip.id == report.frame_id && trip.acked.is_some();
        let Some(index) = self.trips.iter().position(told) else { return };
        let trip = self.trips[index];
        // Reports come in the order of frames.
        self.trips.drain(..=index);
        let (Some(handed), Some(acked)) = (trip.handed, trip.acked) else { return };
        let (away, page) = (acked.saturating_duration_since(handed), report.decode + report.present);
        if page > away + TOLERANCE {
            return;
        }
        self.recorder.record(Stage::Decode, now, report.decode);
        self.recorder.record(Stage::Present, now, report.present);
        if let Some(path) = path {
            // The acknowledgement's way back is short: half of the shortest round trip.
            self.recorder.record(Stage::Wire, now, away.saturating_sub(page + path / 2));
        }
    }

    /// The client begins anew, or is to get nothing for now.
    pub fn forget(&mut self) {
        self.trips.clear();
        self.newest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    struct Client {
        trail: Trail,
        now: Instant,
        id: u16,
    }

    impl Client {
        /// One that has its first picture.
        fn new(id: u16) -> Self {
            let mut client = Self { trail: Trail::default(), now: Instant::now(), id };
            client.trail.sent(id, Some(client.now));
            client.trail.handed(client.now);
            client
        }

        /// A frame that waits, travels, is decoded and drawn for so many milliseconds; its acknowledgement takes `back`.
        fn frame(&mut self, queue: u64, wire: u64, decode: u64, present: u64, back: u64) -> StageReport {
            self.id = self.id.wrapping_add(1);
            let encoded = self.now;
            self.now += ms(queue);
            self.trail.sent(self.id, Some(encoded));
            self.trail.handed(self.now);
            self.now += ms(wire + decode + present + back);
            self.trail.acked(self.now, self.id, Some(0));
            StageReport { frame_id: self.id, decode: ms(decode), present: ms(present) }
        }

        fn counts(&self) -> [u64; 4] {
            [Stage::Queue, Stage::Wire, Stage::Decode, Stage::Present]
                .map(|stage| self.trail.stages().get(stage).map_or(0, |found| found.totals().count()))
        }

        fn sum(&self, stage: Stage) -> u64 {
            self.trail.stages().get(stage).map_or(0, |found| found.totals().sum_us)
        }
    }

    #[test]
    fn each_stage_gets_its_share_of_the_way() {
        // Ids run over in between.
        let mut client = Client::new(0xfffd);
        for _ in 0..5 {
            let report = client.frame(4, 10, 7, 2, 10);
            client.trail.reported(client.now, report, Some(ms(20)));
        }
        assert_eq!(client.counts(), [5; 4]);
        let sums = [Stage::Queue, Stage::Wire, Stage::Decode, Stage::Present].map(|stage| client.sum(stage));
        assert_eq!(sums, [20_000, 50_000, 35_000, 10_000]);
    }

    #[test]
    fn a_late_acknowledgement_names_the_time_of_drawing() {
        let mut client = Client::new(0);
        client.id = 1;
        client.trail.sent(1, Some(client.now));
        client.trail.handed(client.now);
        client.trail.acked(client.now + ms(90), 1, Some(50));
        let report = StageReport { frame_id: 1, decode: ms(20), present: ms(10) };
        client.trail.reported(client.now + ms(900), report, Some(ms(0)));
        assert_eq!(client.sum(Stage::Wire), 10_000);
        // Said again, it would be later: the first time counts.
        client.frame(0, 1, 1, 1, 0);
        let acked = client.now;
        client.trail.acked(acked + ms(1000), 2, Some(0));
        client.trail.reported(acked, StageReport { frame_id: 2, decode: ms(1), present: ms(1) }, Some(ms(0)));
        assert_eq!(client.sum(Stage::Wire), 11_000);
    }

    #[test]
    fn an_acknowledgement_that_overtakes_the_socket_is_its_word() {
        let mut client = Client::new(0);
        client.trail.sent(1, Some(client.now));
        client.trail.acked(client.now + ms(3), 1, Some(0));
        client.trail.handed(client.now + ms(4));
        let report = StageReport { frame_id: 1, decode: ms(1), present: ms(1) };
        client.trail.reported(client.now + ms(900), report, Some(ms(0)));
        assert_eq!((client.counts(), client.sum(Stage::Queue)), ([1; 4], 3000));
        assert_eq!(client.sum(Stage::Wire), 0);
    }

    #[test]
    fn two_batches_of_one_frame_are_told_apart() {
        let mut client = Client::new(0);
        let first = client.frame(1, 5, 3, 2, 0);
        client.trail.sent(1, Some(client.now));
        client.trail.handed(client.now);
        client.trail.acked(client.now + ms(30), 1, Some(0));
        let second = StageReport { frame_id: 1, decode: ms(10), present: ms(10) };
        client.trail.reported(client.now, first, Some(ms(0)));
        client.trail.reported(client.now, second, Some(ms(0)));
        assert_eq!((client.counts(), client.sum(Stage::Wire)), ([1, 2, 2, 2], 15_000));
    }

    #[test]
    fn a_page_that_reports_nothing_has_the_queue_only() {
        let mut client = Client::new(7);
        for _ in 0..2000 {
            client.frame(1, 5, 3, 2, 5);
        }
        assert_eq!(client.counts(), [2000, 0, 0, 0]);
        assert!(client.trail.trips.len() <= MAX_TRIPS);
    }

    #[test]
    fn without_a_measured_path_the_wire_is_unknown() {
        let mut client = Client::new(0);
        let report = client.frame(1, 5, 3, 2, 5);
        client.trail.reported(client.now, report, None);
        assert_eq!(client.counts(), [1, 0, 1, 1]);
    }

    #[test]
    fn what_cannot_be_true_counts_for_nothing() {
        let mut client = Client::new(0);
        let report = client.frame(1, 5, 3, 2, 5);
        let path = Some(ms(1));
        // Never sent; and longer than the frame was under way.
        client.trail.reported(client.now, StageReport { frame_id: 999, ..report }, path);
        assert_eq!(client.counts(), [1, 0, 0, 0]);
        client.trail.reported(client.now, StageReport { decode: ms(10_000), ..report }, path);
        // Told once, whatever it was.
        client.trail.reported(client.now, report, path);
        assert_eq!(client.counts(), [1, 0, 0, 0]);
        // Not acknowledged.
        client.trail.sent(9, Some(client.now));
        client.trail.handed(client.now);
        client.trail.reported(client.now + ms(50), StageReport { frame_id: 9, ..report }, path);
        assert_eq!(client.counts(), [2, 0, 0, 0]);
    }

    #[test]
    fn pictures_that_were_there_before_do_not_count_as_queued() {
        let mut client = Client::new(5);
        assert_eq!(client.counts(), [0; 4], "the picture to begin with");
        let later = client.now + ms(2000);
        client.trail.sent(5, Some(client.now));
        client.trail.handed(later);
        assert_eq!(client.counts(), [0; 4], "the same again");
        client.trail.forget();
        client.trail.sent(6, Some(client.now));
        client.trail.handed(later);
        assert_eq!(client.counts(), [0; 4], "a new beginning");
        client.id = 6;
        client.frame(3, 1, 1, 1, 1);
        assert_eq!((client.counts()[0], client.sum(Stage::Queue)), (1, 3000));
    }
}
