//! What comes from a client, on its way into GStreamer's elements, which believe much.
//!
//! - No media: the offer is to send only. Each SSRC would be given a jitter buffer with a thread.
//! - Reports that are well-formed and not too many (`rtcp.rs`), and retransmissions within a budget (`budget.rs`).
//! - Messages of some size, and channels with names that are names. Each SCTP stream that a client touches has threads, so
//!   that one who touches too many is sent away.

use std::sync::{Arc, Weak};

use gst::prelude::*;
use gstreamer as gst;

use crate::{
    channels::MAX_MESSAGE,
    connection::{Event, Listener},
    path::{Path, now_ns},
};

/// Streams of one SCTP association that a client may use at a time; the host's channels are two of them.
const MAX_STREAMS: u16 = 24;
/// A message of RFC 8832, 5.1, that opens a channel, and the bytes before its label.
const OPEN: (u8, usize) = (3, 12);

/// Watches what comes into a webrtcbin that has no connection yet.
pub(crate) fn watch(webrtcbin: &gst::Element, path: &Arc<Path>, listener: &Listener) {
    let Some(bin) = webrtcbin.downcast_ref::<gst::Bin>() else { return };
    if let Some(rtpbin) = bin.by_name("rtpbin") {
        let path = Arc::downgrade(path);
        rtpbin.connect_pad_added(move |_, pad| guard(pad, &path));
    }
    let (path, listener) = (Arc::downgrade(path), listener.clone());
    bin.connect_deep_element_added(move |_, _, element| {
        match element.factory().as_ref().map(|factory| factory.name()).as_deref() {
            Some("rtprtxsend") => limit_retransmissions(element, path.clone()),
            Some("sctpdec") => limit_messages(element, &listener),
            _ => {}
        }
    });
}

/// Lets nothing of it pass. `PadProbeReturn::Drop` has GStreamer 1.22 complain: it drops again what the bindings did.
fn drop_data(info: &mut gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
    info.data = None;
    info.flow_res = Ok(gst::FlowSuccess::Ok);
    gst::PadProbeReturn::Handled
}

fn guard(pad: &gst::Pad, path: &Weak<Path>) {
    let both = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    if pad.name().starts_with("recv_rtp_sink") {
        pad.add_probe(both, |_, info| drop_data(info));
    } else if pad.name().starts_with("recv_rtcp_sink") {
        let path = path.clone();
        pad.add_probe(both, move |_, info| {
            let is_good = |buffer: &gst::BufferRef| {
                let map = buffer.map_readable().ok();
                map.zip(path.upgrade()).is_some_and(|(map, path)| path.takes_report(&map, now_ns()))
            };
            let all_good = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => is_good(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().all(is_good),
                _ => true,
            };
            if all_good { gst::PadProbeReturn::Ok } else { drop_data(info) }
        });
    }
}

/// Requests come from the session behind the element, one for each packet.
fn limit_retransmissions(element: &gst::Element, path: Weak<Path>) {
    let Some(pad) = element.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let is_request = info
            .event()
            .and_then(|event| event.structure())
            .is_some_and(|structure| structure.name() == "GstRTPRetransmissionRequest");
        let may = || path.upgrade().is_some_and(|path| path.may_retransmit());
        if is_request && !may() { drop_data(info) } else { gst::PadProbeReturn::Ok }
    });
}

fn limit_messages(element: &gst::Element, listener: &Listener) {
    let listener = listener.clone();
    element.connect_pad_added(move |element, pad| {
        if pad.direction() != gst::PadDirection::Src {
            return;
        }
        if element.num_src_pads() > MAX_STREAMS {
            listener(Event::Failed(format!(
                "the client uses more than {MAX_STREAMS} data channels at a time"
            )));
        }
        pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
            let is_good = info.buffer().is_some_and(|buffer| {
                buffer.size() <= MAX_MESSAGE && buffer.map_readable().is_ok_and(|map| !is_nameless(&map))
            });
            if is_good { gst::PadProbeReturn::Ok } else { drop_data(info) }
        });
    });
}

/// Whether a message opens a channel whose label or protocol is no text. GStreamer gives those to its users as text, unseen.
fn is_nameless(message: &[u8]) -> bool {
    let length = |at: usize| {
        message.get(at..at + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let lengths =
        length(8).zip(length(10)).filter(|(label, protocol)| message.len() == OPEN.1 + label + protocol);
    message.first() == Some(&OPEN.0)
        && lengths.is_some_and(|(label, _)| {
            let (label, protocol) = message[OPEN.1..].split_at(label);
            [label, protocol].into_iter().any(|name| std::str::from_utf8(name).is_err())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(label: &[u8], protocol: &[u8]) -> Vec<u8> {
        let mut message = vec![OPEN.0, 0, 0, 0, 0, 0, 0, 0];
        for name in [label, protocol] {
            message.extend(u16::try_from(name.len()).expect("it is short").to_be_bytes());
        }
        message.extend(label);
        message.extend(protocol);
        message
    }

    #[test]
    fn channels_have_names_of_text() {
        assert!(!is_nameless(&open(b"data", b"")));
        assert!(!is_nameless(&open("d\u{e4}ta".as_bytes(), b"proto")));
        assert!(is_nameless(&open(b"\xff\xfe", b"")) && is_nameless(&open(b"data", b"\xc3")));
    }

    #[test]
    fn other_messages_may_be_anything() {
        assert!(!is_nameless(b"") && !is_nameless(b"\x03") && !is_nameless(b"\x01\xff\xff"));
        let mut longer = open(b"\xff", b"");
        longer.push(0);
        assert!(!is_nameless(&longer));
    }
}
