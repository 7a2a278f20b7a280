//! A client's answer, judged before webrtcbin sees it: webrtcbin trusts what it is given.

use selkies_plugin_sdk::{Error, Result};

use crate::{
    candidate::{Policy, Refusal},
    codec::Codec,
};

/// Longest answer in bytes.
const MAX_SDP: usize = 64 * 1024;
/// Longest line in bytes.
const MAX_LINE: usize = 8 * 1024;
/// Most candidates in an answer, and of one client altogether.
pub(crate) const MAX_CANDIDATES: usize = 200;

/// Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Largest message that is sent to who says nothing of it (RFC 8841, 6.1).
const DEFAULT_MESSAGE: u64 = 64 * 1024;

/// A media line of an offer or an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Media {
    /// `video`, `audio`, `application`.
    pub(crate) kind: String,
    /// `a=mid`.
    pub(crate) mid: String,
    /// It is not refused (port 0).
    pub(crate) accepted: bool,
    /// The codec that stands first, with its payload type.
    pub(crate) codec: Option<(Codec, u8)>,
    /// Header extensions: number and URI.
    pub(crate) extensions: Vec<(u8, String)>,
    /// It says that it will report what arrives: `a=rtcp-fb:<payload type> transport-cc`.
    pub(crate) reports: bool,
    /// `a=max-message-size`.
    pub(crate) max_message: Option<u64>,
}

impl Media {
    /// Number of the transport-wide extension, where the client uses it.
    pub(crate) fn transport_id(&self) -> Option<u8> {
        let extension = self.extensions.iter().find(|(_, uri)| uri == TRANSPORT_CC);
        extension.filter(|_| self.reports).map(|(id, _)| *id)
    }
}

/// An answer that fits its offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The text without its candidates.
    pub(crate) sdp: String,
    /// Its lines, as many as the offer has.
    pub(crate) media: Vec<Media>,
    /// How many candidates it brought, whatever became of them.
    pub(crate) brought: usize,
    /// Those that are used, in plain form.
    pub(crate) candidates: Vec<String>,
    /// Those that were refused for more than being an mDNS name.
    pub(crate) refused: Vec<Refusal>,
}

/// The media lines of a description.
pub(crate) fn media_lines(sdp: &str) -> Vec<Media> {
    let mut media: Vec<Media> = Vec::new();
    let mut first_payload = None;
    for line in sdp.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            let mut words = rest.split_ascii_whitespace();
            let kind = words.next().unwrap_or("").to_owned();
            let accepted = words.next() != Some("0");
            first_payload = words.nth(1).and_then(|payload| payload.parse::<u8>().ok());
            media.push(Media { kind, accepted, ..Media::default() });
            continue;
        }
        let Some(last) = media.last_mut() else { continue };
        if let Some(mid) = line.strip_prefix("a=mid:") {
            last.mid = mid.trim().to_owned();
        } else if let Some(map) = line.strip_prefix("a=rtpmap:") {
            let Some((payload, encoding)) = map.split_once(' ') else { continue };
            if payload.parse().ok() == first_payload && last.codec.is_none() {
                let encoding = encoding.split('/').next().unwrap_or("").trim();
                last.codec = Codec::of_encoding(encoding).zip(first_payload);
            }
        } else if let Some(map) = line.strip_prefix("a=extmap:") {
            let Some((id, uri)) = map.split_once(' ') else { continue };
            let id = id.split('/').next().and_then(|id| id.parse().ok());
            if let Some(id) = id.filter(|id| (1..=14).contains(id)) {
                last.extensions.push((id, uri.split_ascii_whitespace().next().unwrap_or("").to_owned()));
            }
        } else if let Some(feedback) = line.strip_prefix("a=rtcp-fb:") {
            let Some((payload, kind)) = feedback.split_once(' ') else { continue };
            let is_ours = payload == "*" || payload.parse().ok() == first_payload;
            last.reports |= is_ours && kind.trim() == "transport-cc";
        } else if let Some(size) = line.strip_prefix("a=max-message-size:") {
            last.max_message = size.trim().parse().ok();
        }
    }
    media
}

