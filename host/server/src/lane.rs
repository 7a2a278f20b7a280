//! Reading and writing one WebSocket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    queue::{ClientQueue, Outgoing},
    upgrade::Socket,
};

/// Pause between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A client that was silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What came on a socket.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// A text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// The browser's own answer to a ping.
    Pong(&'a [u8]),
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// How it is to be closed from here.
    code: CloseCode,
    /// Why, for the log.
    pub(crate) reason: String,
    /// It ended without a word.
    pub(crate) cut: bool,
}

/// Serves a socket until it is closed: `hear` takes what comes, `written` is told when everything that waited in the queue
/// was handed over. The socket is read on when `ready` completes.
pub(crate) async fn serve<Ready: Future<Output = ()>>(
    socket: impl Socket,
    queue: Arc<ClientQueue>,
    hear: impl FnMut(Incoming<'_>),
    ready: impl Fn() -> Ready,
    written: impl Fn() + Send + 'static,
) -> Ending {
    let (sink, stream) = socket.split();
    let heard = Arc::new(Heard::new());
    let mut writer = tokio::spawn(write(queue.clone(), sink, heard.clone(), written));
    let ending = tokio::select! {
        ending = read(hear, ready, stream, &heard) => ending,
        // The host closes: the client has a moment to take what is queued and to answer, also one that does not read.
        () = async {
            queue.ended().await;
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        } => Ending::orderly(CloseCode::Normal, "closed by the host"),
    };
    // What waits stays there for a client that may come back.
    if !ending.cut {
        queue.close(ending.code.into(), "");
    }
    if ending.cut || tokio::time::timeout(CLOSE_TIMEOUT, &mut writer).await.is_err() {
        writer.abort();
    }
    ending
}

impl Ending {
    fn orderly(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), cut: false }
    }

    fn cut(reason: impl Into<String>) -> Self {
        Self { code: CloseCode::Normal, reason: reason.into(), cut: true }
    }
}

/// When the client was last heard.
struct Heard {
    began: Instant,
    at_ms: AtomicU64,
}

impl Heard {
    fn new() -> Self {
        Self { began: Instant::now(), at_ms: AtomicU64::new(0) }
    }

    fn now(&self) {
        self.at_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn silent_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.at_ms.load(Ordering::Relaxed)))
    }
}

/// Reads until the connection ends; answers why, and how it is to be closed.
async fn read<Ready: Future<Output = ()>>(
    mut hear: impl FnMut(Incoming<'_>),
    ready: impl Fn() -> Ready,
    mut stream: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    heard: &Heard,
) -> Ending {
    loop {
        let left = SILENCE.saturating_sub(heard.silent_for()).max(Duration::from_millis(10));
        let Ok(message) = tokio::time::timeout(left, stream.next()).await else {
            if heard.silent_for() >= SILENCE {
                let reason = format!("silent for {} s", SILENCE.as_secs());
                return Ending::orderly(CloseCode::Policy, reason);
            }
            continue;
        };
        heard.now();
        match message {
            Some(Ok(Message::Text(text))) => {
                hear(Incoming::Text(&text));
                ready().await;
            }
            Some(Ok(Message::Binary(bytes))) => {
                hear(Incoming::Binary(&bytes));
                ready().await;
            }
            Some(Ok(Message::Pong(payload))) => hear(Incoming::Pong(&payload)),
            Some(Ok(Message::Close(frame))) => {
                let reason =
                    frame.map_or_else(|| "closed".into(), |frame| format!("closed with {}", frame.code));
                // Reading on is what sends the answer to the close.
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, stream.next()).await;
                return Ending::orderly(CloseCode::Normal, reason);
            }
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
            Some(Err(error)) if is_cut(&error) => return Ending::cut(error.to_string()),
            Some(Err(error)) => return Ending::orderly(close_code(&error), error.to_string()),
            None => return Ending::cut("connection lost"),
        }
    }
}

/// The connection is gone, and no fault of what came on it.
fn is_cut(error: &tungstenite::Error) -> bool {
    use tungstenite::{Error, error::ProtocolError};
    matches!(error, Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
}

/// RFC 6455 section 7.4.1.
fn close_code(error: &tungstenite::Error) -> CloseCode {
    match error {
        tungstenite::Error::Utf8(_) => CloseCode::Invalid,
        tungstenite::Error::Capacity(_) => CloseCode::Size,
        _ => CloseCode::Protocol,
    }
}

/// Writes what is queued, a flush for each batch, and pings.
async fn write(
    queue: Arc<ClientQueue>,
    mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    heard: Arc<Heard>,
    written: impl Fn(),
) {
    let mut pings = tokio::time::interval(PING_INTERVAL);
    loop {
        let batch = tokio::select! {
            batch = queue.take() => batch,
            _ = pings.tick() => {
                // A page that speaks needs no ping.
                if heard.silent_for() > PING_INTERVAL / 2 && sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        for outgoing in batch {
            let written = match outgoing {
                Outgoing::Text(text) => sink.feed(Message::text(text)).await,
                Outgoing::Binary(bytes) | Outgoing::Sound(bytes) => sink.feed(Message::Binary(bytes)).await,
                Outgoing::Mark(frame_id) => {
                    sink.feed(Message::Ping(Bytes::copy_from_slice(&frame_id.to_be_bytes()))).await
                }
                Outgoing::Close(code, reason) => {
                    let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from(reason) };
                    let _ = sink.send(Message::Close(Some(frame))).await;
                    return;
                }
            };
            if written.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
        written();
    }
}
