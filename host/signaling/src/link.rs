//! The way to one client: what is queued for it, and on which transport it goes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::{CLOSE, MAX_PACKET, NOOP, SEPARATOR};

/// Packets and bytes that may wait for one client; a client that lets more wait is closed.
const MAX_WAITING: (usize, usize) = (1024, 8 * 1024 * 1024);

/// Why a request or a WebSocket is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such session, or no longer.
    #[error("Session ID unknown")]
    Unknown,
    /// The request does not fit the session's transport, or another one of its kind is still open.
    #[error("Bad request")]
    Bad,
    /// More than [`MAX_PACKET`] bytes.
    #[error("SO007 more than 1 MiB; send smaller messages")]
    TooLarge,
    /// Too many sessions of this address wait to be let in.
    #[error("SO011 too many connections; close some, or raise the limit of clients")]
    Full,
    /// The system has no random numbers.
    #[error("SO013 no random numbers; look at the system's log")]
    NoIdentity,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// For the log.
    pub(crate) reason: String,
    /// For the WebSocket (RFC 6455 section 7.4.1).
    pub(crate) code: u16,
}

/// On which transport packets go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Polling,
    /// A WebSocket is open and not in use yet. `probed`: it works, and requests that wait are to end.
    Upgrading {
        probed: bool,
    },
    Socket,
}

#[derive(Debug)]
struct State {
    way: Way,
    queue: VecDeque<Utf8Bytes>,
    bytes: usize,
    /// A GET waits for packets.
    is_polled: bool,
    /// A POST is read.
    is_posted: bool,
    end: Option<End>,
}

/// See the module. All functions may be called from any task.
#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

/// A queue had no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// One request of a kind is open as long as this lives.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    link: &'a Link,
    is_poll: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        *(if self.is_poll { &mut state.is_polled } else { &mut state.is_posted }) = false;
    }
}

