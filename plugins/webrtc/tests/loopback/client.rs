//! A client: a second webrtcbin that answers, decodes and talks.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_webrtc::{
    WebRTCDataChannel, WebRTCKind, WebRTCRTPTransceiver, WebRTCSDPType, WebRTCSessionDescription,
};
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_sdp as gst_sdp;
use gstreamer_webrtc as gst_webrtc;
use serde_json::{Value, json};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What happened at the client.
#[derive(Default)]
struct Seen {
    pictures: AtomicU64,
    luma: Mutex<Vec<u8>>,
    texts: Mutex<Vec<(String, String)>>,
    sounds: Mutex<Vec<(u32, Vec<u8>)>>,
    channels: Mutex<Vec<WebRTCDataChannel>>,
    signals: Mutex<Vec<String>>,
    changed: Condvar,
}

/// Makes of each RTCP datagram of the client what is sent instead.
pub(crate) type Spoiler = Box<dyn FnMut(Vec<u8>) -> Vec<Vec<u8>> + Send>;

/// A client.
pub(crate) struct Client {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
    seen: Arc<Seen>,
    spoiler: Arc<Mutex<Option<Spoiler>>>,
    is_greedy: bool,
}

/// How large a message may be, as GStreamer says it, and as a greedy client has it say.
const MAX_MESSAGE: [&str; 2] = ["a=max-message-size:65536", "a=max-message-size:4194304"];

fn rtp_caps(codec: &str, reports: bool) -> gst::Caps {
    let codec = match codec {
        "H264" => {
            "video,encoding-name=H264,clock-rate=90000,payload=96,packetization-mode=(string)1,rtcp-fb-nack=true,rtcp-fb-nack-pli=true"
        }
        "VP8" => {
            "video,encoding-name=VP8,clock-rate=90000,payload=98,rtcp-fb-nack=true,rtcp-fb-nack-pli=true"
        }
        _ => "audio,encoding-name=OPUS,clock-rate=48000,payload=111,encoding-params=(string)2",
    };
    let transport_wide = ",rtcp-fb-transport-cc=true,\
         extmap-1=(string)http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    let more = if reports { transport_wide } else { "" };
    format!("application/x-rtp,media={codec}{more}").parse().expect("caps")
}

/// The time and the payload of an RTP packet.
fn payload(packet: &[u8]) -> (u32, Vec<u8>) {
    let mut len = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 != 0 {
        len += 4 + 4 * usize::from(u16::from_be_bytes([packet[len + 2], packet[len + 3]]));
    }
    (u32::from_be_bytes(packet[4..8].try_into().expect("four bytes")), packet[len..].to_vec())
}

fn decoder(codec: &str) -> &'static str {
    match codec {
        // Units of its own choice, so that the parser looks into them before it says what they are.
        "H264" => {
            "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=nal ! h264parse ! openh264dec"
        }
        _ => "rtpvp8depay ! vp8dec",
    }
}

impl Client {
    /// A client that decodes what SDP calls `H264` or `VP8`.
    pub(crate) fn new(codec: &'static str) -> Self {
        Self::with(codec, true)
    }

    /// The same, which takes and makes larger messages than the server takes.
    pub(crate) fn greedy(codec: &'static str) -> Self {
        let mut client = Self::with(codec, true);
        client.is_greedy = true;
        client
    }

