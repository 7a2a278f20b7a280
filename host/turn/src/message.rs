//! STUN messages (RFC 8489, section 5) with the attributes that TURN's allocations need (RFC 8656, section 18).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

/// Length of the header in bytes.
pub const HEADER: usize = 20;
/// Longest message that is read, in bytes.
pub const MAX_MESSAGE: usize = 4096;
const COOKIE: u32 = 0x2112_A442;
const INTEGRITY_BYTES: usize = 20;

/// Ask for the own address.
pub const BINDING: u16 = 0x001;
/// Ask for a relayed address.
pub const ALLOCATE: u16 = 0x003;
/// Keep a relayed address, or give it back.
pub const REFRESH: u16 = 0x004;

/// USERNAME.
pub const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
/// ERROR-CODE.
pub const ERROR_CODE: u16 = 0x0009;
/// LIFETIME.
pub const LIFETIME: u16 = 0x000D;
/// REALM.
pub const REALM: u16 = 0x0014;
/// NONCE.
pub const NONCE: u16 = 0x0015;
/// XOR-RELAYED-ADDRESS.
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
/// REQUESTED-TRANSPORT.
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
/// XOR-MAPPED-ADDRESS.
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// What tells an answer from others.
pub type TransactionId = [u8; 12];

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A question.
    Request,
    /// Neither question nor answer.
    Indication,
    /// A good answer.
    Success,
    /// A refusal.
    Error,
}

/// The key of a long-term credential (RFC 8489, section 9.2.2).
#[must_use]
pub fn long_term_key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

