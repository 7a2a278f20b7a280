//! One connection: a pipeline with a webrtcbin of its own.

use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use gst::{glib, prelude::*};
use gst_webrtc::{WebRTCPeerConnectionState, WebRTCSDPType, WebRTCSessionDescription};
use gstreamer as gst;
use gstreamer_sdp as gst_sdp;
use gstreamer_webrtc as gst_webrtc;
use selkies_plugin_sdk::{Error, PacketRef, Result, abi};

use crate::{
    answer::{Answer, Media, media_lines},
    candidate,
    channels::Channels,
    codec::Codec,
    config::Options,
    hello::Hello,
    ice_servers::IceServers,
    inlet,
    line::Line,
    path::{Path, now_ns},
    voice::Voice,
};

/// What a connection tells its owner; from any thread of GStreamer.
#[derive(Debug)]
pub(crate) enum Event {
    /// The offer is made.
    Offer(WebRTCSessionDescription),
    /// A candidate of this side.
    Candidate { line: u32, text: String },
    /// Packets may flow.
    Connected,
    /// It will not come about, or is over.
    Failed(String),
}

/// Where events go.
pub(crate) type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// A connection to one client.
#[derive(Debug)]
pub(crate) struct Connection {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
    lines: Vec<Arc<Line>>,
    path: Arc<Path>,
    is_connected: AtomicBool,
}

fn failed(what: &str) -> impl Fn(glib::BoolError) -> Error {
    move |error| Error::retry(format!("gst-webrtc: {what}: {error}"))
}

