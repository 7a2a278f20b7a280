//! One client's WebSocket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, StatusCode, header},
};
use selkies_plugin_host::MessageKind;
use selkies_session::Admission;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::debug;

use crate::{
    auth::same_origin,
    hub::{Connected, Hub},
    queue::Outgoing,
};

/// Largest message of a client: an upload chunk of the older protocol is 1 MiB and its opcode.
const MAX_MESSAGE: usize = 1024 * 1024 + 64;
/// Pause between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A client that was silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// `/api/websockets`.
pub(crate) struct Sockets {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for Sockets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let Some(key) = websocket_key(request.headers()) else {
            // Pages of 2.1.0 probe the address this way.
            return Ok(StatusCode::NO_CONTENT.into());
        };
        if !same_origin(request.headers()) {
            return Ok(Response::builder()
                .status(StatusCode::FORBIDDEN)
                .body("SV020 the page that opened this connection belongs to another site.\n"));
        }
        let admission = admission(request.uri().query().unwrap_or_default());
        let accept = derive_accept_key(key.as_bytes());
        // Pages of 2.1.0 offer `selkies`, with a token beside it.
        let offers_selkies = request
            .headers()
            .get(header::SEC_WEBSOCKET_PROTOCOL)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|offer| offer.split(',').any(|name| name.trim() == "selkies"));
        let upgrade = request.take_upgrade()?;
        let hub = self.hub.clone();
        tokio::spawn(async move {
            match upgrade.await {
                Ok(stream) => {
                    let config = WebSocketConfig::default()
                        .read_buffer_size(8 * 1024)
                        .max_message_size(Some(MAX_MESSAGE))
                        .max_frame_size(Some(MAX_MESSAGE));
                    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                    serve(&hub, socket, admission).await;
                }
                Err(error) => debug!(%error, "the upgrade to a WebSocket failed"),
            }
        });
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept);
        if offers_selkies {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, "selkies");
        }
        Ok(response.finish())
    }
}

/// The client's key when the request asks for a WebSocket (RFC 6455 section 4.2.1).
pub(crate) fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: header::HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    (asks && key.len() == 24).then(|| key.to_owned())
}

/// What the address says of the client: `?role=viewer`, `&slot=2`.
fn admission(query: &str) -> Admission {
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    Admission::from_query(value("role"), value("slot"))
}

async fn serve<S>(hub: &Arc<Hub>, socket: S, admission: Admission)
where
    S: Stream<Item = tungstenite::Result<Message>>
        + Sink<Message, Error = tungstenite::Error>
        + Send
        + 'static,
{
    let client = hub.open(admission);
    let (sink, stream) = socket.split();
    let heard = Arc::new(Heard::new());
    let mut writer = tokio::spawn(write(hub.clone(), client.clone(), sink, heard.clone()));
    let (code, reason) = tokio::select! {
        ended = read(hub, &client, stream, &heard) => ended,
        // The host closes: the client has a moment to take what is queued and to answer, also one that does not read.
        () = async {
            client.queue.ended().await;
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        } => (CloseCode::Normal, "closed by the host".to_owned()),
    };
    client.queue.close(code.into(), "");
    if tokio::time::timeout(CLOSE_TIMEOUT, &mut writer).await.is_err() {
        writer.abort();
    }
    hub.close(client.id, &reason);
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
async fn read(
    hub: &Hub,
    client: &Connected,
    mut stream: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    heard: &Heard,
) -> (CloseCode, String) {
    loop {
        let left = SILENCE.saturating_sub(heard.silent_for()).max(Duration::from_millis(10));
        let Ok(message) = tokio::time::timeout(left, stream.next()).await else {
            if heard.silent_for() >= SILENCE {
                return (CloseCode::Policy, format!("silent for {} s", SILENCE.as_secs()));
            }
            continue;
        };
        heard.now();
        match message {
            Some(Ok(Message::Text(text))) => hub.receive(client.id, MessageKind::Text, text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => hub.receive(client.id, MessageKind::Binary, &bytes),
            Some(Ok(Message::Close(frame))) => {
                let reason =
                    frame.map_or_else(|| "closed".into(), |frame| format!("closed with {}", frame.code));
                // Reading on is what sends the answer to the close.
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, stream.next()).await;
                return (CloseCode::Normal, reason);
            }
            Some(Ok(Message::Pong(payload))) => {
                if let Ok(frame_id) = <[u8; 2]>::try_from(&payload[..]) {
                    hub.delivered(client.id, u16::from_be_bytes(frame_id));
                }
            }
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return (close_code(&error), error.to_string()),
            None => return (CloseCode::Normal, "connection lost".into()),
        }
    }
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
    hub: Arc<Hub>,
    client: Connected,
    mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    heard: Arc<Heard>,
) {
    let mut pings = tokio::time::interval(PING_INTERVAL);
    loop {
        let batch = tokio::select! {
            batch = client.queue.take() => batch,
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
                Outgoing::Binary(bytes) => sink.feed(Message::Binary(bytes)).await,
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
        hub.drained(client.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selkies_session::wire::RoleName;

    #[test]
    fn the_address_says_who_comes() {
        assert_eq!(admission("role=viewer").role, RoleName::Viewer);
        assert_eq!(admission("").role, RoleName::Controller);
        assert_eq!(admission("a=b&role=viewer&slot=3").slots, [3]);
    }

    #[test]
    fn only_whole_requests_for_a_websocket_have_a_key() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, value.parse().expect("a value"));
        }
        assert!(websocket_key(&headers).is_some());
        headers.insert("sec-websocket-version", "8".parse().expect("a value"));
        assert!(websocket_key(&headers).is_none());
    }
}
