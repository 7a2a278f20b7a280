//! One client's side of the Socket.IO protocol. Sans-IO: packets and the time go in, acts come out.

use std::{ops::Range, time::Instant};

use serde::Deserialize;
use serde_json::json;

use crate::{
    allowance::Allowance,
    engine::EnginePacket,
    packet::{Event, MAIN, PacketKind, SocketPacket},
    signal::{Rejection, Signal, shown},
    token::Token,
};

/// The event that carries signals.
pub(crate) const SIGNAL: &str = "signal";

/// What is to be done because of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send this Engine.IO packet to the client.
    Send(String),
    /// The client asks to be let in, and may be.
    Join,
    /// Pass a message on.
    Forward {
        /// Its type.
        kind: &'static str,
        /// Where it lies in the packet.
        message: Range<usize>,
    },
    /// Tell whoever reads the log that something was not passed on.
    Refused(Rejection),
    /// End the session. What was sent before still goes out.
    End(&'static str),
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has not asked to be let in.
    Waiting,
    /// It asked, and may join.
    Joined,
    /// It asked with a wrong token; it may only leave.
    Refused,
}

/// One client as the protocol sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    stage: Stage,
    /// It brought the token when it came, in a header.
    admitted: bool,
    allowance: Allowance,
}

/// What a client sends when it joins (option `auth` of the client libraries).
#[derive(Default, Deserialize)]
struct Auth {
    #[serde(default)]
    token: Option<String>,
}

impl Peer {
    pub(crate) fn new(admitted: bool, now: Instant) -> Self {
        Self { stage: Stage::Waiting, admitted, allowance: Allowance::new(now) }
    }

    pub(crate) fn has_joined(&self) -> bool {
        self.stage == Stage::Joined
    }

    /// It was let in, or there is no room for it.
    pub(crate) fn set_joined(&mut self, joined: bool) {
        self.stage = if joined { Stage::Joined } else { Stage::Refused };
    }

    /// Takes one Engine.IO packet from a client that was admitted or knows the token, if one is wanted.
    pub(crate) fn hear(&mut self, packet: &str, token: Option<&Token>, now: Instant) -> Vec<Act> {
        if !self.allowance.take(packet.len(), now) {
            return vec![refusal("SO012", "too many messages; send fewer"), Act::End("it sent too much")];
        }
        match EnginePacket::read(packet) {
            Some(EnginePacket::Message(text)) => self.message(text, packet.len() - text.len(), token),
            Some(EnginePacket::Binary) => self.bytes(),
            // The answer to a ping; that it came is enough.
            Some(EnginePacket::Pong) => Vec::new(),
            Some(EnginePacket::Close) => vec![Act::End("it left")],
            Some(EnginePacket::Open(_) | EnginePacket::Ping | EnginePacket::Upgrade | EnginePacket::Noop)
            | None => {
                vec![Act::End("it sent what is no packet of Engine.IO 4")]
            }
        }
    }

    /// Takes bytes, which belong to events that were refused.
    pub(crate) fn hear_bytes(&mut self, length: usize, now: Instant) -> Vec<Act> {
        if self.allowance.take(length, now) { self.bytes() } else { vec![Act::End("it sent too much")] }
    }

    fn bytes(&self) -> Vec<Act> {
        if self.stage == Stage::Joined {
            Vec::new()
        } else {
            vec![Act::End("it sent bytes before it joined")]
        }
    }

    fn message(&mut self, text: &str, skipped: usize, token: Option<&Token>) -> Vec<Act> {
        let Some(packet) = SocketPacket::read(text) else {
            return vec![Act::End("it sent what is no packet of Socket.IO 5")];
        };
        if packet.namespace != MAIN {
            return elsewhere(&packet);
        }
        match (packet.kind, self.stage) {
            (PacketKind::Connect, Stage::Waiting) => self.connect(packet.data, token),
            (PacketKind::Disconnect, _) => vec![Act::End("it left")],
            (PacketKind::Event, Stage::Joined) => event(&packet, skipped + text.len() - packet.data.len()),
            (PacketKind::Binary, Stage::Joined) => rejection(&packet, Rejection::Binary),
            // Nothing asks for acknowledgements.
            (PacketKind::Ack, Stage::Joined) => Vec::new(),
            (_, Stage::Joined) => vec![Act::End("it joined twice")],
            (_, Stage::Waiting) => vec![Act::End("it spoke before it joined")],
            (_, Stage::Refused) => vec![Act::End("it spoke though it was not let in")],
        }
    }

