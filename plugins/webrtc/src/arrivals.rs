//! Which packets, and so which frames, arrived. Times are arguments, in nanoseconds.

use std::collections::{HashMap, VecDeque};

use crate::rtp::Header;

/// Packets that are remembered until they are reported.
const MAX_PACKETS: usize = 16_384;
/// Frames of one stream that are remembered.
const MAX_FRAMES: usize = 256;
/// A packet that is not reported within this time is not under way any more.
const FORGET_NS: u64 = 2_000_000_000;
/// A packet that was overtaken is reported as lost first; it may still be reported as arrived for so long.
const LATE_NS: u64 = 500_000_000;

/// What is known of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Lost,
    Arrived,
}

/// A packet that left.
#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u16,
    size: u32,
    at_ns: u64,
    /// The stream and the RTP number of what it carries, of a retransmission those of the first packet.
    carries: Option<(u32, u16)>,
    known: Known,
}

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

#[derive(Debug, Default)]
struct Stream {
    frames: VecDeque<Frame>,
    arrived: u64,
    /// When the newest packet left.
    left_ns: u64,
}

/// What a report says of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Its transport-wide number.
    pub(crate) number: u16,
    /// When it arrived by the client's clock; `None` when it did not.
    pub(crate) arrived_ns: Option<u64>,
}

/// What a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) sent_ns: u64,
    pub(crate) arrived_ns: Option<u64>,
    pub(crate) size: u32,
}

/// The packets under way to one client.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    packets: VecDeque<Sent>,
    in_flight: u64,
    streams: HashMap<u32, Stream>,
    ssrcs: HashMap<u32, u32>,
}

impl Arrivals {
    /// Packets with this SSRC belong to this stream; all others are retransmissions.
    pub(crate) fn register(&mut self, ssrc: u32, stream: u32) {
        self.ssrcs.insert(ssrc, stream);
    }

