//! What is needed of RTP packets (RFC 3550, 5.1) on their way out.

/// Parts of an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
    /// Its number in transport-wide feedback.
    pub(crate) transport_sequence: Option<u16>,
    /// Bytes before the payload.
    pub(crate) len: usize,
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

impl Header {
    /// Reads a header; `transport_id` is the number of the transport-wide extension. `None` when it is not one.
    pub(crate) fn parse(bytes: &[u8], transport_id: u8) -> Option<Self> {
        let first = *bytes.first()?;
        if first >> 6 != 2 {
            return None;
        }
        let ssrc = bytes.get(8..12)?.try_into().ok().map(u32::from_be_bytes)?;
        let mut len = 12 + 4 * usize::from(first & 0x0f);
        let mut transport_sequence = None;
        if first & 0x10 != 0 {
            let (profile, words) = (be16(bytes, len)?, be16(bytes, len + 2)?);
            let end = len + 4 + 4 * usize::from(words);
            let elements = bytes.get(len + 4..end)?;
            if profile == 0xbede {
                transport_sequence =
                    one_byte_element(elements, transport_id).and_then(|found| be16(found, 0));
            }
            len = end;
        }
        Some(Self { marker: bytes[1] & 0x80 != 0, sequence: be16(bytes, 2)?, ssrc, transport_sequence, len })
    }
}

/// An element of RFC 8285, 4.2.
fn one_byte_element(mut elements: &[u8], id: u8) -> Option<&[u8]> {
    while let Some((&head, rest)) = elements.split_first() {
        if head == 0 {
            elements = rest;
            continue;
        }
        let len = usize::from(head & 0x0f) + 1;
        if head >> 4 == id {
            return rest.get(..len);
        }
        elements = rest.get(len..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: [u8; 24] = [
        0x90, 0xe0, 0x12, 0x34, 0, 0, 0, 1, 0xaa, 0xbb, 0xcc, 0xdd, 0xbe, 0xde, 0, 2, 0x22, 0, 0, 0, 0x11,
        0x43, 0x21, 0,
    ];

    #[test]
    fn the_transport_wide_number_is_found_behind_other_extensions() {
        let header = Header::parse(&PACKET, 1).expect("a header");
        assert_eq!(
            header,
            Header {
                marker: true,
                sequence: 0x1234,
                ssrc: 0xaabb_ccdd,
                transport_sequence: Some(0x4321),
                len: 24
            }
        );
        assert_eq!(Header::parse(&PACKET, 7).expect("a header").transport_sequence, None);
    }

    #[test]
    fn what_is_cut_off_is_no_header() {
        for len in 0..PACKET.len() {
            assert_eq!(Header::parse(&PACKET[..len], 1), None, "{len}");
        }
        assert_eq!(Header::parse(&[0; 40], 1), None);
    }
}
