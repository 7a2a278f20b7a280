//! What the host says of a client that arrives.

use selkies_plugin_sdk::{Error, Result};
use serde::Deserialize;

use crate::codec::Codec;

/// Most displays of one client.
pub(crate) const MAX_DISPLAYS: usize = 8;

/// A client's abilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Codecs of the picture, best first; at least one.
    pub(crate) video: Vec<Codec>,
    /// Sound is wanted.
    pub(crate) audio: bool,
    /// In a media stream of its own, so that the browser does not hold the picture back for it.
    pub(crate) sound_apart: bool,
    /// Number of video streams, at least one.
    pub(crate) displays: usize,
    /// The client is on this machine.
    pub(crate) loopback: bool,
}

#[derive(Deserialize)]
struct Raw {
    codecs: Vec<String>,
    #[serde(default)]
    displays: Vec<String>,
    #[serde(default)]
    loopback: bool,
    #[serde(default)]
    sound_apart: bool,
}

impl Hello {
    /// Reads a hello; `available` are the codecs that can be sent from here.
    ///
    /// # Errors
    /// When it is no hello, or no codec of the picture is left.
    pub(crate) fn parse(json: &str, available: &[Codec]) -> Result<Self> {
        let raw: Raw = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("webrtc-hello: this is not a hello: {error}")))?;
        let mut video: Vec<Codec> = Vec::new();
        for codec in raw.codecs.iter().filter_map(|name| Codec::named(name)) {
            if codec.is_video() && available.contains(&codec) && !video.contains(&codec) {
                video.push(codec);
            }
        }
        if video.is_empty() {
            let have: Vec<&str> = available.iter().map(|codec| codec.name()).collect();
            return Err(Error::unsupported(format!(
                "webrtc-codec: the client takes none of {}; it can be served over WebSocket",
                have.join(", ")
            )));
        }
        let audio = available.contains(&Codec::Opus) && raw.codecs.iter().any(|name| name == "opus");
        if raw.displays.len() > MAX_DISPLAYS {
            return Err(Error::invalid(format!(
                "webrtc-hello: {} displays, at most {MAX_DISPLAYS} can be sent to a client",
                raw.displays.len()
            )));
        }
        let Raw { displays, loopback, sound_apart, .. } = raw;
        Ok(Self { video, audio, sound_apart, displays: displays.len().max(1), loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Codec] = &[Codec::H264, Codec::Vp8, Codec::Opus];

    #[test]
    fn the_order_is_the_clients_and_unknown_names_are_skipped() {
        let json =
            r#"{"codecs": ["h267", "vp8", "av1", "h264", "opus", "vp8"], "loopback": true, "later": {}}"#;
        let hello = Hello::parse(json, ALL).expect("a hello");
        assert_eq!(hello.video, [Codec::Vp8, Codec::H264]);
        assert!(hello.audio && hello.loopback && !hello.sound_apart);
        assert_eq!(hello.displays, 1);
    }

    #[test]
    fn a_client_that_can_take_nothing_is_refused() {
        assert!(Hello::parse(r#"{"codecs": ["jpeg", "opus"]}"#, ALL).is_err());
        assert!(Hello::parse("[]", ALL).is_err());
        let many = format!(r#"{{"codecs": ["vp8"], "displays": [{}]}}"#, ["\"d\""; 9].join(","));
        assert!(Hello::parse(&many, ALL).is_err());
    }
}
