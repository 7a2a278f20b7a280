//! Keeps the host offered to the peer behind a relay: connects, connects again, and carries out what [`Node`] says.

use std::time::Instant;

use serde_json::value::RawValue;
use tokio::{
    sync::mpsc,
    time::{Instant as TokioInstant, sleep_until},
};
use tracing::{debug, info, warn};

use crate::{
    backoff::Backoff,
    dial::{DialError, Dialed, Heard, dial},
    node::{Node, NodeRole, Step},
    signal::Signal,
    url::RelayUrl,
};

/// Which relay, and as what.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The relay.
    pub url: RelayUrl,
    /// What it wants to know; never logged.
    pub token: Option<String>,
    /// What the peer behind it may do.
    pub role: NodeRole,
}

/// A session of the host's own signaling: texts as a page sends and gets them on its signaling WebSocket. The host ends it by
/// dropping its sender; it is ended by being dropped.
#[derive(Debug)]
pub struct HostSession {
    /// To the host.
    pub say: mpsc::Sender<String>,
    /// From the host.
    pub hear: mpsc::Receiver<String>,
}

/// Runs until it is dropped. `open` begins a session with the host, as for a page that has just connected.
pub async fn run_node(options: NodeOptions, mut open: impl FnMut() -> HostSession + Send) {
    let NodeOptions { url, token, role } = options;
    if token.is_some() && url.is_readable() {
        warn!("the token for the signaling relay can be read on the way; name the relay by https");
    }
    let mut outpost = Outpost { node: Node::new(role), host: None };
    let mut backoff = Backoff::new();
    loop {
        let dialed = {
            let dialing = dial(&url, token.as_deref());
            tokio::pin!(dialing);
            loop {
                tokio::select! {
                    dialed = &mut dialing => break dialed,
                    line = outpost.line() => outpost.heard_apart(line, &mut open),
                }
            }
        };
        let began = dialed.is_ok().then(Instant::now);
        let error = match dialed {
            Ok(mut relay) => {
                info!(relay = %url.authority(), "offered to the peer behind the signaling relay");
                let error = outpost.serve(&mut relay, &mut open).await;
                outpost.node.disconnected();
                relay.close().await;
                error
            }
            Err(error) => error,
        };
        let now = Instant::now();
        let pause = backoff.next(began, now, chance());
        warn!(relay = %url.authority(), %error, pause_ms = pause.as_millis() as u64, "no signaling relay");
        let until = TokioInstant::from_std(now + pause);
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                line = outpost.line() => outpost.heard_apart(line, &mut open),
            }
        }
    }
}

struct Outpost {
    node: Node,
    host: Option<HostSession>,
}

impl Outpost {
    /// Serves a relay until it is lost; answers why.
    async fn serve(&mut self, relay: &mut Dialed, open: &mut impl FnMut() -> HostSession) -> DialError {
        let mut steps = self.node.connected(Instant::now());
        loop {
            for signal in self.carry_out(steps, open) {
                if let Err(error) = relay.signal(&signal).await {
                    return error;
                }
            }
            let due = self.node.due();
            steps = tokio::select! {
                heard = relay.hear() => match heard {
                    Ok(Heard::Signal(message)) => self.signal(&message),
                    Ok(Heard::Complaint(complaint)) => {
                        warn!(complaint, "the signaling relay complains");
                        Vec::new()
                    }
                    Err(error) => return error,
                },
                line = self.line() => self.heard(line),
                () = due_at(due) => self.node.tick(Instant::now()),
            };
        }
    }

    fn signal(&mut self, message: &str) -> Vec<Step> {
        let raw: Result<&RawValue, _> = serde_json::from_str(message);
        match raw.map(Signal::read) {
            Ok(Ok(signal)) => {
                debug!(kind = signal.kind(), bytes = message.len(), "a signal came");
                self.node.signal(&signal, Instant::now())
            }
            Ok(Err(rejection)) => {
                warn!(code = rejection.code(), "a signal is not taken: {rejection}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// The host's next line; `None` when it ended the session. Waits for ever without one.
    async fn line(&mut self) -> Option<String> {
        match &mut self.host {
            Some(host) => host.hear.recv().await,
            None => std::future::pending().await,
        }
    }

    fn heard(&mut self, line: Option<String>) -> Vec<Step> {
        match line {
            Some(line) => self.node.line(&line, Instant::now()),
            None => self.node.ended(Instant::now()),
        }
    }

    /// As [`Outpost::heard`], while there is no relay: what would go to it is kept by the node.
    fn heard_apart(&mut self, line: Option<String>, open: &mut impl FnMut() -> HostSession) {
        let steps = self.heard(line);
        let _ = self.carry_out(steps, open);
    }

    /// Does what concerns the host, and answers what is for the relay.
    fn carry_out(&mut self, steps: Vec<Step>, open: &mut impl FnMut() -> HostSession) -> Vec<String> {
        let mut signals = Vec::new();
        for step in steps {
            match step {
                Step::Open => self.host = Some(open()),
                Step::Close => self.host = None,
                Step::Signal(message) => signals.push(message),
                Step::Say(line) => {
                    let said = self.host.as_ref().is_some_and(|host| host.say.try_send(line).is_ok());
                    if !said {
                        debug!("the host does not take what the peer says");
                    }
                }
            }
        }
        signals
    }
}

async fn due_at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Spreads the tries of many nodes; that it is the same for all of them without random numbers does no harm.
fn chance() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}