    fn connect(&mut self, data: &str, token: Option<&Token>) -> Vec<Act> {
        let admitted = self.admitted
            || token.is_none_or(|token| sent_token(data).is_some_and(|sent| token.admits(&sent)));
        if admitted {
            return vec![Act::Join];
        }
        self.stage = Stage::Refused;
        vec![connect_error(
            "SO010",
            "this relay wants its token: { auth: { token } }, or Authorization: Bearer",
        )]
    }
}

fn sent_token(data: &str) -> Option<String> {
    if data.is_empty() {
        return None;
    }
    serde_json::from_str::<Auth>(data).ok()?.token
}

/// There is one namespace; the reference server answers others the same way.
fn elsewhere(packet: &SocketPacket<'_>) -> Vec<Act> {
    match packet.kind {
        PacketKind::Connect => {
            // What a namespace may not contain would be read as something else by the client.
            let named = packet.namespace.split('?').next().unwrap_or_default();
            let plain = named.len() <= 256 && named.bytes().all(|byte| byte.is_ascii_graphic());
            let named = if plain { named } else { "/" };
            vec![Act::Send(format!("44{named},{}", json!({ "message": "Invalid namespace" })))]
        }
        PacketKind::Disconnect => Vec::new(),
        _ => vec![Act::End("it spoke in a namespace that it is not in")],
    }
}

fn event(packet: &SocketPacket<'_>, skipped: usize) -> Vec<Act> {
    let Some(event) = Event::read(packet.data) else {
        return vec![Act::End("it sent an event that is none")];
    };
    if event.name != SIGNAL {
        return rejection(packet, Rejection::Event { found: shown(&event.name) });
    }
    let Some(argument) = event.argument else {
        return rejection(packet, Rejection::Shape { what: "the event has no message" });
    };
    match Signal::read(argument) {
        Err(rejected) => rejection(packet, rejected),
        Ok(signal) => {
            // The argument is a part of the packet's own text.
            let from = skipped + (signal.raw.as_ptr() as usize - packet.data.as_ptr() as usize);
            let mut acts = vec![Act::Forward { kind: signal.kind(), message: from..from + signal.raw.len() }];
            acts.extend(packet.id.map(|id| Act::Send(format!("43{id}[]"))));
            acts
        }
    }
}

fn rejection(packet: &SocketPacket<'_>, rejected: Rejection) -> Vec<Act> {
    let told = json!({ "code": rejected.code(), "message": rejected.to_string() });
    let mut acts = vec![Act::Send(format!("42{}", json!(["error", told])))];
    acts.extend(packet.id.map(|id| Act::Send(format!("43{id}{}", json!([told])))));
    acts.push(Act::Refused(rejected));
    acts
}

fn refusal(code: &str, message: &str) -> Act {
    Act::Send(format!("42{}", json!(["error", { "code": code, "message": message }])))
}

