//! The path to one client: what left, what arrived, and what follows from it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
};

use gst::prelude::*;
use gstreamer as gst;
use selkies_plugin_sdk::abi;

use crate::{
    arrivals::{Arrivals, Carried, Fate, Report},
    budget,
    congestion::{Arrival, Controller},
    frames::Frames,
    rtcp::{self, MAX_REPORT},
    rtp::Header,
    tail::Tail,
};

/// A path on which nothing is heard of for this long takes nothing more.
const SILENT_NS: u64 = 1_000_000_000;
/// Reports follow one another; what left so long before a packet that is reported on, and is not, was in a report that was
/// lost.
const REPORT_LOST_NS: u64 = 200_000_000;
/// Bytes of a packet that are looked at: a header, and where a retransmission begins.
const HEAD: usize = 96;
/// What may always be under way, in bytes.
const LEAST: u64 = 48 * 1024;
/// A picture that does not change for this long is at rest.
const REST_NS: u64 = 2_000_000_000;
/// Loss and the like are told of the last second.
const INTERVAL_NS: u64 = 1_000_000_000;
/// The host hears so often of a path of which nothing changed: it shall know old news from none.
const REPEAT_NS: u64 = 300_000_000;
/// What one request for a retransmission costs at most, in bytes.
const PACKET: u64 = 1200;

#[derive(Debug, Default)]
struct State {
    arrivals: Arrivals,
    controller: Controller,
    /// Size of the largest frame of late; a key frame must not keep out what follows it.
    largest: u64,
    frame_bytes: u64,
    /// Packets reported and lost: of this interval, and of the one before.
    counts: [(u64, u64); 2],
    interval_begin: u64,
    dropped: u64,
    tails: HashMap<u32, Tail>,
    /// What was told last of each stream, and when.
    told: HashMap<u32, ([u64; 5], u64)>,
    /// When the client reported last.
    heard_ns: u64,
    retransmissions: budget::Retransmissions,
    reports: budget::Reports,
    senders: rtcp::Senders,
}

/// A path. Every thread of the connection uses it; nothing in it waits.
#[derive(Debug)]
pub(crate) struct Path {
    controls: bool,
    /// Number of the transport-wide extension; 0 without.
    transport_id: AtomicU8,
    is_reported: AtomicBool,
    state: Mutex<State>,
}

