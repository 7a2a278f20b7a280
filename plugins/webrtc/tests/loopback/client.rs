//! A client: a second webrtcbin that answers, decodes and talks.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_webrtc::{WebRTCDataChannel, WebRTCRTPTransceiver, WebRTCSDPType, WebRTCSessionDescription};
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
    channels: Mutex<Vec<WebRTCDataChannel>>,
    signals: Mutex<Vec<String>>,
    changed: Condvar,
}

/// A client.
pub(crate) struct Client {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
    seen: Arc<Seen>,
}

fn rtp_caps(codec: &str) -> gst::Caps {
    let (payload, more) = if codec == "H264" { (96, ",packetization-mode=(string)1") } else { (98, "") };
    format!(
        "application/x-rtp,media=video,encoding-name={codec},clock-rate=90000,payload={payload}{more},\
         rtcp-fb-nack=true,rtcp-fb-nack-pli=true,rtcp-fb-transport-cc=true,\
         extmap-1=(string)http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    )
    .parse()
    .expect("caps")
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
        let this = Self { pipeline, webrtcbin, seen };
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
            transceiver.set_property("codec-preferences", rtp_caps(codec));
            transceiver.set_property("do-nack", true);
            None
        });
        let (seen, pipeline) = (this.seen.clone(), this.pipeline.downgrade());
        this.webrtcbin.connect_pad_added(move |_, pad| {
            let Some(pipeline) = pipeline.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else {
                return;
            };
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
            webrtcbin.emit_by_name::<()>("set-local-description", &[&answer, &None::<gst::Promise>]);
            let text = answer.sdp().to_string();
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

    /// Texts that arrived, with their channels' labels.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        self.seen.texts.lock().expect("a lock").clone()
    }

    /// Sends on a channel of the server once it is there.
    pub(crate) fn say(&self, label: &str, text: &str) {
        wait_for("a channel", || self.channel(label).is_some());
        self.channel(label).expect("it is there").send_string_full(Some(text)).expect("it is sent");
    }

    fn channel(&self, label: &str) -> Option<WebRTCDataChannel> {
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

impl Drop for Client {
    fn drop(&mut self) {
        self.seen.channels.lock().expect("a lock").clear();
        self.pipeline.set_state(gst::State::Null).expect("it ends");
    }
}