/// The answer to who is not let in. Client libraries give it to the program as an error.
pub(crate) fn connect_error(code: &str, message: &str) -> Act {
    Act::Send(format!("44{}", json!({ "message": format!("{code} {message}"), "data": { "code": code } })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined() -> Peer {
        let mut peer = Peer::new(false, Instant::now());
        assert_eq!(hear(&mut peer, "40"), [Act::Join]);
        peer.set_joined(true);
        peer
    }

    fn hear(peer: &mut Peer, packet: &str) -> Vec<Act> {
        peer.hear(packet, None, Instant::now())
    }

    fn error(acts: &[Act]) -> &str {
        match acts {
            [Act::Send(text), Act::Refused(_), ..] if text.starts_with(r#"42["error",{"code":"SO"#) => {
                &text[r#"42["error",{"code":""#.len()..][..5]
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn signals_are_passed_on_as_they_are() {
        let packet = r#"42["signal", {"type":"offer",  "data":{"sdp":"v=0"}}]"#;
        let acts = hear(&mut joined(), packet);
        let [Act::Forward { kind: "offer", message }] = acts.as_slice() else { panic!("{acts:?}") };
        assert_eq!(&packet[message.clone()], r#"{"type":"offer",  "data":{"sdp":"v=0"}}"#);
        // A client that asks for an acknowledgement gets it.
        let packet = r#"4217["signal",{"type":"answer","data":{}}]"#;
        let acts = hear(&mut joined(), packet);
        let [Act::Forward { kind: "answer", message }, Act::Send(ack)] = acts.as_slice() else {
            panic!("{acts:?}")
        };
        assert_eq!((&packet[message.clone()], ack.as_str()), (r#"{"type":"answer","data":{}}"#, "4317[]"));
    }

    #[test]
    fn what_is_no_signal_is_answered_with_an_error() {
        let mut peer = joined();
        assert_eq!(error(&hear(&mut peer, r#"42["signal",{"type":"bye","data":{}}]"#)), "SO001");
        assert_eq!(error(&hear(&mut peer, r#"42["signal"]"#)), "SO002");
        assert_eq!(error(&hear(&mut peer, r#"42["signal",{"type":"offer","data":{"sdp":7}}]"#)), "SO003");
        assert_eq!(error(&hear(&mut peer, r#"42["message",{}]"#)), "SO005");
        assert_eq!(error(&hear(&mut peer, r#"451-["signal",{"_placeholder":true,"num":0}]"#)), "SO006");
        assert_eq!(hear(&mut peer, "bAAAA"), [], "the bytes of the refused event");
        let acts = hear(&mut peer, r#"425["signal",7]"#);
        assert!(matches!(&acts[1], Act::Send(ack) if ack.starts_with(r#"435[{"code":"SO002""#)), "{acts:?}");
    }

    #[test]
    fn a_token_is_wanted_where_there_is_one() {
        let token = Token::new("secret");
        let judged = |admitted, packet: &str| {
            Peer::new(admitted, Instant::now()).hear(packet, Some(&token), Instant::now())
        };
        assert_eq!(judged(false, r#"40{"token":"secret"}"#), [Act::Join]);
        assert_eq!(judged(true, "40"), [Act::Join]);
        for wrong in [
            "40",
            r#"40{"token":"Secret"}"#,
            r#"40{"token":["secret"]}"#,
            "40{}",
            "40null",
            "40[",
            "40[\"x\"]",
        ] {
            let acts = judged(false, wrong);
            assert!(matches!(&acts[..], [Act::Send(text)] if text.contains("SO010")), "{wrong}: {acts:?}");
        }
        // One try for each session.
        let mut peer = Peer::new(false, Instant::now());
        peer.hear("40", Some(&token), Instant::now());
        let again = peer.hear(r#"40{"token":"secret"}"#, Some(&token), Instant::now());
        assert!(matches!(again[..], [Act::End(_)]), "{again:?}");
    }

    #[test]
    fn there_is_one_namespace() {
        let mut peer = joined();
        assert_eq!(
            hear(&mut peer, "40/admin,"),
            [Act::Send(r#"44/admin,{"message":"Invalid namespace"}"#.into())]
        );
        assert_eq!(
            hear(&mut peer, "40/admin?x=1,{}"),
            [Act::Send(r#"44/admin,{"message":"Invalid namespace"}"#.into())]
        );
        assert_eq!(hear(&mut peer, "41/admin,"), []);
        assert!(matches!(hear(&mut peer, r#"42/admin,["signal",{}]"#)[..], [Act::End(_)]));
    }

    #[test]
    fn who_does_not_keep_to_the_protocol_is_sent_away() {
        for packets in [
            &["42[\"signal\",{}]"][..],
            &["x"],
            &[""],
            &["2"],
            &["6"],
            &["49"],
            &["bAAAA"],
            &["40", "40"],
            &["40", "42{"],
            &["41"],
            &["1"],
        ] {
            let mut peer = Peer::new(false, Instant::now());
            let mut acts = Vec::new();
            for packet in packets {
                acts = hear(&mut peer, packet);
                if acts == [Act::Join] {
                    peer.set_joined(true);
                }
            }
            assert!(matches!(acts[..], [Act::End(_)]), "{packets:?}: {acts:?}");
        }
    }

    #[test]
    fn a_flood_ends_the_session() {
        let mut peer = joined();
        let now = Instant::now();
        let flooded = (0..1000).find_map(|_| match peer.hear("3", None, now)[..] {
            [] => None,
            [Act::Send(_), Act::End(reason)] => Some(reason),
            ref other => panic!("{other:?}"),
        });
        assert_eq!(flooded, Some("it sent too much"));
    }

    proptest! {
        #[test]
        fn no_packet_is_a_panic(packet in "\\PC{0,40}", tail in "[\\[\\]{}\",:0-9a-z/\\-\\\\]{0,60}") {
            for packet in [packet.clone(), format!("4{packet}"), format!("42{tail}"), format!("42[\"signal\",{tail}]"), format!("40{tail}")] {
                for mut peer in [Peer::new(false, Instant::now()), joined()] {
                    for act in peer.hear(&packet, Some(&Token::new("x")), Instant::now()) {
                        if let Act::Forward { message, .. } = act {
                            prop_assert!(serde_json::from_str::<serde_json::Value>(&packet[message]).is_ok());
                        }
                    }
                }
            }
        }
    }
}
