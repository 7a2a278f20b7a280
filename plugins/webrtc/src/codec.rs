//! Codecs: their names, and how each is put into RTP packets.

use gst::prelude::*;
use gstreamer as gst;
use selkies_plugin_sdk::{Error, Result, abi};

/// A codec that this transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Codec {
    H264,
    H265,
    Vp8,
    Vp9,
    Av1,
    Opus,
}

/// What differs between codecs.
struct Facts {
    codec: Codec,
    id: u32,
    /// In the hello and in configurations.
    name: &'static str,
    /// In SDP.
    encoding: &'static str,
    clock_rate: i32,
    /// Payload type; webrtcbin takes those after it for retransmissions.
    payload: u8,
    payloader: &'static str,
    /// Properties of the payloader, set where it has them.
    properties: &'static [(&'static str, &'static str)],
    /// Caps of a packet of the host.
    input: &'static str,
    /// Further parameters in SDP.
    parameters: &'static [(&'static str, &'static str)],
}

/// Every codec, in the order of payload types. H.264's `profile-level-id` is left out on purpose: with it in the caps, a
/// connected webrtcbin refuses the payloader's. Payloaders repeat no parameter sets: every key frame of the host has its own.
static CODECS: &[Facts] = &[
    Facts {
        codec: Codec::H264,
        id: abi::CODEC_H264,
        name: "h264",
        encoding: "H264",
        clock_rate: 90_000,
        payload: 96,
        payloader: "rtph264pay",
        properties: &[("aggregate-mode", "zero-latency")],
        input: "video/x-h264,stream-format=byte-stream,alignment=au",
        parameters: &[("packetization-mode", "1")],
    },
    Facts {
        codec: Codec::Vp8,
        id: abi::CODEC_VP8,
        name: "vp8",
        encoding: "VP8",
        clock_rate: 90_000,
        payload: 98,
        payloader: "rtpvp8pay",
        properties: &[("picture-id-mode", "15-bit")],
        input: "video/x-vp8",
        parameters: &[],
    },
    Facts {
        codec: Codec::Vp9,
        id: abi::CODEC_VP9,
        name: "vp9",
        encoding: "VP9",
        clock_rate: 90_000,
        payload: 100,
        payloader: "rtpvp9pay",
        properties: &[("picture-id-mode", "15-bit")],
        input: "video/x-vp9",
        parameters: &[],
    },
    Facts {
        codec: Codec::H265,
        id: abi::CODEC_H265,
        name: "h265",
        encoding: "H265",
        clock_rate: 90_000,
        payload: 102,
        payloader: "rtph265pay",
        properties: &[("aggregate-mode", "zero-latency")],
        input: "video/x-h265,stream-format=byte-stream,alignment=au",
        parameters: &[],
    },
    Facts {
        codec: Codec::Av1,
        id: abi::CODEC_AV1,
        name: "av1",
        encoding: "AV1",
        clock_rate: 90_000,
        payload: 104,
        payloader: "rtpav1pay",
        properties: &[],
        input: "video/x-av1,stream-format=obu-stream,alignment=tu",
        parameters: &[],
    },
    Facts {
        codec: Codec::Opus,
        id: abi::CODEC_OPUS,
        name: "opus",
        encoding: "OPUS",
        clock_rate: 48_000,
        payload: 111,
        payloader: "rtpopuspay",
        properties: &[],
        input: "audio/x-opus,channels=2,channel-mapping-family=0",
        // Without `stereo`, browsers decode one channel (RFC 7587, 6.1).
        parameters: &[
            ("encoding-params", "2"),
            ("minptime", "10"),
            ("useinbandfec", "1"),
            ("stereo", "1"),
            ("sprop-stereo", "1"),
        ],
    },
];

impl Codec {
    fn facts(self) -> &'static Facts {
        let found = CODECS.iter().find(|facts| facts.codec == self);
        found.unwrap_or_else(|| unreachable!("every codec is in the table"))
    }

    /// By its name in a hello.
    pub(crate) fn named(name: &str) -> Option<Self> {
        CODECS.iter().find(|facts| facts.name == name).map(|facts| facts.codec)
    }

    /// By its name in SDP, which has no case (RFC 8866, 8.2.3).
    pub(crate) fn of_encoding(name: &str) -> Option<Self> {
        CODECS.iter().find(|facts| facts.encoding.eq_ignore_ascii_case(name)).map(|facts| facts.codec)
    }

    /// One of `CODEC_*`.
    pub(crate) fn id(self) -> u32 {
        self.facts().id
    }

    /// Its name in a hello.
    pub(crate) fn name(self) -> &'static str {
        self.facts().name
    }

    pub(crate) fn is_video(self) -> bool {
        self != Self::Opus
    }

    /// Caps of the host's packets.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub(crate) fn input_caps(self) -> Result<gst::Caps> {
        let text = self.facts().input;
        text.parse().map_err(|_| Error::fatal(format!("webrtc-caps: {text} are not caps")))
    }

    /// The RTP caps that are offered: one codec of a media line.
    pub(crate) fn rtp_structure(self) -> gst::Structure {
        let facts = self.facts();
        let media = if self.is_video() { "video" } else { "audio" };
        let mut structure = gst::Structure::builder("application/x-rtp")
            .field("media", media)
            .field("encoding-name", facts.encoding)
            .field("payload", i32::from(facts.payload))
            .field("clock-rate", facts.clock_rate)
            .build();
        for (name, value) in facts.parameters {
            structure.set(*name, *value);
        }
        structure
    }

    /// Makes the payloader.
    ///
    /// # Errors
    /// When GStreamer lacks it.
    pub(crate) fn payloader(self, payload: u8, ssrc: u32) -> Result<gst::Element> {
        let facts = self.facts();
        let element = gst::ElementFactory::make(facts.payloader).build().map_err(|_| {
            Error::fatal(format!("gst-missing: GStreamer has no element {}", facts.payloader))
        })?;
        element.set_property("pt", u32::from(payload));
        element.set_property("mtu", MTU);
        element.set_property("ssrc", ssrc);
        for (name, value) in facts.properties {
            if element.find_property(name).is_some() {
                element.set_property_from_str(name, value);
            }
        }
        Ok(element)
    }

    /// The codecs for which this machine has payloaders.
    pub(crate) fn available() -> Vec<Self> {
        let has = |facts: &&Facts| gst::ElementFactory::find(facts.payloader).is_some();
        CODECS.iter().filter(has).map(|facts| facts.codec).collect()
    }
}

/// Largest RTP packet in bytes: with the headers of IP, UDP, SRTP and TURN it passes every path of today.
const MTU: u32 = 1200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_its_caps_are_caps() {
        gst::init().expect("GStreamer");
        for facts in CODECS {
            let codec = facts.codec;
            assert_eq!(Codec::named(codec.name()), Some(codec));
            assert_eq!(Codec::of_encoding(&facts.encoding.to_lowercase()), Some(codec));
            assert!(codec.input_caps().is_ok(), "{codec:?}");
            assert!(codec.rtp_structure().has_field("clock-rate"));
        }
    }

    #[test]
    fn payloaders_take_what_the_table_says() {
        gst::init().expect("GStreamer");
        let available = Codec::available();
        assert!(available.contains(&Codec::H264) && available.contains(&Codec::Vp8), "{available:?}");
        for codec in available {
            let payloader = codec.payloader(96, 7).expect("it is there");
            assert_eq!(payloader.property::<u32>("mtu"), MTU);
        }
    }
}
