//! Engine.IO packets, protocol 4, and the payloads of several in which polling carries them.

/// Longest packet in bytes: a session description of 1 MiB and what stands around it.
pub const MAX_PACKET: usize = 1024 * 1024 + 1024;

/// What separates the packets of a payload.
pub(crate) const SEPARATOR: char = '\x1e';

pub(crate) const CLOSE: &str = "1";
pub(crate) const PING: &str = "2";
pub(crate) const PROBE: &str = "2probe";
pub(crate) const PROBED: &str = "3probe";
pub(crate) const UPGRADE: &str = "5";
pub(crate) const NOOP: &str = "6";

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnginePacket<'a> {
    /// The server's greeting, JSON.
    Open(&'a str),
    Close,
    Ping,
    Pong,
    /// A packet of Socket.IO.
    Message(&'a str),
    Upgrade,
    Noop,
    /// Bytes, as polling carries them. They are never looked at.
    Binary,
}

impl<'a> EnginePacket<'a> {
    /// Reads one; `None` when it is none of protocol 4.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let rest = text.get(1..)?;
        Some(match text.as_bytes().first()? {
            b'0' => Self::Open(rest),
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message(rest),
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            b'b' => Self::Binary,
            _ => return None,
        })
    }
}

/// The packets of a payload.
pub(crate) fn packets(payload: &str) -> impl Iterator<Item = &str> {
    payload.split(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_by_their_first_character() {
        assert_eq!(EnginePacket::read("4hello"), Some(EnginePacket::Message("hello")));
        assert_eq!(EnginePacket::read("3"), Some(EnginePacket::Pong));
        assert_eq!(EnginePacket::read("2probe"), Some(EnginePacket::Ping));
        assert_eq!(EnginePacket::read("bAQID"), Some(EnginePacket::Binary));
        for wrong in ["", "7", "x", "é4", "\u{1e}"] {
            assert_eq!(EnginePacket::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_payload_is_split_at_its_separators() {
        assert_eq!(packets("4a\x1e4€\x1e2").collect::<Vec<_>>(), ["4a", "4€", "2"]);
        assert_eq!(packets("4a").collect::<Vec<_>>(), ["4a"]);
    }
}