/// Writes a request.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A request without attributes.
    #[must_use]
    pub fn request(method: u16, id: &TransactionId) -> Self {
        let mut bytes = Vec::with_capacity(256);
        // The class bits of a request are zero; the methods used here fit below them.
        bytes.extend(method.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(id);
        Self { bytes }
    }

    /// Adds an attribute; one that is too long for its length field is cut.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let value = &value[..value.len().min(MAX_MESSAGE)];
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend((value.len() as u16).to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Ends the message with MESSAGE-INTEGRITY.
    #[must_use]
    pub fn signed(mut self, key: &[u8]) -> Vec<u8> {
        // The length covers the attribute that is about to be added (RFC 8489, section 14.5).
        self.set_length(INTEGRITY_BYTES + 4);
        let mac = integrity(key, &self.bytes);
        self.attribute(MESSAGE_INTEGRITY, &mac).finished()
    }

    /// Ends the message.
    #[must_use]
    pub fn finished(mut self) -> Vec<u8> {
        self.set_length(0);
        self.bytes
    }

    fn set_length(&mut self, more: usize) {
        let length = (self.bytes.len() - HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

fn integrity(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // A key of any length is accepted.
    Hmac::<Sha1>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(bytes);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Its method.
    pub method: u16,
    /// Its class.
    pub class: Class,
    /// Whose answer it is.
    pub id: TransactionId,
}

/// The length of the message that begins with these bytes; `None` when it is no STUN message.
#[must_use]
pub fn length(header: &[u8]) -> Option<usize> {
    let header = header.get(..HEADER)?;
    let body = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let is_stun = header[0] & 0xC0 == 0 && body.is_multiple_of(4) && header[4..8] == COOKIE.to_be_bytes();
    Some(HEADER + body).filter(|length| is_stun && *length <= MAX_MESSAGE)
}

impl<'a> Message<'a> {
    /// Reads a message; `None` when the bytes are none, or more than one.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if length(bytes)? != bytes.len() {
            return None;
        }
        let kind = u16::from_be_bytes([bytes[0], bytes[1]]);
        let class = match (kind >> 7 & 2) | (kind >> 4 & 1) {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let method = kind & 0x000F | kind >> 1 & 0x0070 | kind >> 2 & 0x0F80;
        let id = bytes[8..HEADER].try_into().ok()?;
        let message = Self { bytes, method, class, id };
        // Attributes must fill the message.
        let end = message
            .attributes()
            .last()
            .map_or(HEADER, |(at, _, value)| (at + 4 + value.len()).next_multiple_of(4));
        (end == bytes.len()).then_some(message)
    }

    /// Place, kind and value of each attribute.
    fn attributes(&self) -> impl Iterator<Item = (usize, u16, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        let mut at = HEADER;
        std::iter::from_fn(move || {
            let head = bytes.get(at..at + 4)?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = bytes.get(at + 4..at + 4 + length)?;
            let found = (at, u16::from_be_bytes([head[0], head[1]]), value);
            at = (at + 4 + length).next_multiple_of(4);
            Some(found)
        })
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(_, known, _)| *known == kind).map(|(_, _, value)| value)
    }

    /// An attribute that is text.
    #[must_use]
    pub fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(kind)?).ok()
    }

    /// The code and the words of a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<(u16, String)> {
        let value = self.attribute(ERROR_CODE)?;
        let [_, _, class, number, words @ ..] = value else { return None };
        let words = String::from_utf8_lossy(words);
        let words = words.chars().filter(|c| !c.is_control()).take(120).collect();
        Some((u16::from(class & 7) * 100 + u16::from(*number), words))
    }

    /// An XORed address.
    #[must_use]
    pub fn address(&self, kind: u16) -> Option<SocketAddr> {
        let value = self.attribute(kind)?;
        let [_, family, high, low, address @ ..] = value else { return None };
        let port = u16::from_be_bytes([*high, *low]) ^ (COOKIE >> 16) as u16;
        let mut mask = COOKIE.to_be_bytes().to_vec();
        mask.extend(self.id);
        let plain: Vec<u8> = address.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        let ip: IpAddr = match family {
            1 => Ipv4Addr::from(<[u8; 4]>::try_from(plain).ok()?).into(),
            2 => Ipv6Addr::from(<[u8; 16]>::try_from(plain).ok()?).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// True when MESSAGE-INTEGRITY is that of `key`.
    #[must_use]
    pub fn is_signed(&self, key: &[u8]) -> bool {
        let Some((at, _, value)) = self.attributes().find(|(_, kind, _)| *kind == MESSAGE_INTEGRITY) else {
            return false;
        };
        let mut signed = self.bytes[..at].to_vec();
        let length = (at - HEADER + INTEGRITY_BYTES + 4) as u16;
        signed[2..4].copy_from_slice(&length.to_be_bytes());
        Hmac::<Sha1>::new_from_slice(key).is_ok_and(|mut mac| {
            mac.update(&signed);
            mac.verify_slice(value).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, section 2.2: a response with an IPv4 address, signed with a short-term credential.
    const RESPONSE: &[u8] = &[
        0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
        0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f,
        0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00,
        0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53,
        0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
    ];

    #[test]
    fn the_vector_of_rfc_5769_is_read() {
        let message = Message::parse(RESPONSE).expect("a message");
        assert_eq!((message.method, message.class), (BINDING, Class::Success));
        assert_eq!(message.address(XOR_MAPPED_ADDRESS), Some("192.0.2.1:32853".parse().expect("an address")));
        assert!(message.is_signed(b"VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!message.is_signed(b"another"));
        assert_eq!(message.text(0x8022), Some("test vector"));
    }

    #[test]
    fn what_is_written_is_read_and_signed_with_the_long_term_key() {
        // RFC 8489, section 9.2.2: the key of user, realm and pass.
        let key = long_term_key("user", "realm", "pass");
        assert_eq!(
            key,
            [0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb]
        );
        let bytes = Writer::request(ALLOCATE, &[7; 12]).attribute(USERNAME, b"user!").signed(&key);
        let message = Message::parse(&bytes).expect("a message");
        assert_eq!((message.method, message.class, message.id), (ALLOCATE, Class::Request, [7; 12]));
        assert_eq!(message.text(USERNAME), Some("user!"));
        assert!(message.is_signed(&key) && !message.is_signed(&[0; 16]));
        let bytes = Writer::request(REFRESH, &[1; 12])
            .attribute(ERROR_CODE, &[0, 0, 4, 38, b'o', b'\n', b'k'])
            .finished();
        assert_eq!(Message::parse(&bytes).and_then(|message| message.refusal()), Some((438, "ok".into())));
    }

    #[test]
    fn no_cut_or_changed_message_does_harm() {
        for end in 0..RESPONSE.len() {
            assert!(Message::parse(&RESPONSE[..end]).is_none(), "{end}");
        }
        for at in 0..RESPONSE.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = RESPONSE.to_vec();
                bytes[at] = value;
                let Some(message) = Message::parse(&bytes) else { continue };
                let _ = (message.address(XOR_MAPPED_ADDRESS), message.refusal(), message.is_signed(b"k"));
            }
        }
        assert_eq!(length(&[0xff; HEADER]), None);
    }
}
