//! The Streaming Node's part, sans-IO: between the host's own signaling, as pages speak it, and signals through a relay.
//!
//! Towards the host the peer behind the relay is a page: it says hello, asks for the stream and gets an offer. That and
//! the candidates go to the relay as signals; the peer's answer and candidates come back. A relay keeps nothing, so a peer
//! that comes later would not know of the offer: it is repeated until it is answered, or at once when the peer sends
//! an offer of its own, which asks for ours (this host always offers).

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::signal::{Signal, SignalData};

/// Pause between two offers that nobody answered: at first, and at most.
const REPEATS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Least time between two offers that a peer asks for.
const LEAST: Duration = Duration::from_secs(1);
/// Candidates of one offer that are kept to be repeated.
const MAX_KEPT: usize = 200;
/// Longest text that is handed to the host, in bytes; the host takes no more.
const MAX_HANDED: usize = 64 * 1024;
/// Pauses before the host is asked again after it ended a session: at first, and at most.
const ANEW: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin a session with the host.
    Open,
    /// Say this line to the host.
    Say(String),
    /// End the session with the host.
    Close,
    /// Send this message, JSON, as `signal` through the relay.
    Signal(String),
}

/// What the peer behind the relay may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeRole {
    /// Look on.
    #[default]
    Viewer,
    /// Control the desktop.
    Controller,
}

/// A session with the host.
#[derive(Debug, Default)]
struct Session {
    /// What stands before the JSON of lines to the host; known once the host lets us in.
    server: Option<String>,
    /// The messages of the newest offer: itself, then its candidates.
    offer: Vec<String>,
    answered: bool,
    /// The host was asked for a new offer, which did not come yet.
    restarting: bool,
    repeats: u32,
    /// When the offer was sent last.
    sent: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Node {
    role: NodeRole,
    session: Option<Session>,
    /// Signals reach the relay.
    is_connected: bool,
    due: Option<Instant>,
    /// Sessions in a row that ended before they were answered.
    failures: u32,
}

// The host's messages: {"sdp": {"type", "sdp"}} and {"ice": {"candidate", "sdpMLineIndex", "sdpMid"}}.
#[derive(Deserialize)]
struct HostMessage<'a> {
    #[serde(borrow)]
    sdp: Option<&'a RawValue>,
    #[serde(borrow)]
    ice: Option<&'a RawValue>,
}

impl Node {
    pub(crate) fn new(role: NodeRole) -> Self {
        Self { role, session: None, is_connected: false, due: None, failures: 0 }
    }

    /// When [`Node::tick`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The relay let us in.
    pub(crate) fn connected(&mut self, now: Instant) -> Vec<Step> {
        self.is_connected = true;
        match &self.session {
            None => self.begin(),
            // A connection that was made does not need the relay.
            Some(session) if session.answered => Vec::new(),
            Some(_) => self.repeat(now),
        }
    }

    /// The relay is gone.
    pub(crate) fn disconnected(&mut self) {
        self.is_connected = false;
        // What is due is sent when the relay is back.
        self.due = None;
    }

    /// The host said a line.
    pub(crate) fn line(&mut self, line: &str, now: Instant) -> Vec<Step> {
        let Some(session) = &mut self.session else { return Vec::new() };
        if line == "HELLO" {
            return vec![Step::Say("SESSION server".into())];
        }
        if let Some(server) = line.strip_prefix("SESSION_OK") {
            session.server = Some(server.trim().to_owned());
            return Vec::new();
        }
        let json = line.find('{').map_or("", |at| &line[at..]);
        let Ok(message) = serde_json::from_str::<HostMessage<'_>>(json) else { return Vec::new() };
        if let Some(description) = message.sdp {
            session.offer = vec![format!("{{\"type\":\"offer\",\"data\":{description}}}")];
            session.answered = false;
            session.restarting = false;
            session.repeats = 0;
            return self.repeat(now);
        }
        let Some(candidate) = message.ice.filter(|candidate| candidate.get() != "null") else {
            return Vec::new();
        };
        let signal = format!("{{\"type\":\"ice-candidate\",\"data\":{candidate}}}");
        if session.offer.len() <= MAX_KEPT {
            session.offer.push(signal.clone());
        }
        if self.is_connected { vec![Step::Signal(signal)] } else { Vec::new() }
    }