    /// The same, which `reports` or does not what arrives.
    pub(crate) fn with(codec: &'static str, reports: bool) -> Self {
        gst::init().expect("GStreamer");
        let pipeline = gst::Pipeline::new();
        let webrtcbin = gst::ElementFactory::make("webrtcbin")
            .property_from_str("bundle-policy", "max-bundle")
            .property("latency", 0_u32)
            .build()
            .expect("webrtcbin");
        pipeline.add(&webrtcbin).expect("a pipeline");
        let ice = webrtcbin.property::<gst::glib::Object>("ice-agent");
        ice.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]);
        ice.property::<gst::glib::Object>("agent").set_property("upnp", false);
        let seen = Arc::new(Seen::default());
        let this = Self { pipeline, webrtcbin, seen, spoiler: Arc::default(), is_greedy: false };
        this.hand_over_reports();
        let seen = this.seen.clone();
        this.webrtcbin.connect("on-ice-candidate", false, move |values| {
            let line = values[1].get::<u32>().expect("a line");
            let text = values[2].get::<String>().expect("a candidate");
            let signal = json!({ "ice": { "candidate": text, "sdpMLineIndex": line } }).to_string();
            seen.signals.lock().expect("a lock").push(signal);
            seen.changed.notify_all();
            None
        });
        let seen = this.seen.clone();
        this.webrtcbin.connect("on-data-channel", false, move |values| {
            let channel = values[1].get::<WebRTCDataChannel>().expect("a channel");
            let label = channel.label().expect("a label").to_string();
            let texts = seen.clone();
            channel.connect_on_message_string(move |_, text| {
                let text = text.unwrap_or("").to_owned();
                texts.texts.lock().expect("a lock").push((label.clone(), text));
            });
            seen.channels.lock().expect("a lock").push(channel);
            None
        });
        // By itself webrtcbin answers without header extensions and retransmissions.
        this.webrtcbin.connect("on-new-transceiver", false, move |values| {
            let transceiver = values[1].get::<WebRTCRTPTransceiver>().expect("a transceiver");
            let is_sound = transceiver.property::<WebRTCKind>("kind") == WebRTCKind::Audio;
            transceiver
                .set_property("codec-preferences", rtp_caps(if is_sound { "OPUS" } else { codec }, reports));
            transceiver.set_property("do-nack", !is_sound);
            None
        });
        let (seen, pipeline) = (this.seen.clone(), this.pipeline.downgrade());
        this.webrtcbin.connect_pad_added(move |_, pad| {
            let Some(pipeline) = pipeline.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else {
                return;
            };
            let media = pad.current_caps().and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
            if media.as_deref() == Some("audio") {
                return hear_sound(&pipeline, pad, seen.clone());
            }
            let text = format!(
                "{} ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=out sync=false max-buffers=4 drop=true",
                decoder(codec)
            );
            let bin = gst::parse::bin_from_description(&text, true).expect("a decoder");
            let sink = bin.by_name("out").and_downcast::<gst_app::AppSink>().expect("an appsink");
            let seen = seen.clone();
            sink.set_callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        let map = sample.buffer().expect("a buffer").map_readable().expect("bytes");
                        *seen.luma.lock().expect("a lock") = map.to_vec();
                        seen.pictures.fetch_add(1, SeqCst);
                        Ok(gst::FlowSuccess::Ok)
                    })
                    .build(),
            );
            pipeline.add(&bin).expect("it is added");
            bin.sync_state_with_parent().expect("it plays");
            pad.link(&bin.static_pad("sink").expect("a pad")).expect("it links");
        });
        this.pipeline.set_state(gst::State::Playing).expect("it plays");
        this
    }

    /// Has the spoiler look at what this client reports.
    fn hand_over_reports(&self) {
        let rtpbin = self.webrtcbin.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin"));
        let spoiler = self.spoiler.clone();
        rtpbin.expect("it is part of webrtcbin").connect_pad_added(move |_, pad| {
            if !pad.name().starts_with("send_rtcp_src") {
                return;
            }
            let (spoiler, ours) = (spoiler.clone(), std::sync::atomic::AtomicBool::new(false));
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                // What is pushed below comes by here, too.
                if ours.load(SeqCst) {
                    return gst::PadProbeReturn::Ok;
                }
                let mut spoiler = spoiler.lock().expect("a lock");
                let Some((spoil, buffer)) = spoiler.as_mut().zip(info.buffer()) else {
                    return gst::PadProbeReturn::Ok;
                };
                let datagram = buffer.map_readable().expect("bytes").to_vec();
                ours.store(true, SeqCst);
                for datagram in spoil(datagram) {
                    let _ = pad.push(gst::Buffer::from_slice(datagram));
                }
                ours.store(false, SeqCst);
                info.data = None;
                gst::PadProbeReturn::Handled
            });
        });
    }

    /// From now on this is done to what the client reports.
    pub(crate) fn spoil(&self, spoiler: Spoiler) {
        *self.spoiler.lock().expect("a lock") = Some(spoiler);
    }

    /// Hears a signaling message of the server.
    pub(crate) fn hear(&self, signal: &str) {
        let signal: Value = serde_json::from_str(signal).expect("JSON");
        if let Some(sdp) = signal["sdp"]["sdp"].as_str() {
            assert_eq!(signal["sdp"]["type"], "offer");
            self.answer(sdp);
        } else {
            let line = signal["ice"]["sdpMLineIndex"].as_u64().expect("a line");
            let text = signal["ice"]["candidate"].as_str().expect("a candidate");
            let line = u32::try_from(line).expect("a small number");
            self.webrtcbin.emit_by_name::<()>("add-ice-candidate", &[&line, &text]);
        }
    }

    fn answer(&self, offer: &str) {
        let greed = |sdp: &str, is_greedy: bool| {
            if is_greedy { sdp.replace(MAX_MESSAGE[0], MAX_MESSAGE[1]) } else { sdp.to_owned() }
        };
        let (offer, is_greedy) = (greed(offer, self.is_greedy), self.is_greedy);
        let sdp = gst_sdp::SDPMessage::parse_buffer(offer.as_bytes()).expect("an SDP");
        let offer = WebRTCSessionDescription::new(WebRTCSDPType::Offer, sdp);
        let promise = gst::Promise::new();
        self.webrtcbin.emit_by_name::<()>("set-remote-description", &[&offer, &promise]);
        let _ = promise.wait();
        let (webrtcbin, seen) = (self.webrtcbin.downgrade(), self.seen.clone());
        let promise = gst::Promise::with_change_func(move |reply| {
            let reply = reply.expect("a reply").expect("an answer");
            let answer = reply.get::<WebRTCSessionDescription>("answer").expect("an answer");
            let Some(webrtcbin) = webrtcbin.upgrade() else { return };
            let text = greed(&answer.sdp().to_string(), is_greedy);
            let sdp = gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).expect("an SDP");
            let answer = WebRTCSessionDescription::new(WebRTCSDPType::Answer, sdp);
            webrtcbin.emit_by_name::<()>("set-local-description", &[&answer, &None::<gst::Promise>]);
            let signal = json!({ "sdp": { "type": "answer", "sdp": text } }).to_string();
            // Candidates may be in the list already; the answer goes first.
            seen.signals.lock().expect("a lock").insert(0, signal);
            seen.changed.notify_all();
        });
        self.webrtcbin.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, &promise]);
    }

    /// Signaling messages for the server.
    pub(crate) fn take_signals(&self) -> Vec<String> {
        let mut signals = self.seen.signals.lock().expect("a lock");
        // Candidates that come before the answer wait for it.
        let begins = signals.first().is_some_and(|first| first.contains("\"sdp\""));
        let answered =
            self.webrtcbin.property::<Option<WebRTCSessionDescription>>("local-description").is_some();
        if begins || answered { std::mem::take(&mut *signals) } else { Vec::new() }
    }

    /// Pictures that were decoded.
    pub(crate) fn pictures(&self) -> u64 {
        self.seen.pictures.load(SeqCst)
    }

    /// Mean of the newest picture's pixels.
    pub(crate) fn brightness(&self) -> u32 {
        let luma = self.seen.luma.lock().expect("a lock");
        let sum: u64 = luma.iter().map(|pixel| u64::from(*pixel)).sum();
        u32::try_from(sum / (luma.len() as u64).max(1)).expect("it is a byte")
    }

    /// Packets of sound that arrived: their times in samples, and what is in them.
    pub(crate) fn sounds(&self) -> Vec<(u32, Vec<u8>)> {
        self.seen.sounds.lock().expect("a lock").clone()
    }

    /// Opens a channel of its own.
    pub(crate) fn open(&self, label: &str) -> Option<WebRTCDataChannel> {
        let options = gst::Structure::new_empty("options");
        self.webrtcbin.emit_by_name::<Option<WebRTCDataChannel>>("create-data-channel", &[&label, &options])
    }

    /// Texts that arrived, with their channels' labels.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        self.seen.texts.lock().expect("a lock").clone()
    }

    /// Sends on a channel of the server once it is there.
    pub(crate) fn say(&self, label: &str, text: &str) {
        wait_for("a channel", || self.channel(label).is_some());
        self.channel(label).expect("it is there").send_string_full(Some(text)).expect("it is sent");
    }

    /// A channel of the server.
    pub(crate) fn channel(&self, label: &str) -> Option<WebRTCDataChannel> {
        let channels = self.seen.channels.lock().expect("a lock");
        channels.iter().find(|channel| channel.label().is_some_and(|name| name == label)).cloned()
    }

    /// Asks for a key frame, as a decoder that lost one does.
    pub(crate) fn lose_picture(&self) {
        let pads = self.webrtcbin.src_pads();
        let pad = pads.first().expect("a stream");
        let event = gst::event::CustomUpstream::builder(
            gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).build(),
        );
        pad.send_event(event.build());
    }
}

fn hear_sound(pipeline: &gst::Pipeline, pad: &gst::Pad, seen: Arc<Seen>) {
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false);
    let sink = sink.build().expect("a sink");
    pipeline.add(&sink).expect("it is added");
    sink.sync_state_with_parent().expect("it plays");
    let place = sink.static_pad("sink").expect("a pad");
    place.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let packet = info.buffer().expect("a buffer").map_readable().expect("bytes");
        seen.sounds.lock().expect("a lock").push(payload(&packet));
        gst::PadProbeReturn::Ok
    });
    pad.link(&place).expect("it links");
}

impl Drop for Client {
    fn drop(&mut self) {
        self.seen.channels.lock().expect("a lock").clear();
        self.pipeline.set_state(gst::State::Null).expect("it ends");
    }
}