impl Link {
    pub(crate) fn new(is_socket: bool) -> Self {
        let way = if is_socket { Way::Socket } else { Way::Polling };
        let state =
            State { way, queue: VecDeque::new(), bytes: 0, is_polled: false, is_posted: false, end: None };
        Self { state: Mutex::new(state), changes: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a packet.
    ///
    /// # Errors
    /// [`Overflow`] when too much waits already.
    pub(crate) fn push(&self, packet: Utf8Bytes) -> Result<(), Overflow> {
        {
            let mut state = self.lock();
            if state.end.is_some() {
                return Ok(());
            }
            if state.queue.len() >= MAX_WAITING.0 || state.bytes + packet.len() > MAX_WAITING.1 {
                return Err(Overflow);
            }
            state.bytes += packet.len();
            state.queue.push_back(packet);
        }
        self.changes.send_replace(());
        Ok(())
    }

    /// Ends the session; the first reason stays. What is queued goes out unless `at_once`.
    pub(crate) fn end(&self, end: End, at_once: bool) {
        {
            let mut state = self.lock();
            state.end.get_or_insert(end);
            if at_once {
                state.queue.clear();
                state.bytes = 0;
            }
        }
        self.changes.send_replace(());
    }

    /// Completes when the session has ended.
    pub(crate) async fn ended(&self) -> End {
        self.wait(|state| state.end.clone()).await
    }

    /// Waits until `probe` answers something.
    async fn wait<T>(&self, mut probe: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(found) = probe(&mut self.lock()) {
                return found;
            }
            if changes.changed().await.is_err() {
                // The sender lives in `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next packets for the WebSocket; `None` when the session has ended and nothing is left.
    pub(crate) async fn batch(&self) -> Option<VecDeque<Utf8Bytes>> {
        self.wait(|state| {
            if state.queue.is_empty() {
                return state.end.is_some().then_some(None);
            }
            state.bytes = 0;
            Some(Some(std::mem::take(&mut state.queue)))
        })
        .await
    }

    /// Begins a GET.
    ///
    /// # Errors
    /// [`Refusal::Bad`] when another one waits, which ends a session (Engine.IO 4), or packets go elsewhere.
    pub(crate) fn begin_poll(&self) -> Result<Turn<'_>, Refusal> {
        let mut state = self.lock();
        if state.is_polled || state.way == Way::Socket {
            return Err(Refusal::Bad);
        }
        state.is_polled = true;
        Ok(Turn { link: self, is_poll: true })
    }

    /// Begins a POST.
    ///
    /// # Errors
    /// As [`Link::begin_poll`].
    pub(crate) fn begin_post(&self) -> Result<Turn<'_>, Refusal> {
        let mut state = self.lock();
        if state.is_posted || state.way == Way::Socket {
            return Err(Refusal::Bad);
        }
        state.is_posted = true;
        Ok(Turn { link: self, is_poll: false })
    }

    /// Waits for packets and answers them as one payload of about [`MAX_PACKET`] bytes.
    pub(crate) async fn payload(&self) -> String {
        self.wait(|state| {
            let Some(first) = state.queue.pop_front() else {
                let over = matches!(state.way, Way::Upgrading { probed: true } | Way::Socket);
                return match (&state.end, over) {
                    (Some(_), _) => Some(CLOSE.to_owned()),
                    (None, true) => Some(NOOP.to_owned()),
                    (None, false) => None,
                };
            };
            state.bytes -= first.len();
            let mut payload = first.as_str().to_owned();
            while let Some(next) = state.queue.front() {
                if payload.len() + next.len() >= MAX_PACKET {
                    break;
                }
                payload.push(SEPARATOR);
                payload.push_str(next);
                state.bytes -= next.len();
                state.queue.pop_front();
            }
            Some(payload)
        })
        .await
    }

    /// Begins an upgrade to a WebSocket. One at a time.
    ///
    /// # Errors
    /// [`Refusal::Bad`] when there is one already, or an upgrade under way.
    pub(crate) fn begin_upgrade(&self) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.way != Way::Polling || state.end.is_some() {
            return Err(Refusal::Bad);
        }
        state.way = Way::Upgrading { probed: false };
        Ok(())
    }

    /// The new WebSocket works: requests that wait end, so that the client can change over.
    pub(crate) fn probed(&self) {
        self.set_way(Way::Upgrading { probed: true });
    }

    /// The client changed over, or (`false`) stays where it was.
    pub(crate) fn finish_upgrade(&self, done: bool) {
        self.set_way(if done { Way::Socket } else { Way::Polling });
    }

    fn set_way(&self, way: Way) {
        self.lock().way = way;
        self.changes.send_replace(());
    }

    /// The transport in use, as the protocol names it.
    pub(crate) fn transport(&self) -> &'static str {
        if self.lock().way == Way::Socket { "websocket" } else { "polling" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn end() -> End {
        End { reason: "over".into(), code: 1000 }
    }

    #[tokio::test]
    async fn payloads_join_what_waits() {
        let link = Link::new(false);
        for packet in ["4a", "4b", "2"] {
            link.push(packet.into()).expect("room");
        }
        assert_eq!(link.payload().await, "4a\x1e4b\x1e2");
        let large = "4".repeat(MAX_PACKET);
        for packet in ["4a", &large, "4b"] {
            link.push(packet.into()).expect("room");
        }
        assert_eq!(link.payload().await, "4a");
        assert_eq!(link.payload().await.len(), MAX_PACKET, "one that is too long for company goes alone");
        assert_eq!(link.payload().await, "4b");
    }

    #[tokio::test]
    async fn one_request_of_a_kind_at_a_time() {
        let link = Link::new(false);
        let poll = link.begin_poll().expect("the first");
        let post = link.begin_post().expect("another kind");
        assert_eq!(link.begin_poll().err(), Some(Refusal::Bad));
        assert_eq!(link.begin_post().err(), Some(Refusal::Bad));
        drop((poll, post));
        assert!(link.begin_poll().is_ok() && link.begin_post().is_ok());
        let socket = Link::new(true);
        assert!(
            socket.begin_poll().is_err() && socket.begin_post().is_err() && socket.begin_upgrade().is_err()
        );
    }

    #[tokio::test]
    async fn an_upgrade_ends_the_request_that_waits_and_happens_once() {
        let link = std::sync::Arc::new(Link::new(false));
        link.begin_upgrade().expect("the first");
        assert_eq!(link.begin_upgrade(), Err(Refusal::Bad));
        let (waits, waiting) = oneshot::channel();
        let polled = tokio::spawn({
            let link = link.clone();
            async move {
                let _turn = link.begin_poll().expect("not in use yet");
                let _ = waits.send(());
                link.payload().await
            }
        });
        waiting.await.expect("it waits");
        link.probed();
        assert_eq!(polled.await.expect("no panic"), NOOP);
        link.finish_upgrade(true);
        assert!(link.begin_poll().is_err());
        link.push("4a".into()).expect("room");
        assert_eq!(link.batch().await.expect("one"), ["4a"]);

        let failed = Link::new(false);
        failed.begin_upgrade().expect("the first");
        failed.finish_upgrade(false);
        failed.begin_upgrade().expect("another try");
    }

    #[tokio::test]
    async fn an_end_lets_the_last_packets_out() {
        let link = Link::new(true);
        link.push("4a".into()).expect("room");
        link.end(end(), false);
        link.push("4b".into()).expect("said to nobody");
        assert_eq!(link.batch().await.expect("the last"), ["4a"]);
        assert_eq!(link.batch().await, None);
        let link = Link::new(false);
        link.end(end(), false);
        assert_eq!(link.payload().await, CLOSE);
        link.end(End { reason: "later".into(), code: 1001 }, true);
        assert_eq!(link.ended().await, end(), "the first reason stays");
    }

    #[test]
    fn who_does_not_read_is_found() {
        let link = Link::new(true);
        let mib = Utf8Bytes::from("x".repeat(1024 * 1024));
        assert_eq!((0..100).take_while(|_| link.push(mib.clone()).is_ok()).count(), 8);
        let link = Link::new(true);
        assert_eq!((0..10_000).take_while(|_| link.push("2".into()).is_ok()).count(), 1024);
    }
}