    /// The host ended the session: the connection failed, or the host does not want it.
    pub(crate) fn ended(&mut self, now: Instant) -> Vec<Step> {
        let Some(session) = self.session.take() else { return Vec::new() };
        if session.answered {
            self.failures = 0;
        }
        self.due = Some(now + doubled(ANEW, self.failures));
        self.failures = self.failures.saturating_add(1);
        vec![Step::Close]
    }

    /// A signal came through the relay.
    pub(crate) fn signal(&mut self, signal: &Signal<'_>, now: Instant) -> Vec<Step> {
        let Some(session) = &mut self.session else {
            return if self.due.is_none() { self.begin() } else { Vec::new() };
        };
        let handed = match &signal.data {
            SignalData::Offer(_) => return self.asked(now),
            // Another one's answer would change a connection that is made.
            SignalData::Answer(Some(sdp)) if !session.answered && !session.offer.is_empty() => {
                session.answered = true;
                self.due = None;
                json!({ "sdp": { "type": "answer", "sdp": sdp } })
            }
            SignalData::Candidate { candidate: Some(candidate), mid, line } if !candidate.is_empty() => {
                // With BUNDLE all sections are one.
                let mut ice = json!({ "candidate": candidate, "sdpMLineIndex": line.unwrap_or(0) });
                if let Some(mid) = mid {
                    ice["sdpMid"] = json!(mid);
                }
                json!({ "ice": ice })
            }
            SignalData::Answer(_) | SignalData::Candidate { .. } => return Vec::new(),
        };
        let handed = handed.to_string();
        if handed.len() > MAX_HANDED { Vec::new() } else { self.say(&handed).into_iter().collect() }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Step> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        if self.session.is_some() { self.repeat(now) } else { self.begin() }
    }

    /// The peer asks for an offer.
    fn asked(&mut self, now: Instant) -> Vec<Step> {
        match &mut self.session {
            // It lost the connection that it had, or is another one: the host makes a new one and offers it.
            Some(session) if session.answered => {
                session.answered = false;
                session.restarting = true;
                session.offer.clear();
                self.repeat(now)
            }
            // It is on its way.
            Some(session) if session.restarting => Vec::new(),
            Some(session) => {
                session.repeats = 0;
                match session.sent.map(|sent| sent + LEAST).filter(|next| now < *next) {
                    // A peer that came just after the offer would wait for the next one, which may be a minute away.
                    Some(next) => {
                        self.due = Some(self.due.map_or(next, |due| due.min(next)));
                        Vec::new()
                    }
                    None => self.repeat(now),
                }
            }
            None => Vec::new(),
        }
    }

    fn begin(&mut self) -> Vec<Step> {
        self.session = Some(Session::default());
        let role = match self.role {
            NodeRole::Viewer => "viewer",
            NodeRole::Controller => "controller",
        };
        let said = json!({
            "client_type": role,
            "client_slot": -1,
            "client_strict_viewer": self.role == NodeRole::Viewer,
            "client_tab_id": "socketio",
            "display_id": "primary",
        });
        vec![Step::Open, Step::Say(format!("HELLO client {said}"))]
    }

    /// Sends the newest offer and says when next, if it is not answered; asks the host for one where that is what is waited for.
    fn repeat(&mut self, now: Instant) -> Vec<Step> {
        if self.session.as_ref().is_some_and(|session| session.restarting) {
            self.due = Some(now + REPEATS.0);
            return self.say("{\"restart\":true}").into_iter().collect();
        }
        let Some(session) = self.session.as_mut().filter(|session| !session.offer.is_empty()) else {
            return Vec::new();
        };
        if !self.is_connected {
            return Vec::new();
        }
        self.due = Some(now + doubled(REPEATS, session.repeats));
        session.repeats = session.repeats.saturating_add(1);
        session.sent = Some(now);
        session.offer.iter().cloned().map(Step::Signal).collect()
    }

    fn say(&self, json: &str) -> Option<Step> {
        let server = self.session.as_ref()?.server.as_deref()?;
        Some(Step::Say(if server.is_empty() { json.to_owned() } else { format!("{server} {json}") }))
    }
}

/// A pause that doubles with each time, from the first to the longest.
fn doubled((first, longest): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

#[cfg(test)]
mod tests;
