//! The frames of one stream, and which of them arrived whole. Times are arguments, in nanoseconds.

use std::collections::VecDeque;

/// Frames that are remembered.
const MAX_FRAMES: usize = 256;

/// A frame that left.
#[derive(Debug)]
struct Frame {
    frame_id: u64,
    pts: u64,
    /// RTP number of its first packet, and how many left; they are consecutive.
    first: u16,
    count: u16,
    /// RTP numbers of its packets that are not reported as arrived.
    missing: Vec<u16>,
    /// Its last packet left.
    is_whole: bool,
    /// When its newest packet left.
    left_ns: u64,
    is_key: bool,
}

impl Frame {
    fn has(&self, sequence: u16) -> bool {
        sequence.wrapping_sub(self.first) < self.count
    }
}

/// The frames of a stream.
#[derive(Debug)]
pub(crate) struct Frames {
    frames: VecDeque<Frame>,
    arrived: u64,
    /// When the newest packet left.
    left_ns: u64,
    /// The client reports what arrives.
    is_reported: bool,
}

impl Frames {
    /// Of a client that does not report what arrives, all that leaves is taken for arrived: nobody will ever know better.
    pub(crate) fn new(is_reported: bool) -> Self {
        Self { frames: VecDeque::new(), arrived: 0, left_ns: 0, is_reported }
    }

    /// A frame goes to the payloader.
    pub(crate) fn begin(&mut self, frame_id: u64, pts: u64, is_key: bool) {
        if self.frames.len() == MAX_FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back(Frame {
            frame_id,
            pts,
            first: 0,
            count: 0,
            missing: Vec::new(),
            is_whole: false,
            left_ns: 0,
            is_key,
        });
    }

    /// A packet of the frame with this `pts` left; `is_last` of it.
    pub(crate) fn left(&mut self, sequence: u16, is_last: bool, pts: Option<u64>, now_ns: u64) {
        self.left_ns = now_ns;
        let Some(frame) = self.frames.iter_mut().rev().find(|frame| Some(frame.pts) == pts) else { return };
        if frame.count == 0 {
            frame.first = sequence;
        }
        frame.count = frame.count.saturating_add(1);
        frame.missing.push(sequence);
        frame.is_whole |= is_last;
        frame.left_ns = now_ns;
        if frame.is_whole && !self.is_reported {
            let arrived = self.arrived.max(frame.frame_id);
            self.frames.retain(|frame| frame.frame_id > arrived);
            self.arrived = arrived;
        }
    }

    /// Whether something is not known to have arrived. A client may ask for packets again and again, so that frames are
    /// told apart by their ranges first.
    pub(crate) fn misses(&self, sequence: u16) -> bool {
        self.frames.iter().any(|frame| frame.has(sequence) && frame.missing.contains(&sequence))
    }

    /// Whether a packet belongs to the newest frame.
    pub(crate) fn is_newest(&self, sequence: u16) -> bool {
        self.frames.back().is_some_and(|frame| frame.has(sequence))
    }

    /// A packet arrived.
    pub(crate) fn arrive(&mut self, sequence: u16) {
        let mut whole_key = 0;
        for frame in self.frames.iter_mut().filter(|frame| frame.has(sequence)) {
            if let Some(place) = frame.missing.iter().position(|missing| *missing == sequence) {
                frame.missing.swap_remove(place);
                if frame.missing.is_empty() && frame.is_whole {
                    self.arrived = self.arrived.max(frame.frame_id);
                    whole_key = if frame.is_key { frame.frame_id } else { 0 };
                }
                break;
            }
        }
        // Nobody waits for what stood before a key frame.
        self.frames.retain(|frame| frame.frame_id >= whole_key);
        let arrived = self.arrived;
        while self.frames.front().is_some_and(|frame| frame.frame_id <= arrived && frame.missing.is_empty()) {
            self.frames.pop_front();
        }
    }

    /// Newest frame of which everything arrived; 0 when there is none.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// When the newest frame left, where something of it is not known to have arrived.
    pub(crate) fn unfinished(&self) -> Option<u64> {
        let frame = self.frames.back()?;
        (frame.is_whole && !frame.missing.is_empty()).then_some(frame.left_ns)
    }

    /// Whether all arrived that the client needs, and nothing left for so long. Never where nobody knows.
    pub(crate) fn is_at_rest(&self, since_ns: u64, now_ns: u64) -> bool {
        self.is_reported
            && self.arrived > 0
            && self.frames.is_empty()
            && now_ns.saturating_sub(self.left_ns) > since_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two frames of two packets each, their numbers run over; the second is a key frame.
    fn two(is_reported: bool) -> Frames {
        let mut frames = Frames::new(is_reported);
        frames.begin(100, 1000, false);
        frames.begin(101, 2000, true);
        for (i, pts) in [(0_u16, 1000), (1, 1000), (2, 2000), (3, 2000)] {
            frames.left(65_535_u16.wrapping_add(i), i % 2 == 1, Some(pts), u64::from(i));
        }
        frames
    }

    #[test]
    fn the_newest_frame_is_unfinished_until_all_of_it_arrived() {
        let mut frames = two(true);
        assert_eq!(frames.unfinished(), Some(3));
        frames.arrive(1);
        assert_eq!((frames.unfinished(), frames.arrived()), (Some(3), 0));
        frames.arrive(2);
        assert_eq!((frames.unfinished(), frames.arrived()), (None, 101));
    }

    #[test]
    fn a_stream_is_at_rest_when_a_key_frame_arrived_or_all_did_and_nothing_followed() {
        let mut frames = two(true);
        frames.arrive(1);
        assert!(!frames.is_at_rest(10, 100));
        // The second frame is a key frame; what is missing of the first does not matter any more.
        frames.arrive(2);
        assert!(frames.is_at_rest(10, 100) && !frames.is_at_rest(10, 12));
        frames.begin(102, 3000, false);
        assert!(!frames.is_at_rest(10, 100) && !Frames::new(true).is_at_rest(10, 100));
    }

    #[test]
    fn what_left_is_taken_for_arrived_where_nobody_reports() {
        let mut frames = two(false);
        assert_eq!((frames.arrived(), frames.unfinished()), (101, None));
        assert!(!frames.is_at_rest(10, 100), "a client that lost its picture has no other way to get it");
        frames.begin(102, 3000, false);
        frames.left(3, false, Some(3000), 9);
        assert_eq!(frames.arrived(), 101);
        frames.left(4, true, Some(3000), 9);
        assert_eq!(frames.arrived(), 102);
    }

    #[test]
    fn packets_belong_to_the_frame_in_whose_range_they_are() {
        let frames = two(true);
        assert!(frames.misses(65_535) && frames.misses(2) && !frames.misses(3) && !frames.misses(65_534));
        assert!(frames.is_newest(1) && !frames.is_newest(0));
    }
}
