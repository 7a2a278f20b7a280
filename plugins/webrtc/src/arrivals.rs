//! Which packets, and so which frames, arrived. Times are arguments, in nanoseconds.

use std::collections::{HashMap, VecDeque};

use crate::{frames::Frames, rtp::Header};

/// Packets that are remembered until they are reported.
const MAX_PACKETS: usize = 16_384;
/// A packet that is not reported within this time is not under way any more, though a report of it may still come.
const OVERDUE_NS: u64 = 2_000_000_000;
/// So far may numbers be out of order: threads that send at the same time overtake each other.
const OUT_OF_ORDER: u16 = 1024;

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// A later one left, this one did not yet; or its packet has no place for a number.
    Skipped,
    UnderWay,
    Overdue,
    /// It was overtaken, or is lost; it may still be reported as arrived.
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

/// What the packets of an SSRC carry. Those of unknown ones are retransmissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Frames of this stream.
    Picture(u32),
    /// Sound: under way as all packets are, but no frames.
    Sound,
}

/// The packets under way to one client.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    packets: VecDeque<Sent>,
    in_flight: u64,
    /// Number of the packet that left last.
    newest: Option<u16>,
    streams: HashMap<u32, Frames>,
    ssrcs: HashMap<u32, Carried>,
}

impl Arrivals {
    /// Packets with this SSRC carry that. `is_reported` is false where the client does not say what arrives.
    pub(crate) fn register(&mut self, ssrc: u32, carried: Carried, is_reported: bool) {
        self.ssrcs.insert(ssrc, carried);
        if let Carried::Picture(stream) = carried {
            self.streams.insert(stream, Frames::new(is_reported));
        }
    }

    /// What the packets of an SSRC carry; `None` of retransmissions.
    pub(crate) fn carried(&self, ssrc: u32) -> Option<Carried> {
        self.ssrcs.get(&ssrc).copied()
    }

    /// The frames of a stream.
    pub(crate) fn stream(&self, stream: u32) -> Option<&Frames> {
        self.streams.get(&stream)
    }

    /// A frame goes to the payloader.
    pub(crate) fn frame(&mut self, stream: u32, frame_id: u64, pts: u64, is_key: bool) {
        if let Some(frames) = self.streams.get_mut(&stream) {
            frames.begin(frame_id, pts, is_key);
        }
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
        let carries = match self.carried(header.ssrc) {
            Some(Carried::Picture(stream)) => {
                if let Some(frames) = self.streams.get_mut(&stream) {
                    frames.left(header.sequence, header.marker, pts, now_ns);
                }
                Some((stream, header.sequence))
            }
            Some(Carried::Sound) => None,
            None => original.and_then(|original| {
                let stream = self.streams.iter().find(|(_, frames)| frames.misses(original));
                stream.map(|(stream, _)| (*stream, original))
            }),
        };
        if let Some(number) = header.transport_sequence {
            self.put(Sent { number, size, at_ns: now_ns, carries, known: Known::UnderWay });
        }
    }