impl Path {
    /// `controls` is false where nothing is to be estimated.
    pub(crate) fn new(controls: bool) -> Self {
        Self {
            controls,
            transport_id: AtomicU8::new(0),
            is_reported: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line was agreed on; `transport_id` is the number of the transport-wide extension, `None` where the client does not
    /// report what arrives.
    pub(crate) fn register(&self, ssrc: u32, carried: Carried, transport_id: Option<u8>) {
        if let Some(id) = transport_id {
            self.transport_id.store(id, Relaxed);
        }
        self.state().arrivals.register(ssrc, carried, transport_id.is_some());
    }

    /// Follows the packets that leave a connection.
    pub(crate) fn watch(path: &Arc<Self>, webrtcbin: &gst::Element) {
        let Some(rtpbin) = webrtcbin.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin")) else {
            return;
        };
        let path = path.clone();
        rtpbin.connect_pad_added(move |rtpbin, pad| {
            if !pad.name().starts_with("send_rtp_src") {
                return;
            }
            let (path, clock) = (path.clone(), rtpbin.clock());
            let both = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            pad.add_probe(both, move |_, info| {
                let now = clock.as_ref().map_or_else(now_ns, |clock| clock.time().nseconds());
                match &info.data {
                    Some(gst::PadProbeData::Buffer(buffer)) => {
                        path.left(std::iter::once(buffer.as_ref()), now)
                    }
                    Some(gst::PadProbeData::BufferList(list)) => path.left(list.iter(), now),
                    _ => {}
                }
                gst::PadProbeReturn::Ok
            });
        });
    }

    fn left<'a>(&self, buffers: impl Iterator<Item = &'a gst::BufferRef>, now: u64) {
        let transport_id = self.transport_id.load(Relaxed);
        let mut state = self.state();
        for buffer in buffers {
            // A header is in several memories, so that mapping the buffer would copy all of it.
            let mut head = [0; HEAD];
            let len = HEAD.min(buffer.size());
            if buffer.copy_to_slice(0, &mut head[..len]).is_err() {
                continue;
            }
            let Some(header) = Header::parse(&head, transport_id) else { continue };
            let original =
                head.get(header.len..header.len + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
            let size = u32::try_from(buffer.size()).unwrap_or(u32::MAX);
            let pts = buffer.pts().map(gst::ClockTime::nseconds);
            state.arrivals.packet(&header, pts, original, size, now);
            state.controller.sent(now, size);
            if let Some(Carried::Picture(_)) = state.arrivals.carried(header.ssrc) {
                state.retransmissions.sent(size.into());
                state.frame_bytes += u64::from(size);
                if header.marker {
                    state.largest = state.frame_bytes.max(state.largest - state.largest / 64);
                    state.frame_bytes = 0;
                }
            }
        }
    }

    /// A frame is about to go to the payloader.
    pub(crate) fn sending(&self, stream: u32, frame_id: u64, pts: u64, is_key: bool) {
        self.state().arrivals.frame(stream, frame_id, pts, is_key);
    }

    /// A frame was dropped.
    pub(crate) fn dropped(&self, bytes: usize) {
        self.state().dropped += bytes as u64;
    }

    /// How fast packets of one frame may leave, bit/s.
    pub(crate) fn pace(&self) -> Option<f64> {
        if self.controls { self.state().controller.pace() } else { None }
    }

    /// Whether one more frame may leave.
    pub(crate) fn has_place(&self, now: u64) -> bool {
        if !self.is_reported.load(Relaxed) {
            return true;
        }
        let mut state = self.state();
        let since = state.arrivals.oldest_ns(now).map(|oldest| oldest.max(state.heard_ns));
        if since.is_some_and(|since| now.saturating_sub(since) > SILENT_NS) {
            return false;
        }
        if !self.controls {
            return true;
        }
        let least = LEAST.max(state.largest + LEAST / 2);
        state.controller.has_place(now, state.arrivals.in_flight(), least)
    }

    /// Whether a datagram of reports is looked at.
    pub(crate) fn takes_report(&self, datagram: &[u8], now: u64) -> bool {
        let state = &mut *self.state();
        let work = rtcp::judge(datagram, state.arrivals.newest(), &mut state.senders);
        work.is_some_and(|work| state.reports.take(work, now))
    }

    /// Whether a packet may be sent again.
    pub(crate) fn may_retransmit(&self) -> bool {
        self.state().retransmissions.take(PACKET)
    }

    /// The client's report on packets: `RTPTWCCPackets`.
    pub(crate) fn reported(&self, structure: &gst::StructureRef) {
        let Ok(packets) = structure.get::<gst::glib::ValueArray>("packets") else { return };
        let reports = packets.iter().take(MAX_REPORT.into()).filter_map(|value| {
            let packet = value.get::<gst::Structure>().ok()?;
            let arrived = packet.get::<u64>("remote-ts").ok().filter(|time| *time != u64::MAX);
            let is_lost = packet.get::<bool>("lost").unwrap_or(false);
            let number = u16::try_from(packet.get::<u32>("seqnum").ok()?).ok()?;
            Some(Report { number, arrived_ns: arrived.filter(|_| !is_lost) })
        });
        let reports: Vec<Report> = reports.collect();
        self.judge(&reports, now_ns());
    }

    fn judge(&self, reports: &[Report], now: u64) {
        self.is_reported.store(true, Relaxed);
        let mut state = self.state();
        state.heard_ns = now;
        let mut arrivals = Vec::with_capacity(reports.len());
        for report in reports {
            if let Some(Fate { sent_ns, arrived_ns, size }) = state.arrivals.report(*report) {
                state.counts[0].0 += 1;
                state.counts[0].1 += u64::from(arrived_ns.is_none());
                arrivals.push(Arrival { sent_ns, arrived_ns, size });
            }
        }
        if let Some(newest) = arrivals.iter().map(|arrival| arrival.sent_ns).max() {
            state.arrivals.forget_before(newest.saturating_sub(REPORT_LOST_NS));
        }
        state.controller.feedback(now, &arrivals);
    }

    /// Whether the client has the picture, and it does not move.
    pub(crate) fn is_at_rest(&self, stream: u32, now: u64) -> bool {
        self.state().arrivals.stream(stream).is_some_and(|frames| frames.is_at_rest(REST_NS, now))
    }

    /// Whether the newest frame of a stream is lost, and nothing follows by which the client would see it.
    pub(crate) fn lost_tail(&self, stream: u32, now: u64) -> bool {
        if !self.is_reported.load(Relaxed) {
            return false;
        }
        let State { arrivals, controller, tails, .. } = &mut *self.state();
        let left_ns = arrivals.stream(stream).and_then(Frames::unfinished);
        tails.entry(stream).or_default().look(left_ns, controller.rtt_ns(), now)
    }

    /// What the host is to know, if it changed or was told a while ago; of one stream, beside the whole path.
    pub(crate) fn feedback(&self, stream: u32, now: u64) -> Option<abi::Feedback> {
        let mut state = self.state();
        state.controller.tick(now);
        if now.saturating_sub(state.interval_begin) >= INTERVAL_NS {
            state.interval_begin = now;
            state.counts = [(0, 0), state.counts[0]];
        }
        let (all, lost) = (state.counts[0].0 + state.counts[1].0, state.counts[0].1 + state.counts[1].1);
        let loss = (lost * 1_000_000).checked_div(all).unwrap_or(0);
        let queued = state.controller.queue_bytes() + std::mem::take(&mut state.dropped);
        let is_reported = self.is_reported.load(Relaxed);
        let feedback = abi::Feedback {
            loss_ppm: u32::try_from(loss).unwrap_or(1_000_000),
            rtt_us: state.controller.rtt_ns() / 1000,
            estimate_kbps: if self.controls && is_reported { state.controller.estimate_kbps() } else { 0 },
            queued_bytes: u32::try_from(queued).unwrap_or(u32::MAX),
            arrived_frame_id: state.arrivals.stream(stream).map_or(0, Frames::arrived),
            stream,
            ..abi::Feedback::default()
        };
        let said = [
            feedback.loss_ppm.into(),
            feedback.rtt_us,
            feedback.estimate_kbps.into(),
            feedback.queued_bytes.into(),
            feedback.arrived_frame_id,
        ];
        let is_old = |(before, at): &([u64; 5], u64)| *before == said && now.saturating_sub(*at) < REPEAT_NS;
        if state.told.get(&stream).is_some_and(is_old) {
            return None;
        }
        state.told.insert(stream, (said, now));
        Some(feedback)
    }
}

/// The time of GStreamer's clock, which is the host's.
pub(crate) fn now_ns() -> u64 {
    gst::SystemClock::obtain().time().nseconds()
}
