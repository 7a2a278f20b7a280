//! The bytes in front of a video packet (Selkies 2.1.0, binary messages 0x03 and 0x04).
//!
//! ```text
//! JPEG stripe  [03][last 01][frame id u16][y u16]                                                   6 bytes
//! other video  [04][codec<<4 | anchor 08 | kind][frame id u16][y u16][w u16][h u16][reference u16]   12 bytes
//! ```
//! Selkies' second byte of a JPEG stripe is 00 and its page ignores it; here bit 0 marks the frame's last stripe, so that
//! a page need not wait to know that a frame is whole. Numbers are big-endian; kind 01 keyframe, 02 intra, 00 delta, and 04
//! for a delta that is its frame's last stripe, which Selkies' page takes for any delta; codec 1 H.264, 2 VP8, 3 VP9,
//! 4 AV1, 5 H.265.

use selkies_plugin_sdk::{Error, PacketInfo, Result, abi};

/// Longest header in bytes.
pub const MAX_HEADER: usize = 12;

/// A header, ready to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl Framing {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes[self.len] = *byte;
            self.len += 1;
        }
    }
}

/// The header of a packet. Frame ids are cut to 16 bits and run over, as the wire has it.
///
/// # Errors
/// [`Error::unsupported`] for codecs that the wire has no number for, [`Error::invalid`] for areas beyond 65535.
pub fn header(packet: &PacketInfo) -> Result<Framing> {
    let edge = |value: u32| {
        u16::try_from(value)
            .map_err(|_| Error::invalid(format!("{value} pixels do not fit the wire's 16 bits")))
    };
    let id = (packet.frame_id & 0xffff) as u16;
    let mut framing = Framing { bytes: [0; MAX_HEADER], len: 0 };
    if packet.codec == abi::CODEC_JPEG {
        framing.put(&[0x03, u8::from(packet.flags & abi::PACKET_LAST != 0)]);
        framing.put(&id.to_be_bytes());
        framing.put(&edge(packet.area.y)?.to_be_bytes());
        return Ok(framing);
    }
    let codec: u8 = match packet.codec {
        abi::CODEC_H264 => 1,
        abi::CODEC_VP8 => 2,
        abi::CODEC_VP9 => 3,
        abi::CODEC_AV1 => 4,
        abi::CODEC_H265 => 5,
        other => return Err(Error::unsupported(format!("codec {other} has no number on this wire"))),
    };
    let kind: u8 = if packet.flags & abi::PACKET_KEY != 0 {
        1
    } else if packet.flags & abi::PACKET_INTRA != 0 {
        2
    } else if packet.flags & abi::PACKET_LAST != 0 {
        4
    } else {
        0
    };
    let anchor: u8 = if packet.flags & abi::PACKET_ANCHOR != 0 { 0x08 } else { 0 };
    framing.put(&[0x04, (codec << 4) | anchor | kind]);
    let reference = match packet.reference_frame_id {
        0 => packet.frame_id.wrapping_sub(1),
        named => named,
    };
    for value in
        [id, edge(packet.area.y)?, edge(packet.area.width)?, edge(packet.area.height)?, reference as u16]
    {
        framing.put(&value.to_be_bytes());
    }
    Ok(framing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(codec: u32) -> PacketInfo {
        PacketInfo {
            codec,
            flags: abi::PACKET_KEY,
            layer: 0,
            frame_id: 0x0001_0203,
            reference_frame_id: 0,
            timestamp_ns: 0,
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0x0140, width: 1920, height: 64 },
        }
    }

    #[test]
    fn a_jpeg_stripe_has_six_bytes() {
        let framing = header(&packet(abi::CODEC_JPEG)).expect("JPEG has a number");
        assert_eq!(framing.as_bytes(), [0x03, 0x00, 0x02, 0x03, 0x01, 0x40]);
        let mut last = packet(abi::CODEC_JPEG);
        last.flags |= abi::PACKET_LAST;
        assert_eq!(header(&last).expect("JPEG has a number").as_bytes()[..2], [0x03, 0x01]);
    }

    #[test]
    fn a_keyframe_of_h264_has_twelve_bytes() {
        let framing = header(&packet(abi::CODEC_H264)).expect("H.264 has a number");
        assert_eq!(
            framing.as_bytes(),
            [0x04, 0x11, 0x02, 0x03, 0x01, 0x40, 0x07, 0x80, 0x00, 0x40, 0x02, 0x02]
        );
    }

    #[test]
    fn the_last_delta_of_a_frame_is_marked_and_keyframes_are_what_stock_pages_know() {
        let kind = |flags| {
            let packet = PacketInfo { flags, ..packet(abi::CODEC_VP9) };
            header(&packet).expect("VP9 has a number").as_bytes()[1]
        };
        assert_eq!(kind(0), 0x30);
        assert_eq!(kind(abi::PACKET_LAST), 0x34);
        assert_eq!(kind(abi::PACKET_LAST | abi::PACKET_ANCHOR), 0x3c);
        assert_eq!(kind(abi::PACKET_LAST | abi::PACKET_KEY), 0x31);
        assert_eq!(kind(abi::PACKET_LAST | abi::PACKET_INTRA), 0x32);
    }

    #[test]
    fn what_the_wire_cannot_say_is_refused() {
        assert!(header(&packet(abi::CODEC_NULL)).is_err());
        let mut tall = packet(abi::CODEC_JPEG);
        tall.area.y = 70_000;
        assert!(header(&tall).is_err());
    }
}
