//! Socket.IO packets, protocol 5: `TYPE[ATTACHMENTS-][NAMESPACE,][ID][JSON]`.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The namespace of all packets that name none.
pub(crate) const MAIN: &str = "/";

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketKind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    /// An event or acknowledgement with bytes beside it.
    Binary,
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketPacket<'a> {
    pub(crate) kind: PacketKind,
    /// Begins with `/`.
    pub(crate) namespace: &'a str,
    /// The sender wants an acknowledgement with this number.
    pub(crate) id: Option<u32>,
    /// JSON, or nothing; not looked at yet.
    pub(crate) data: &'a str,
}

impl<'a> SocketPacket<'a> {
    /// Reads one; `None` when it is none of protocol 5.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut rest = text.get(1..)?;
        let kind = match text.as_bytes().first()? {
            b'0' => PacketKind::Connect,
            b'1' => PacketKind::Disconnect,
            b'2' => PacketKind::Event,
            b'3' => PacketKind::Ack,
            b'4' => PacketKind::ConnectError,
            b'5' | b'6' => PacketKind::Binary,
            _ => return None,
        };
        if kind == PacketKind::Binary {
            let (count, behind) = digits(rest);
            rest = behind.strip_prefix('-').filter(|_| !count.is_empty())?;
        }
        let mut namespace = MAIN;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let (id, data) = digits(rest);
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        Some(Self { kind, namespace, id, data })
    }
}

/// The digits at the beginning, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The data of an event: a name and its first argument. Further ones are read over.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) argument: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    /// Reads the JSON of an event; `None` when it is no array that begins with a name.
    pub(crate) fn read(data: &'a str) -> Option<Self> {
        serde_json::from_str(data).ok()
    }
}

/// A text that is borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Event<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array that begins with the event's name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Event<'de>, A::Error> {
                let Some(Text(name)) = elements.next_element()? else {
                    return Err(serde::de::Error::invalid_length(0, &self));
                };
                let argument = elements.next_element()?;
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Event { name, argument })
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (PacketKind, &str, Option<u32>, &str) {
        let packet = SocketPacket::read(text).expect("a packet");
        (packet.kind, packet.namespace, packet.id, packet.data)
    }

    #[test]
    fn the_protocols_own_examples() {
        assert_eq!(read("0"), (PacketKind::Connect, "/", None, ""));
        assert_eq!(read("0/admin,{\"a\":1}"), (PacketKind::Connect, "/admin", None, "{\"a\":1}"));
        assert_eq!(read("1/admin,"), (PacketKind::Disconnect, "/admin", None, ""));
        assert_eq!(read("0/admin"), (PacketKind::Connect, "/admin", None, ""));
        assert_eq!(read("2[\"hello\",1]"), (PacketKind::Event, "/", None, "[\"hello\",1]"));
        assert_eq!(read("2/admin,456[\"a\"]"), (PacketKind::Event, "/admin", Some(456), "[\"a\"]"));
        assert_eq!(read("456[]"), (PacketKind::ConnectError, "/", Some(56), "[]"));
        assert_eq!(read("51-[\"b\",{}]"), (PacketKind::Binary, "/", None, "[\"b\",{}]"));
        for wrong in ["", "7", "5[\"x\"]", "51[\"x\"]", "299999999999[]", "é"] {
            assert_eq!(SocketPacket::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn events_have_a_name_and_may_have_arguments() {
        let event = Event::read(r#"["signal", {"a": [1, "]"]}, 5]"#).expect("an event");
        assert_eq!(
            (event.name.as_ref(), event.argument.map(RawValue::get)),
            ("signal", Some(r#"{"a": [1, "]"]}"#))
        );
        let event = Event::read(r#"["s\u0069gnal"]"#).expect("an event");
        assert_eq!((event.name.as_ref(), event.argument.map(RawValue::get)), ("signal", None));
        for wrong in
            ["", "{}", "[]", "[1]", "[\"a\"", "[\"a\",", "[\"a\"]]", "\"a\"", "[\"a\",{\"b\":\"\u{1e}\"}]"]
        {
            assert!(Event::read(wrong).is_none(), "{wrong:?}");
        }
    }
}
