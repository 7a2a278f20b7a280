//! One media line of a connection: `appsrc ! payloader ! caps ! webrtcbin`.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_webrtc::{WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection};
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_webrtc as gst_webrtc;
use selkies_plugin_sdk::{Error, PacketRef, Result, abi};

use crate::{
    answer::{Media, TRANSPORT_CC},
    arrivals::Carried,
    beat::Beat,
    codec::Codec,
    keyframes::Coalescer,
    pace::Pace,
    passage::{Chain, Passage},
    path::{Path, now_ns},
    playout_delay,
    rest::Rest,
    voice::Voice,
};

/// Numbers of the extensions in the offer.
const EXTENSIONS: [(u8, &str); 2] = [(1, TRANSPORT_CC), (2, playout_delay::URI)];
/// Frames that may wait in the source before the next is dropped; they leave it at once unless something is wrong.
const MAX_WAITING: u64 = 8;
/// A thread does not sleep for less; packets that would, leave with those before them.
const LEAST_WAIT: Duration = Duration::from_millis(1);
/// A timestamp that is older is none of the system's clock.
const OLDEST_NS: u64 = 2_000_000_000;
/// The media stream of sound that stands by itself.
const SOUND: &str = "sound";

/// What is known once an answer chose a codec.
#[derive(Debug)]
struct Outlet {
    codec: Codec,
    source: gst_app::AppSrc,
}

#[derive(Debug, Default)]
struct State {
    outlet: Option<Outlet>,
    chain: Chain,
    keyframes: Coalescer,
    rest: Rest,
    beat: Beat,
    last_pts: u64,
}

/// A media line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Number of the stream, as in packets.
    stream: u32,
    is_video: bool,
    ssrc: u32,
    pad: gst::Pad,
    voice: Arc<Voice>,
    path: Arc<Path>,
    state: Mutex<State>,
}

impl Line {
    /// Adds a line to an offer that is not made yet.
    ///
    /// # Errors
    /// When webrtcbin has no place for it.
    pub(crate) fn offer(
        webrtcbin: &gst::Element,
        stream: u32,
        codecs: &[Codec],
        ssrc: u32,
        voice: &Arc<Voice>,
        path: &Arc<Path>,
    ) -> Result<Arc<Self>> {
        let pad = webrtcbin
            .request_pad_simple("sink_%u")
            .ok_or_else(|| Error::retry("gst-webrtc: webrtcbin has no place for a stream"))?;
        let is_video = codecs.iter().all(|codec| codec.is_video());
        let mut caps = gst::Caps::new_empty();
        for codec in codecs {
            if let Some(caps) = caps.get_mut() {
                caps.append_structure(offered(*codec, ssrc));
            }
        }
        let transceiver = pad.property::<WebRTCRTPTransceiver>("transceiver");
        transceiver.set_property("direction", WebRTCRTPTransceiverDirection::Sendonly);
        transceiver.set_property("do-nack", is_video);
        transceiver.set_property("codec-preferences", &caps);
        Ok(Arc::new(Self {
            stream,
            is_video,
            ssrc,
            pad,
            voice: voice.clone(),
            path: path.clone(),
            state: Mutex::default(),
        }))
    }