impl Connection {
    /// Makes a connection and begins its offer.
    ///
    /// # Errors
    /// When GStreamer cannot make it.
    pub(crate) fn open(
        hello: &Hello,
        options: &Options,
        servers: &IceServers,
        voice: &Arc<Voice>,
        channels: &Arc<Channels>,
        listener: &Listener,
    ) -> Result<Arc<Self>> {
        let pipeline = gst::Pipeline::new();
        // The host's timestamps are times of this clock.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(gst::ClockTime::ZERO);
        let webrtcbin = gst::ElementFactory::make("webrtcbin")
            .property_from_str("bundle-policy", "max-bundle")
            .property("latency", 0_u32)
            .build()
            .map_err(failed("no webrtcbin"))?;
        pipeline.add(&webrtcbin).map_err(failed("the pipeline"))?;
        let path = Arc::new(Path::new(options.congestion_control));
        let mut this =
            Self { pipeline, webrtcbin, lines: Vec::new(), path, is_connected: AtomicBool::new(false) };
        // Dropped on every way out: an element that is not ended leaves threads behind.
        this.reach(hello, options, servers);
        this.hear(listener);
        this.pipeline
            .set_state(gst::State::Ready)
            .map_err(|error| Error::retry(format!("gst-webrtc: webrtcbin does not start: {error}")))?;
        Path::watch(&this.path, &this.webrtcbin);
        inlet::watch(&this.webrtcbin, &this.path, listener);
        channels.create(&this.webrtcbin)?;
        let first_ssrc = glib::random_int() | 1;
        for stream in (0..).take(hello.displays) {
            let ssrc = first_ssrc.wrapping_add(2 * stream);
            let line = Line::offer(&this.webrtcbin, stream, &hello.video, ssrc, voice, &this.path)?;
            this.lines.push(line);
        }
        if hello.audio {
            let ssrc = first_ssrc.wrapping_sub(2);
            let line = Line::offer(&this.webrtcbin, 0, &[Codec::Opus], ssrc, voice, &this.path)?;
            if hello.sound_apart {
                line.stand_apart();
            }
            this.lines.push(line);
        }
        this.pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| Error::retry(format!("gst-webrtc: webrtcbin does not start: {error}")))?;
        let answer = listener.clone();
        let promise = gst::Promise::with_change_func(move |reply| {
            let offer =
                reply.ok().flatten().and_then(|reply| reply.get::<WebRTCSessionDescription>("offer").ok());
            answer(match offer {
                Some(offer) => Event::Offer(offer),
                None => Event::Failed("webrtcbin makes no offer".to_owned()),
            });
        });
        this.webrtcbin.emit_by_name::<()>("create-offer", &[&None::<gst::Structure>, &promise]);
        Ok(Arc::new(this))
    }

    /// Sets which addresses and servers are used.
    fn reach(&self, hello: &Hello, options: &Options, servers: &IceServers) {
        self.webrtcbin.set_property("stun-server", servers.stun.as_deref());
        for server in &servers.turn {
            if !self.webrtcbin.emit_by_name::<bool>("add-turn-server", &[server]) {
                tracing::warn!("a TURN server is not usable: webrtcbin does not take its URL");
            }
        }
        if servers.relay_only {
            self.webrtcbin.set_property_from_str("ice-transport-policy", "relay");
        }
        let ice = self.webrtcbin.property::<glib::Object>("ice-agent");
        if let Some((low, high)) = options.ports {
            ice.set_property("min-rtp-port", u32::from(low));
            ice.set_property("max-rtp-port", u32::from(high));
        }
        if ice.find_property("agent").is_some()
            && let Some(agent) = ice.property::<Option<glib::Object>>("agent")
        {
            agent.set_property("ice-tcp", options.ice_tcp);
            // It would look for routers and start a server of its own for that.
            agent.set_property("upnp", false);
        }
        if hello.loopback {
            // Once one address is named, the agent looks for no others.
            let own = [own_address("0.0.0.0:0", "192.0.2.1:9"), own_address("[::]:0", "[2001:db8::1]:9")];
            let all = own.into_iter().flatten().chain([IpAddr::from([127, 0, 0, 1])]);
            for address in all {
                ice.emit_by_name::<bool>("add-local-ip-address", &[&address.to_string()]);
            }
        }
    }

    fn hear(&self, listener: &Listener) {
        let tell = listener.clone();
        self.webrtcbin.connect("on-ice-candidate", false, move |values| {
            let line = values.get(1).and_then(|value| value.get::<u32>().ok());
            let text = values.get(2).and_then(|value| value.get::<String>().ok());
            if let Some((line, text)) = line.zip(text) {
                tell(Event::Candidate { line, text });
            }
            None
        });
        let tell = listener.clone();
        self.webrtcbin.connect_notify(Some("connection-state"), move |webrtcbin, _| {
            match webrtcbin.property::<WebRTCPeerConnectionState>("connection-state") {
                WebRTCPeerConnectionState::Connected => tell(Event::Connected),
                WebRTCPeerConnectionState::Failed => {
                    tell(Event::Failed("no way to the client was found, or it was lost".to_owned()));
                }
                _ => {}
            }
        });
        let Some(bus) = self.pipeline.bus() else { return };
        let tell = listener.clone();
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                tell(Event::Failed(format!("{} ({:?})", error.error(), error.debug())));
            }
            gst::BusSyncReply::Drop
        });
    }

    /// Makes the offer the local description; answers its text and its lines.
    pub(crate) fn offered(&self, offer: &WebRTCSessionDescription) -> (String, Vec<Media>) {
        self.webrtcbin.emit_by_name::<()>("set-local-description", &[offer, &None::<gst::Promise>]);
        let sdp = offer.sdp().to_string();
        let media = media_lines(&sdp);
        (sdp, media)
    }

    /// Takes the client's answer, which was judged.
    ///
    /// # Errors
    /// When it is not SDP after all, takes no stream, or a stream cannot be built.
    pub(crate) fn answered(&self, answer: &Answer) -> Result<()> {
        let sdp = gst_sdp::SDPMessage::parse_buffer(answer.sdp.as_bytes())
            .map_err(|_| Error::invalid("webrtc-answer: this is no SDP"))?;
        // GStreamer may have read another thing than was judged.
        let is_candidate = |attribute: &gst_sdp::SDPAttribute| attribute.key().trim() == "candidate";
        let has_others = sdp.attributes().any(is_candidate)
            || sdp.medias().any(|media| media.attributes().any(is_candidate))
            || sdp.medias_len() as usize != answer.media.len();
        if has_others {
            return Err(Error::invalid("webrtc-answer: it has lines that can be read in two ways"));
        }
        let streams = answer.media.iter().filter(|media| media.kind != "application");
        let mut video = 0;
        for (line, media) in self.lines.iter().zip(streams) {
            if line.answered(&self.pipeline, media)? && line.is_video() {
                video += 1;
            }
        }
        if video == 0 {
            return Err(Error::invalid(
                "webrtc-answer: the client takes none of the codecs that were offered",
            ));
        }
        let description = WebRTCSessionDescription::new(WebRTCSDPType::Answer, sdp);
        self.webrtcbin.emit_by_name::<()>("set-remote-description", &[&description, &None::<gst::Promise>]);
        Ok(())
    }

    /// A candidate of the client, which was judged.
    pub(crate) fn candidate(&self, line: u32, text: &str) {
        self.webrtcbin.emit_by_name::<()>("add-ice-candidate", &[&line, &text]);
    }

    /// Packets may flow from now on, with a key frame first.
    pub(crate) fn connected(&self) {
        if !self.is_connected.swap(true, SeqCst) {
            self.lines.iter().for_each(|line| line.key_wanted());
        }
    }

    /// Sends a packet, or drops it.
    pub(crate) fn push(&self, packet: &PacketRef<'_>, shared: &gst::Buffer) {
        if !self.is_connected.load(SeqCst) {
            return;
        }
        if let Some(line) = self.lines.iter().find(|line| line.carries(packet.stream, packet.info.codec)) {
            line.push(packet, shared, now_ns());
        }
    }

    /// What is to be done ten times a second. Answers what the host is to know of the path.
    pub(crate) fn tick(&self) -> Vec<abi::Feedback> {
        if !self.is_connected.load(SeqCst) {
            return Vec::new();
        }
        let now = now_ns();
        self.lines.iter().for_each(|line| line.tick(now));
        self.lines
            .iter()
            .filter(|line| line.is_video())
            .filter_map(|line| self.path.feedback(line.stream(), now))
            .collect()
    }

    /// Ends it. Takes up to half a second.
    pub(crate) fn end(&self) {
        self.is_connected.store(false, SeqCst);
        if self.pipeline.set_state(gst::State::Null).is_err() {
            tracing::warn!("gst-webrtc: a connection does not end; its threads stay behind");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// The address of this machine from which another would be reached. Nothing is sent.
fn own_address(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

/// The candidates to tell the client for one of this side: itself, and under the public address.
pub(crate) fn announced(text: &str, options: &Options, servers: &IceServers) -> Vec<String> {
    let mapped = options.public_ip.filter(|_| !servers.relay_only).and_then(|ip| candidate::mapped(text, ip));
    [Some(text.to_owned()), mapped].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ice_agent_is_reached_through_webrtcbin() {
        gst::init().expect("GStreamer");
        let webrtcbin = gst::ElementFactory::make("webrtcbin").build().expect("webrtcbin");
        let ice = webrtcbin.property::<glib::Object>("ice-agent");
        let names: Vec<String> = ice.list_properties().iter().map(|spec| spec.name().to_owned()).collect();
        assert!(names.iter().any(|name| name == "agent"), "{names:?}");
    }
}
