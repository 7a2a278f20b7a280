//! Signaling in virtual time, and what its steps say.

#![allow(dead_code)] // each test binary uses a part

use std::time::{Duration, Instant};

use selkies_session::signaling::{Signaling, SocketId, Step};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "abcdefghij0123456789";
pub(crate) const ANSWER: &str = r#"{"sdp":{"type":"answer","sdp":"v=0\r\n"}}"#;

pub(crate) struct Board {
    pub(crate) signaling: Signaling,
    pub(crate) now: Instant,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { signaling: Signaling::new("here"), now: Instant::now() }
    }

    pub(crate) fn open(&mut self, socket: u64) -> Vec<Step> {
        self.signaling.open(self.now, SocketId(socket), None)
    }

    pub(crate) fn say(&mut self, socket: u64, text: &str) -> Vec<Step> {
        self.signaling.text(self.now, SocketId(socket), text)
    }

    pub(crate) fn closed(&mut self, socket: u64, cut: bool) -> Vec<Step> {
        self.signaling.closed(self.now, SocketId(socket), cut)
    }

    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Step> {
        self.now += time;
        self.signaling.tick(self.now)
    }

    /// A page of 2.1.0 up to its session.
    pub(crate) fn join(&mut self, socket: u64, more: &Value) {
        self.open(socket);
        self.say(socket, &hello(more));
        let steps = self.say(socket, "SESSION server");
        assert!(matches!(&steps[..], [Step::Send { .. }, Step::Join { .. }]), "{steps:?}");
    }
}

pub(crate) fn hello(more: &Value) -> String {
    let mut metadata = json!({ "client_type": "controller", "client_slot": -1, "display_id": "primary" });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    format!("HELLO client {metadata}")
}

pub(crate) fn send(socket: u64, text: &str) -> Step {
    Step::Send { socket: SocketId(socket), text: text.to_owned() }
}

pub(crate) fn closes(steps: &[Step]) -> Vec<(u64, u16)> {
    let close = |step: &Step| match step {
        Step::Close { socket, code, .. } => Some((socket.0, *code)),
        _ => None,
    };
    steps.iter().filter_map(close).collect()
}

pub(crate) fn leaves(steps: &[Step]) -> Vec<u64> {
    let leave = |step: &Step| match step {
        Step::Leave { client, .. } => Some(client.0),
        _ => None,
    };
    steps.iter().filter_map(leave).collect()
}

pub(crate) fn signals(steps: &[Step]) -> Vec<Value> {
    let json = |step: &Step| match step {
        Step::Signal { json, .. } => Some(serde_json::from_str(json).expect("JSON")),
        _ => None,
    };
    steps.iter().filter_map(json).collect()
}