    /// Puts the line into a media stream of its own: browsers hold one track of a stream back for the other.
    pub(crate) fn stand_apart(&self) {
        if self.pad.find_property("msid").is_some() {
            self.pad.set_property("msid", SOUND);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the stream, as in packets.
    pub(crate) fn stream(&self) -> u32 {
        self.stream
    }

    pub(crate) fn is_video(&self) -> bool {
        self.is_video
    }

    /// True for the line of packets like these.
    pub(crate) fn carries(&self, stream: u32, codec: u32) -> bool {
        self.stream == stream && self.is_video == (codec != abi::CODEC_OPUS)
    }

    /// Builds what stands before webrtcbin, for the codec that the client chose. True when it chose one.
    ///
    /// # Errors
    /// When elements are missing.
    pub(crate) fn answered(self: &Arc<Self>, pipeline: &gst::Pipeline, media: &Media) -> Result<bool> {
        let Some((codec, payload)) =
            media.codec.filter(|(codec, _)| media.accepted && codec.is_video() == self.is_video)
        else {
            return Ok(false);
        };
        let source = gst_app::AppSrc::builder()
            .caps(&codec.input_caps()?)
            .format(gst::Format::Time)
            .is_live(true)
            .do_timestamp(false)
            .block(false)
            .max_buffers(0)
            .max_bytes(0)
            .max_time(gst::ClockTime::ZERO)
            .build();
        let payloader = codec.payloader(payload, self.ssrc)?;
        let mut structure = offered(codec, self.ssrc);
        structure.set("payload", i32::from(payload));
        for (id, uri) in EXTENSIONS {
            let agreed = media.extensions.iter().find(|(_, name)| name == uri);
            structure.remove_field(format!("extmap-{id}"));
            if let Some((id, _)) = agreed {
                structure.set(format!("extmap-{id}"), uri);
            }
            if let Some((id, _)) = agreed.filter(|_| uri == playout_delay::URI) {
                payloader.emit_by_name::<()>("add-extension", &[&playout_delay::extension(*id)]);
            }
        }
        let filter = gst::ElementFactory::make("capsfilter")
            .property("caps", gst::Caps::from(structure))
            .build()
            .map_err(|_| Error::fatal("gst-missing: GStreamer has no element capsfilter"))?;
        let carried = if self.is_video { Carried::Picture(self.stream) } else { Carried::Sound };
        self.path.register(self.ssrc, carried, media.transport_id());
        self.listen(&source);
        if self.is_video {
            self.space(&filter);
        }
        let elements = [source.upcast_ref::<gst::Element>(), &payloader, &filter];
        let linked = pipeline
            .add_many(elements)
            .and_then(|()| gst::Element::link_many(elements))
            .map_err(|error| Error::retry(format!("gst-webrtc: a {} stream: {error}", codec.name())))
            .and_then(|()| {
                let from = filter.static_pad("src");
                let linked = from.is_some_and(|from| from.link(&self.pad).is_ok());
                linked.then_some(()).ok_or_else(|| Error::retry("gst-webrtc: webrtcbin takes no such stream"))
            });
        linked?;
        for element in elements.iter().rev() {
            element
                .sync_state_with_parent()
                .map_err(|error| Error::retry(format!("gst-webrtc: a {} stream: {error}", codec.name())))?;
        }
        let mut state = self.state();
        state.outlet = Some(Outlet { codec, source });
        state.chain.break_off();
        drop(state);
        self.voice.codec(self.stream, codec.id());
        Ok(true)
    }

    /// Hears what comes back from webrtcbin: requests for key frames, and which packets arrived.
    fn listen(self: &Arc<Self>, source: &gst_app::AppSrc) {
        let Some(pad) = source.static_pad("src") else { return };
        let this: Weak<Self> = Arc::downgrade(self);
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let Some((this, event)) = this.upgrade().zip(info.event()) else {
                return gst::PadProbeReturn::Ok;
            };
            match event.structure() {
                Some(structure) if structure.name() == "GstForceKeyUnit" => this.picture_lost(now_ns()),
                Some(structure) if structure.name() == "RTPTWCCPackets" => this.path.reported(structure),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Holds back the packets of large frames, on the thread that packs them.
    fn space(&self, filter: &gst::Element) {
        let Some(pad) = filter.static_pad("sink") else { return };
        let (path, pace) = (self.path.clone(), Mutex::new(Pace::default()));
        let is_splitting = AtomicBool::new(false);
        pad.add_probe(gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::BUFFER, move |pad, info| {
            // The parts of a list that is being split.
            if is_splitting.load(SeqCst) {
                return gst::PadProbeReturn::Ok;
            }
            let wait = |buffer: &gst::BufferRef| {
                let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
                let wait = pace.wait(buffer.size() as u64, path.pace(), now_ns());
                Duration::from_nanos(wait).max(LEAST_WAIT) - LEAST_WAIT
            };
            if let Some(buffer) = info.buffer() {
                thread::sleep(wait(buffer));
                return gst::PadProbeReturn::Ok;
            }
            let Some(list) = info.take_buffer_list() else { return gst::PadProbeReturn::Ok };
            // The payloader makes a list of each frame.
            pace.lock().unwrap_or_else(PoisonError::into_inner).begin();
            is_splitting.store(true, SeqCst);
            let (mut part, mut outcome) = (gst::BufferList::new(), Ok(gst::FlowSuccess::Ok));
            for buffer in list.iter_owned() {
                let wait = wait(&buffer);
                if !wait.is_zero() && !part.is_empty() {
                    outcome = outcome.and_then(|_| pad.chain_list(std::mem::take(&mut part)));
                    // The connection ends: its thread is waited for.
                    if outcome.is_err() {
                        break;
                    }
                    thread::sleep(wait);
                }
                if let Some(part) = part.get_mut() {
                    part.add(buffer);
                }
            }
            outcome = outcome.and_then(|_| pad.chain_list(part));
            is_splitting.store(false, SeqCst);
            info.flow_res = outcome;
            gst::PadProbeReturn::Handled
        });
    }

    /// The client says that it lost the picture.
    fn picture_lost(&self, now_ns: u64) {
        if !self.path.is_at_rest(self.stream, now_ns) || self.state().rest.ask(now_ns) {
            self.key_wanted();
        }
    }

    /// The client cannot go on without a key frame.
    pub(crate) fn key_wanted(&self) {
        if self.is_video && self.state().keyframes.ask(Instant::now()) {
            self.voice.request_keyframe(self.stream);
        }
    }

    /// Makes requests that had to wait, and those that the client cannot know of.
    pub(crate) fn tick(&self, now_ns: u64) {
        if !self.is_video {
            return;
        }
        let is_lost = self.path.lost_tail(self.stream, now_ns);
        // What a path without place for it is asked for, would only be left out again.
        let has_place = self.path.has_place(now_ns);
        let mut state = self.state();
        let now = Instant::now();
        let is_due = if is_lost { state.keyframes.ask(now) } else { has_place && state.keyframes.due(now) };
        drop(state);
        if is_due {
            self.voice.request_keyframe(self.stream);
        }
    }

    /// Sends a packet, or drops it when the client could not decode it or has no place for it. `shared` are its bytes.
    pub(crate) fn push(&self, packet: &PacketRef<'_>, shared: &gst::Buffer, now_ns: u64) {
        let mut state = self.state();
        let is_ours = |outlet: &&Outlet| outlet.codec.id() == packet.info.codec;
        let Some(source) = state.outlet.as_ref().filter(is_ours).map(|outlet| outlet.source.clone()) else {
            return state.chain.break_off();
        };
        let is_free = source.current_level_buffers() < MAX_WAITING;
        // GStreamer's clock is the host's; but times must not be those of another clock.
        let time = packet.info.timestamp_ns;
        let time = if time > now_ns || now_ns - time > OLDEST_NS { now_ns } else { time };
        if !self.is_video {
            // Sound is small, and its gaps are heard: it waits for nobody's reports.
            if is_free && let Some(begin) = state.beat.place(time, packet.payload) {
                let _ = source.push_buffer(state.stamped(shared, begin, true));
            }
            return;
        }
        let State { chain, keyframes, .. } = &mut *state;
        let has_place = is_free && self.path.has_place(now_ns);
        if chain.next(&packet.info, has_place) != Passage::Pass {
            if !chain.is_whole() {
                keyframes.owe();
            }
            let ask = has_place && keyframes.due(Instant::now());
            drop(state);
            self.path.dropped(packet.payload.len());
            if ask {
                self.voice.request_keyframe(self.stream);
            }
            return;
        }
        let is_key = packet.info.flags & abi::PACKET_KEY != 0;
        if is_key {
            keyframes.served();
        } else if chain.is_whole() {
            keyframes.goes_on();
        }
        let buffer = state.stamped(shared, time, is_key);
        self.path.sending(self.stream, packet.info.frame_id, state.last_pts, is_key);
        // Under the lock, so that packets keep their order; appsrc only queues them.
        if source.push_buffer(buffer).is_err() {
            state.chain.break_off();
        }
    }
}

impl State {
    /// A buffer of these bytes with a time; times rise.
    fn stamped(&mut self, shared: &gst::Buffer, time: u64, is_key: bool) -> gst::Buffer {
        self.last_pts = time.max(self.last_pts + 1);
        let mut buffer = shared.copy();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(self.last_pts));
            if !is_key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        buffer
    }
}

/// The caps that a line offers for a codec.
fn offered(codec: Codec, ssrc: u32) -> gst::Structure {
    let mut structure = codec.rtp_structure();
    structure.set("ssrc", ssrc);
    structure.set("rtcp-fb-transport-cc", true);
    if codec.is_video() {
        for feedback in ["rtcp-fb-nack", "rtcp-fb-nack-pli", "rtcp-fb-ccm-fir"] {
            structure.set(feedback, true);
        }
    }
    for (id, uri) in EXTENSIONS {
        if codec.is_video() || uri == TRANSPORT_CC {
            structure.set(format!("extmap-{id}"), uri);
        }
    }
    structure
}