    fn put(&mut self, sent: Sent) {
        let next = self.packets.back().map_or(sent.number, |last| last.number.wrapping_add(1));
        let (ahead, behind) = (sent.number.wrapping_sub(next), next.wrapping_sub(sent.number));
        if ahead < OUT_OF_ORDER {
            for i in 0..ahead {
                let skipped = Sent {
                    number: next.wrapping_add(i),
                    size: 0,
                    carries: None,
                    known: Known::Skipped,
                    ..sent
                };
                self.packets.push_back(skipped);
            }
            self.packets.push_back(sent);
        } else if behind <= OUT_OF_ORDER {
            let place = self.packets.len().checked_sub(usize::from(behind));
            let place = place.and_then(|place| self.packets.get_mut(place));
            let Some(place) = place.filter(|place| place.known == Known::Skipped) else { return };
            *place = sent;
        } else {
            // Numbers that begin anew make the older ones useless.
            self.packets.clear();
            self.in_flight = 0;
            self.packets.push_back(sent);
        }
        self.in_flight += u64::from(sent.size);
        self.newest = self.packets.back().map(|last| last.number);
        while self.packets.len() > MAX_PACKETS {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.packets.pop_front()
            && first.known == Known::UnderWay
        {
            self.in_flight = self.in_flight.saturating_sub(u64::from(first.size));
        }
    }

    /// Number of the packet that left last.
    pub(crate) fn newest(&self) -> Option<u16> {
        self.newest
    }

    /// The client reports on a packet. `None` when it is not known, or was reported before.
    pub(crate) fn report(&mut self, report: Report) -> Option<Fate> {
        let first = self.packets.front()?.number;
        let sent = self.packets.get_mut(usize::from(report.number.wrapping_sub(first)))?;
        let before = sent.known;
        let is_news = match before {
            Known::UnderWay | Known::Overdue => true,
            Known::Lost => report.arrived_ns.is_some(),
            Known::Arrived | Known::Skipped => false,
        };
        if !is_news {
            return None;
        }
        sent.known = if report.arrived_ns.is_some() { Known::Arrived } else { Known::Lost };
        let Sent { size, at_ns, carries, .. } = *sent;
        if let Some((stream, sequence)) = carries.filter(|_| report.arrived_ns.is_some()) {
            self.arrive(stream, sequence);
        }
        while self.packets.front().is_some_and(|first| first.known == Known::Arrived) {
            self.packets.pop_front();
        }
        if before == Known::Lost {
            return None;
        }
        if before == Known::UnderWay {
            self.in_flight = self.in_flight.saturating_sub(u64::from(size));
        }
        Some(Fate { sent_ns: at_ns, arrived_ns: report.arrived_ns, size })
    }

    /// Later packets are reported on, those that left before this time never will be: their report was lost. They are
    /// taken for arrived, since a client that lacks some asks for them; but not those of a stream's newest frame, of which it
    /// might not know.
    pub(crate) fn forget_before(&mut self, before_ns: u64) {
        while let Some(first) = self.packets.front().copied()
            && first.at_ns < before_ns
        {
            if let Some((stream, sequence)) =
                first.carries.filter(|_| matches!(first.known, Known::UnderWay | Known::Overdue))
                && self.streams.get(&stream).is_some_and(|frames| !frames.is_newest(sequence))
            {
                self.arrive(stream, sequence);
            }
            self.forget_first();
        }
    }

    fn arrive(&mut self, stream: u32, sequence: u16) {
        if let Some(frames) = self.streams.get_mut(&stream) {
            frames.arrive(sequence);
        }
    }

    /// Bytes that left and are not reported on.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the oldest of them left.
    pub(crate) fn oldest_ns(&mut self, now_ns: u64) -> Option<u64> {
        let old = |packet: &&mut Sent| now_ns.saturating_sub(packet.at_ns) > OVERDUE_NS;
        for packet in self.packets.iter_mut().take_while(old) {
            if packet.known == Known::UnderWay {
                packet.known = Known::Overdue;
                self.in_flight = self.in_flight.saturating_sub(u64::from(packet.size));
            }
        }
        self.packets.iter().find(|packet| packet.known == Known::UnderWay).map(|packet| packet.at_ns)
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
        arrivals.register(1, Carried::Picture(0), true);
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

    fn arrived(arrivals: &Arrivals) -> u64 {
        arrivals.stream(0).expect("a stream").arrived()
    }

    #[test]
    fn a_frame_arrived_when_all_its_packets_did() {
        let mut arrivals = two_frames();
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (0, 4000));
        assert_eq!(arrive(&mut arrivals, 65_535).map(|fate| fate.sent_ns), Some(1));
        assert_eq!(arrived(&arrivals), 0);
        assert!(arrive(&mut arrivals, 65_535).is_none());
        arrive(&mut arrivals, 65_534);
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (100, 2000));
        arrive(&mut arrivals, 1);
        arrive(&mut arrivals, 0);
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (101, 0));
    }

    #[test]
    fn what_is_never_reported_holds_nothing_up_once_later_packets_are() {
        let mut arrivals = two_frames();
        arrive(&mut arrivals, 0);
        arrivals.forget_before(2);
        assert_eq!((arrived(&arrivals), arrivals.in_flight(), arrivals.oldest_ns(3)), (100, 1000, Some(3)));
        // Whether the end of the newest frame arrived, nobody knows: the client itself may not know of it.
        arrivals.forget_before(10);
        assert_eq!((arrived(&arrivals), arrivals.in_flight(), arrivals.oldest_ns(11)), (100, 0, None));
        assert_eq!(arrivals.stream(0).and_then(Frames::unfinished), Some(3));
    }

    #[test]
    fn a_packet_that_was_overtaken_arrives_after_all() {
        let mut arrivals = two_frames();
        arrivals.report(Report { number: 65_534, arrived_ns: None });
        arrive(&mut arrivals, 65_535);
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (0, 2000));
        assert!(arrive(&mut arrivals, 65_534).is_none());
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (100, 2000));
    }

    #[test]
    fn a_retransmission_stands_for_what_was_lost() {
        let mut arrivals = two_frames();
        arrive(&mut arrivals, 65_534);
        assert!(arrivals.report(Report { number: 65_535, arrived_ns: None }).is_some());
        assert_eq!(arrived(&arrivals), 0);
        arrivals.packet(&packet(9, 7, 2, false), None, Some(0), 1000, 9);
        arrive(&mut arrivals, 2);
        assert_eq!(arrived(&arrivals), 100);
    }

    #[test]
    fn packets_that_overtake_each_other_on_their_way_out_keep_their_numbers() {
        let mut arrivals = two_frames();
        arrivals.register(2, Carried::Sound, true);
        arrivals.packet(&packet(2, 0, 3, false), None, None, 100, 10);
        arrivals.packet(&packet(2, 1, 2, false), None, None, 70, 11);
        assert_eq!(arrivals.in_flight(), 4170);
        assert_eq!(arrive(&mut arrivals, 2).map(|fate| fate.size), Some(70));
        assert_eq!(arrive(&mut arrivals, 3).map(|fate| fate.size), Some(100));
        // A number that no packet had is reported as lost, and means nothing.
        arrivals.packet(&packet(2, 2, 6, false), None, None, 100, 12);
        assert!(arrivals.report(Report { number: 5, arrived_ns: None }).is_none());
        for number in [65_534, 65_535, 0, 1] {
            assert!(arrive(&mut arrivals, number).is_some(), "{number}");
        }
        assert_eq!((arrived(&arrivals), arrivals.in_flight()), (101, 100));
    }

    #[test]
    fn sound_leaves_the_picture_at_rest() {
        let mut arrivals = two_frames();
        arrivals.register(2, Carried::Sound, true);
        for number in [65_534, 65_535, 0, 1] {
            arrive(&mut arrivals, number);
        }
        arrivals.packet(&packet(2, 0, 2, true), Some(2000), None, 100, 90);
        assert!(arrivals.stream(0).is_some_and(|frames| frames.is_at_rest(10, 100)));
    }

    #[test]
    fn numbers_that_begin_anew_are_followed() {
        let mut arrivals = two_frames();
        arrivals.packet(&packet(1, 3, 30_000, true), Some(2000), None, 500, 9);
        assert_eq!((arrivals.in_flight(), arrivals.newest()), (500, Some(30_000)));
    }

    #[test]
    fn what_was_never_sent_is_not_believed() {
        let mut arrivals = two_frames();
        assert!(arrive(&mut arrivals, 500).is_none());
        assert!(arrive(&mut Arrivals::default(), 0).is_none());
        assert!(arrivals.stream(3).is_none());
    }

    #[test]
    fn packets_that_nobody_reports_are_not_under_way_for_ever() {
        let mut arrivals = two_frames();
        assert_eq!(arrivals.oldest_ns(1000), Some(0));
        assert_eq!(arrivals.oldest_ns(3_000_000_000), None);
        assert_eq!(arrivals.in_flight(), 0);
        // A report may still come.
        for number in [65_534, 65_535, 0, 1] {
            assert!(arrive(&mut arrivals, number).is_some(), "{number}");
        }
        assert_eq!((arrived(&arrivals), arrivals.in_flight(), arrivals.newest()), (101, 0, Some(1)));
    }
}