    /// A frame goes to the payloader.
    pub(crate) fn frame(&mut self, stream: u32, frame_id: u64, pts: u64, is_key: bool) {
        let frames = &mut self.streams.entry(stream).or_default().frames;
        if frames.len() == MAX_FRAMES {
            frames.pop_front();
        }
        frames.push_back(Frame {
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

    /// A packet left. `pts` is that of its frame, `original` the RTP number that a retransmission begins with.
    pub(crate) fn packet(
        &mut self,
        header: &Header,
        pts: Option<u64>,
        original: Option<u16>,
        size: u32,
        now_ns: u64,
    ) {
        let carries = match self.ssrcs.get(&header.ssrc) {
            Some(&stream) => {
                let frame = self.streams.get_mut(&stream).and_then(|stream| {
                    stream.left_ns = now_ns;
                    stream.frames.iter_mut().rev().find(|frame| Some(frame.pts) == pts)
                });
                if let Some(frame) = frame {
                    if frame.count == 0 {
                        frame.first = header.sequence;
                    }
                    frame.count = frame.count.saturating_add(1);
                    frame.missing.push(header.sequence);
                    frame.is_whole |= header.marker;
                    frame.left_ns = now_ns;
                }
                Some((stream, header.sequence))
            }
            None => original.and_then(|original| self.owner(original)),
        };
        let Some(number) = header.transport_sequence else { return };
        // The numbers are consecutive; whatever breaks that, makes the older ones useless.
        if self.packets.back().is_some_and(|last| last.number.wrapping_add(1) != number) {
            self.packets.clear();
            self.in_flight = 0;
        }
        if self.packets.len() == MAX_PACKETS {
            self.forget_first();
        }
        self.packets.push_back(Sent { number, size, at_ns: now_ns, carries, known: Known::Nothing });
        self.in_flight += u64::from(size);
    }

    fn owner(&self, sequence: u16) -> Option<(u32, u16)> {
        // A client may ask for packets again and again: frames are told apart by their ranges.
        let has = |frame: &Frame| sequence.wrapping_sub(frame.first) < frame.count;
        let waits =
            |stream: &Stream| stream.frames.iter().any(|frame| has(frame) && frame.missing.contains(&sequence));
        self.streams.iter().find(|(_, stream)| waits(stream)).map(|(number, _)| (*number, sequence))
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.packets.pop_front()
            && first.known == Known::Nothing
        {
            self.in_flight = self.in_flight.saturating_sub(u64::from(first.size));
        }
    }

    /// The client reports on a packet. `None` when it is not known, or was reported before.
    pub(crate) fn report(&mut self, report: Report) -> Option<Fate> {
        let first = self.packets.front()?.number;
        let sent = self.packets.get_mut(usize::from(report.number.wrapping_sub(first)))?;
        let before = sent.known;
        if before == Known::Arrived || (before == Known::Lost && report.arrived_ns.is_none()) {
            return None;
        }
        sent.known = if report.arrived_ns.is_some() { Known::Arrived } else { Known::Lost };
        let Sent { size, at_ns, carries, .. } = *sent;
        if let Some((stream, sequence)) = carries.filter(|_| report.arrived_ns.is_some()) {
            self.arrive(stream, sequence);
        }
        let newest = self.packets.back().map_or(0, |last| last.at_ns);
        let is_settled = |first: &Sent| match first.known {
            Known::Nothing => false,
            Known::Lost => newest.saturating_sub(first.at_ns) > LATE_NS,
            Known::Arrived => true,
        };
        while self.packets.front().is_some_and(is_settled) {
            self.packets.pop_front();
        }
        if before == Known::Lost {
            return None;
        }
        self.in_flight = self.in_flight.saturating_sub(u64::from(size));
        Some(Fate { sent_ns: at_ns, arrived_ns: report.arrived_ns, size })
    }

    /// Later packets are reported on, those that left before this time never will be: their report was lost. They are
    /// taken for arrived, since a client that lacks some asks for them; but not those of a stream's newest frame, of which it
    /// might not know.
    pub(crate) fn forget_before(&mut self, before_ns: u64) {
        while let Some(first) = self.packets.front().copied()
            && first.at_ns < before_ns
        {
            if let Some((stream, sequence)) = first.carries.filter(|_| first.known == Known::Nothing)
                && !self.is_newest(stream, sequence)
            {
                self.arrive(stream, sequence);
            }
            self.forget_first();
        }
    }

    fn is_newest(&self, stream: u32, sequence: u16) -> bool {
        let newest = self.streams.get(&stream).and_then(|stream| stream.frames.back());
        newest.is_some_and(|frame| sequence.wrapping_sub(frame.first) < frame.count)
    }

    fn arrive(&mut self, stream: u32, sequence: u16) {
        let Some(stream) = self.streams.get_mut(&stream) else { return };
        let mut whole_key = 0;
        for frame in &mut stream.frames {
            if let Some(place) = frame.missing.iter().position(|missing| *missing == sequence) {
                frame.missing.swap_remove(place);
                if frame.missing.is_empty() && frame.is_whole {
                    stream.arrived = stream.arrived.max(frame.frame_id);
                    whole_key = if frame.is_key { frame.frame_id } else { 0 };
                }
                break;
            }
        }
        // Nobody waits for what stood before a key frame.
        stream.frames.retain(|frame| frame.frame_id >= whole_key);
        let arrived = stream.arrived;
        while stream.frames.front().is_some_and(|frame| frame.frame_id <= arrived && frame.missing.is_empty())
        {
            stream.frames.pop_front();
        }
    }

    /// Newest frame of a stream of which everything arrived; 0 when there is none.
    pub(crate) fn arrived(&self, stream: u32) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.arrived)
    }

    /// When the newest frame of a stream left, where something of it is not known to have arrived.
    pub(crate) fn unfinished(&self, stream: u32) -> Option<u64> {
        let frame = self.streams.get(&stream)?.frames.back()?;
        (frame.is_whole && !frame.missing.is_empty()).then_some(frame.left_ns)
    }

    /// Whether all of a stream arrived that the client needs, and nothing left for so long.
    pub(crate) fn is_at_rest(&self, stream: u32, since_ns: u64, now_ns: u64) -> bool {
        self.streams.get(&stream).is_some_and(|stream| {
            stream.arrived > 0 && stream.frames.is_empty() && now_ns.saturating_sub(stream.left_ns) > since_ns
        })
    }

    /// Bytes that left and are not reported on.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the oldest of them left.
    pub(crate) fn oldest_ns(&mut self, now_ns: u64) -> Option<u64> {
        while self.packets.front().is_some_and(|first| now_ns.saturating_sub(first.at_ns) > FORGET_NS) {
            self.forget_first();
        }
        self.packets.iter().find(|packet| packet.known == Known::Nothing).map(|packet| packet.at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, number: u16, marker: bool) -> Header {
        Header { marker, sequence, ssrc, transport_sequence: Some(number), len: 20 }
    }

    /// Two frames of two packets each, their transport-wide numbers run over.
    fn two_frames() -> Arrivals {
        let mut arrivals = Arrivals::default();
        arrivals.register(1, 0);
        arrivals.frame(0, 100, 1000, false);
        arrivals.frame(0, 101, 2000, true);
        for (i, pts) in [(0_u16, 1000), (1, 1000), (2, 2000), (3, 2000)] {
            let header = packet(1, 65_535_u16.wrapping_add(i), 65_534_u16.wrapping_add(i), i % 2 == 1);
            arrivals.packet(&header, Some(pts), None, 1000, u64::from(i));
        }
        arrivals
    }

    fn arrive(arrivals: &mut Arrivals, number: u16) -> Option<Fate> {
        arrivals.report(Report { number, arrived_ns: Some(5) })
    }

    #[test]
    fn a_frame_arrived_when_all_its_packets_did() {
        let mut arrivals = two_frames();
        assert_eq!((arrivals.arrived(0), arrivals.in_flight()), (0, 4000));
        assert_eq!(arrive(&mut arrivals, 65_535).map(|fate| fate.sent_ns), Some(1));
        assert_eq!(arrivals.arrived(0), 0);
        assert!(arrive(&mut arrivals, 65_535).is_none());
        arrive(&mut arrivals, 65_534);
        assert_eq!((arrivals.arrived(0), arrivals.in_flight()), (100, 2000));
        arrive(&mut arrivals, 1);
        arrive(&mut arrivals, 0);
        assert_eq!((arrivals.arrived(0), arrivals.in_flight()), (101, 0));
    }

    #[test]
    fn what_is_never_reported_holds_nothing_up_once_later_packets_are() {
        let mut arrivals = two_frames();
        arrive(&mut arrivals, 0);
        arrivals.forget_before(2);
        assert_eq!((arrivals.arrived(0), arrivals.in_flight(), arrivals.oldest_ns(3)), (100, 1000, Some(3)));
        // Whether the end of the newest frame arrived, nobody knows: the client itself may not know of it.
        arrivals.forget_before(10);
        assert_eq!((arrivals.arrived(0), arrivals.in_flight(), arrivals.oldest_ns(11)), (100, 0, None));
        assert_eq!(arrivals.unfinished(0), Some(3));
    }

    #[test]
    fn a_packet_that_was_overtaken_arrives_after_all() {
        let mut arrivals = two_frames();
        arrivals.report(Report { number: 65_534, arrived_ns: None });
        arrive(&mut arrivals, 65_535);
        assert_eq!((arrivals.arrived(0), arrivals.in_flight()), (0, 2000));
        assert!(arrive(&mut arrivals, 65_534).is_none());
        assert_eq!((arrivals.arrived(0), arrivals.in_flight()), (100, 2000));
    }

    #[test]
    fn the_newest_frame_is_unfinished_until_all_of_it_arrived() {
        let mut arrivals = two_frames();
        assert_eq!(arrivals.unfinished(0), Some(3));
        arrive(&mut arrivals, 0);
        assert_eq!(arrivals.unfinished(0), Some(3));
        arrive(&mut arrivals, 1);
        assert_eq!(arrivals.unfinished(0), None);
    }

    #[test]
    fn a_stream_is_at_rest_when_a_key_frame_arrived_or_all_did_and_nothing_followed() {
        let mut arrivals = two_frames();
        assert!(!arrivals.is_at_rest(0, 10, 100));
        arrive(&mut arrivals, 0);
        assert!(!arrivals.is_at_rest(0, 10, 100));
        // The second frame is a key frame; what is missing of the first does not matter any more.
        arrive(&mut arrivals, 1);
        assert!(arrivals.is_at_rest(0, 10, 100) && !arrivals.is_at_rest(0, 10, 12));
        arrivals.frame(0, 102, 3000, false);
        assert!(!arrivals.is_at_rest(0, 10, 100) && !arrivals.is_at_rest(1, 10, 100));
    }

    #[test]
    fn a_retransmission_stands_for_what_was_lost() {
        let mut arrivals = two_frames();
        arrive(&mut arrivals, 65_534);
        assert!(arrivals.report(Report { number: 65_535, arrived_ns: None }).is_some());
        assert_eq!(arrivals.arrived(0), 0);
        arrivals.packet(&packet(9, 7, 2, false), None, Some(0), 1000, 9);
        arrive(&mut arrivals, 2);
        assert_eq!(arrivals.arrived(0), 100);
    }

    #[test]
    fn what_was_never_sent_is_not_believed() {
        let mut arrivals = two_frames();
        assert!(arrive(&mut arrivals, 500).is_none());
        assert!(arrive(&mut Arrivals::default(), 0).is_none());
        assert_eq!(arrivals.arrived(3), 0);
    }

    #[test]
    fn packets_that_nobody_reports_are_not_under_way_for_ever() {
        let mut arrivals = two_frames();
        assert_eq!(arrivals.oldest_ns(1000), Some(0));
        assert_eq!(arrivals.oldest_ns(3_000_000_000), None);
        assert_eq!(arrivals.in_flight(), 0);
    }
}