impl Answer {
    /// Judges an answer to `offered`.
    ///
    /// # Errors
    /// When it is too large, or does not answer that offer.
    pub(crate) fn judge(sdp: &str, offered: &[Media], policy: Policy) -> Result<Self> {
        let refuse = |why: String| Err(Error::invalid(format!("webrtc-answer: {why}")));
        if sdp.len() > MAX_SDP {
            return refuse(format!("{} bytes, at most {MAX_SDP} are taken", sdp.len()));
        }
        if !sdp.starts_with("v=0") || sdp.contains('\0') {
            return refuse("this is no SDP".to_owned());
        }
        let (mut kept, mut brought) = (String::with_capacity(sdp.len()), 0_usize);
        let (mut candidates, mut refused) = (Vec::new(), Vec::new());
        for line in sdp.lines() {
            if line.len() > MAX_LINE {
                return refuse(format!("a line of {} bytes, at most {MAX_LINE} are taken", line.len()));
            }
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            // GStreamer's parser skips white space before and after `x=`: such a line would be another one for it than here.
            let begins = match line.as_bytes() {
                [b'a'..=b'z', b'='] => true,
                [b'a'..=b'z', b'=', first, ..] => !first.is_ascii_whitespace(),
                _ => false,
            };
            if !begins || line.contains(char::is_control) {
                return refuse(format!("the line {:.40} is no SDP", line.escape_debug().to_string()));
            }
            if line.starts_with("a=candidate:") {
                brought += 1;
                match policy.judge(line) {
                    Ok(plain) => candidates.push(plain),
                    Err(Refusal::Mdns) => {}
                    Err(why) => refused.push(why),
                }
                continue;
            }
            kept.extend([line, "\r\n"]);
        }
        if brought > MAX_CANDIDATES {
            return refuse(format!("{brought} candidates, at most {MAX_CANDIDATES} are taken"));
        }
        let media = media_lines(&kept);
        if media.len() != offered.len() {
            return refuse(format!("{} media lines for {} that were offered", media.len(), offered.len()));
        }
        for (answer, offer) in media.iter().zip(offered) {
            // A line that is refused need not have a name.
            let named = answer.mid == offer.mid || (answer.mid.is_empty() && !answer.accepted);
            if answer.kind != offer.kind || !named {
                return refuse(format!(
                    "media line {:.20}/{:.20} answers {}/{}",
                    answer.kind, answer.mid, offer.kind, offer.mid
                ));
            }
        }
        let has = |name: &str| kept.lines().any(|line| line.starts_with(name));
        for needed in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"] {
            if !has(needed) {
                return refuse(format!("it has no {needed}"));
            }
        }
        Ok(Self { sdp: kept, media, brought, candidates, refused })
    }

    /// Largest message in bytes that the client takes.
    pub(crate) fn max_message(&self) -> u64 {
        let lines = self.media.iter().filter(|line| line.kind == "application");
        match lines.map(|line| line.max_message.unwrap_or(DEFAULT_MESSAGE)).next() {
            // Whatever the machine can take.
            Some(0) => u64::MAX,
            Some(most) => most,
            None => DEFAULT_MESSAGE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=mid:video0\r\na=rtpmap:96 H264/90000\r\n\
        a=rtpmap:98 VP8/90000\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:application1\r\n";
    const HEAD: &str =
        "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 00\r\n";
    const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 98 99\r\na=mid:video0\r\na=rtpmap:99 rtx/90000\r\n\
        a=rtpmap:98 vp8/90000\r\na=extmap:1 http://x/transport-cc\r\na=extmap:99 http://x/large\r\n";
    const DATA: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:application1\r\n";
    const POLICY: Policy = Policy { loopback: false };

    fn judge(parts: &[&str]) -> Result<Answer> {
        Answer::judge(&parts.concat(), &media_lines(OFFER), POLICY)
    }

    #[test]
    fn an_answer_says_the_codec_and_the_extensions() {
        let answer = judge(&[HEAD, VIDEO, DATA]).expect("it fits");
        assert_eq!(answer.media[0].codec, Some((Codec::Vp8, 98)));
        assert_eq!(answer.media[0].extensions, [(1, "http://x/transport-cc".to_owned())]);
        assert!(answer.media.iter().all(|line| line.accepted));
        assert_eq!(answer.sdp, [HEAD, VIDEO, DATA].concat());
    }

    #[test]
    fn candidates_are_judged_and_counted() {
        let candidates = "a=candidate:1 1 udp 1 x.local 5 typ host\r\na=candidate:2 1 udp 1 10.0.0.1 5 typ host generation 0\r\n\
            a=candidate:3 1 udp 1 169.254.169.254 80 typ host\r\n";
        let answer = judge(&[HEAD, VIDEO, candidates, DATA]).expect("it fits");
        assert_eq!((answer.brought, answer.refused.as_slice()), (3, [Refusal::Address].as_slice()));
        assert_eq!(answer.candidates, ["candidate:2 1 UDP 1 10.0.0.1 5 typ host"]);
        assert!(!answer.sdp.contains("candidate"), "webrtcbin gets no other than those that were judged");
        let many = "a=candidate:1 1 udp 1 x.local 5 typ host\r\n".repeat(MAX_CANDIDATES + 1);
        assert!(judge(&[HEAD, VIDEO, &many, DATA]).is_err());
    }

    #[test]
    fn what_does_not_answer_the_offer_is_refused() {
        let other = VIDEO.replace("video0", "video7");
        let lines = DATA.repeat(10_000 / DATA.len());
        let long = format!("a={}\r\n", "x".repeat(MAX_LINE));
        let nothing = "v=0\r\n";
        for parts in [
            vec![HEAD, VIDEO],
            vec![HEAD, DATA, VIDEO],
            vec![HEAD, &other, DATA],
            vec![HEAD, VIDEO, &lines],
            vec![HEAD, VIDEO, DATA, &long],
            vec![nothing, VIDEO, DATA],
            vec![HEAD, VIDEO, " a=candidate:1 1 udp 1 169.254.169.254 80 typ host\r\n", DATA],
            vec![HEAD, VIDEO, "a= candidate:1 1 udp 1 169.254.169.254 80 typ host\r\n", DATA],
            vec![HEAD, VIDEO, "a=x\ra=candidate:1 1 udp 1 169.254.169.254 80 typ host\r\n", DATA],
            vec![HEAD, VIDEO, DATA, "\tm=video 9 UDP/TLS/RTP/SAVPF 98\r\n"],
            vec!["nonsense"],
            vec![""],
        ] {
            assert!(judge(&parts).is_err(), "{parts:?}");
        }
        assert!(Answer::judge(&"v=0\r\n".repeat(20_000), &[], POLICY).is_err());
    }

    #[test]
    fn it_says_whether_it_reports_and_how_large_messages_may_be() {
        let cc = format!("a=extmap:3 {TRANSPORT_CC}\r\n");
        let transport_id = |lines: &str| {
            let answer = judge(&[HEAD, VIDEO, lines, DATA]).expect("it fits");
            answer.media[0].transport_id()
        };
        assert_eq!(transport_id(&format!("{cc}a=rtcp-fb:98 transport-cc\r\n")), Some(3));
        assert_eq!(transport_id(&format!("a=rtcp-fb:* transport-cc\r\n{cc}")), Some(3));
        assert_eq!(transport_id(&format!("{cc}a=rtcp-fb:99 transport-cc\r\na=rtcp-fb:98 nack\r\n")), None);
        assert_eq!(transport_id("a=rtcp-fb:98 transport-cc\r\n"), None);
        let most = |line: &str| judge(&[HEAD, VIDEO, DATA, line]).expect("it fits").max_message();
        assert_eq!(most(""), 65_536);
        assert_eq!(most("a=max-message-size:262144\r\n"), 262_144);
        assert_eq!(most("a=max-message-size:0\r\n"), u64::MAX);
        assert_eq!(most("a=max-message-size:many\r\n"), 65_536);
    }

    #[test]
    fn a_line_may_be_declined() {
        let declined = "m=video 0 UDP/TLS/RTP/SAVPF 0\r\n";
        let answer = judge(&[HEAD, declined, DATA]).expect("it fits");
        assert!(!answer.media[0].accepted && answer.media[0].codec.is_none());
    }
}
